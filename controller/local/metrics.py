"""The server's own figures, under the names that Kubernetes dashboards know.

Source: https://kubernetes.io/docs/reference/instrumentation/metrics/ (apiserver_*).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """One registry per server, so that two servers in one process (tests) do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "apiserver_request_total",
            "Requests by verb, group, version, resource and HTTP code.",
            ("verb", "group", "version", "resource", "subresource", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "Time from a request's first byte to its answer, watches left out.",
            ("verb", "group", "resource"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.watches = Gauge(
            "apiserver_longrunning_requests",
            "Open watches by resource.",
            ("verb", "group", "resource"),
            registry=self._registry,
        )
        self.inflight = Gauge(
            "apiserver_current_inflight_requests",
            "Requests being answered, watches left out.",
            registry=self._registry,
        )

        self._children: dict[tuple[str, str, str, str, str, int], tuple[Counter, Histogram]] = {}
        """Looking a child up by its labels costs more than counting."""

    def served(
        self,
        *,
        verb: str,
        group: str,
        version: str,
        resource: str,
        subresource: str,
        code: int,
        seconds: float,
    ) -> None:
        """Count one answered request; names must come from the registry, never from a client's free text."""
        key = (verb, group, version, resource, subresource, code)
        found = self._children.get(key)
        if found is None:
            counter = self._requests.labels(verb, group, version, resource, subresource, str(code))
            found = self._children[key] = (counter, self._seconds.labels(verb, group, resource))
        found[0].inc()
        if verb != "WATCH":
            found[1].observe(seconds)

    def render(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry)
