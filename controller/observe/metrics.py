"""Prometheus metrics, under the names that controller-runtime's dashboards expect, and the project's own.

`controller_runtime_*` and `workqueue_*` have the labels of controller-runtime's
`pkg/internal/controller/metrics` and client-go's workqueue; `nxc_*` are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

QUEUE = "nxc"
FAST = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0)
SLOW = (1.0, 5.0, 15.0, 30.0, 90.0, 180.0, 360.0, 720.0, 1440.0, 3600.0)
"""Buckets for what takes minutes: builds and boots (as metal3's operator has them)."""


class QueueView(Protocol):
    """What is measured of the work queue."""

    adds: int
    retries: int

    @property
    def depth(self) -> int: ...
    @property
    def busy(self) -> int: ...
    def oldest_wait(self) -> float: ...
    def longest_running(self) -> float: ...
    def unfinished(self) -> float: ...


class _QueueCollector(Collector):
    """Reads the queue when Prometheus asks."""

    def __init__(self) -> None:
        self.queue: QueueView | None = None

    def collect(self) -> Iterable[Metric]:
        queue = self.queue
        if queue is None:
            return
        for name, help, value in (
            ("workqueue_depth", "Keys that wait", queue.depth),
            ("workqueue_adds_total", "Keys added", queue.adds),
            ("workqueue_retries_total", "Keys added again after a failure", queue.retries),
            ("workqueue_unfinished_work_seconds", "Seconds of work in progress", queue.unfinished()),
            (
                "workqueue_longest_running_processor_seconds",
                "Age of the oldest work in progress",
                queue.longest_running(),
            ),
            ("nxc_workqueue_oldest_wait_seconds", "Age of the key that waits longest", queue.oldest_wait()),
        ):
            family = GaugeMetricFamily(name, help, labels=["name"])
            family.add_metric([QUEUE], value)
            yield family
        active = GaugeMetricFamily(
            "controller_runtime_active_workers", "Workers at work", labels=["controller"]
        )
        active.add_metric([QUEUE], queue.busy)
        yield active


class Metrics:
    """All metrics of one operator, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._queue = _QueueCollector()
        self.registry.register(self._queue)
        registry = self.registry
        self.reconciles = Counter(
            "controller_runtime_reconcile_total",
            "Reconciles by result",
            ["controller", "result"],
            registry=registry,
        )
        self.errors = Counter(
            "controller_runtime_reconcile_errors_total",
            "Reconciles that failed",
            ["controller"],
            registry=registry,
        )
        self.panics = Counter(
            "controller_runtime_reconcile_panics_total",
            "Reconciles that ended by a bug",
            ["controller"],
            registry=registry,
        )
        self.timeouts = Counter(
            "controller_runtime_reconcile_timeouts_total",
            "Reconciles over their time limit",
            ["controller"],
            registry=registry,
        )
        self.seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Length of reconciles",
            ["controller"],
            buckets=FAST,
            registry=registry,
        )
        self.queue_seconds = Histogram(
            "workqueue_queue_duration_seconds", "Wait in the queue", ["name"], buckets=FAST, registry=registry
        )
        self.work_seconds = Histogram(
            "workqueue_work_duration_seconds",
            "Time of a worker per key",
            ["name"],
            buckets=FAST,
            registry=registry,
        )
        self.workers = Gauge(
            "controller_runtime_max_concurrent_reconciles", "Workers", ["controller"], registry=registry
        )
        self.leader = Gauge(
            "leader_election_master_status", "1 while this operator leads", ["name"], registry=registry
        )
        self.writes = Counter(
            "nxc_api_writes_total", "Writes to the API server", ["kind", "verb"], registry=registry
        )
        self.objects = Gauge("nxc_objects", "Objects known", ["kind"], registry=registry)
        self.resyncs = Counter("nxc_resyncs_total", "Resyncs done", registry=registry)
        self.resync_found = Counter(
            "nxc_resync_found_total", "Objects whose news only a resync brought", ["kind"], registry=registry
        )
        self.boots = Counter("nxc_boots_total", "Machines ordered", ["flavour"], registry=registry)
        self.boot_failures = Counter(
            "nxc_boot_failures_total",
            "Attempts that failed",
            ["flavour", "reason", "blame"],
            registry=registry,
        )
        self.phase_seconds = Histogram(
            "nxc_node_phase_seconds",
            "From the order of a machine to a phase of its boot",
            ["flavour", "phase"],
            buckets=SLOW,
            registry=registry,
        )

        self.builds = Counter(
            "nxc_builds_total",
            "Ends of builds: Built, Known (it was there already), or the reason of a failure",
            ["flavour", "result"],
            registry=registry,
        )
        self.build_seconds = Histogram(
            "nxc_build_seconds",
            "Length of the phases of builds: queue, evaluate, build, check",
            ["phase"],
            buckets=SLOW,
            registry=registry,
        )
        self.build_waiting = Gauge("nxc_builds_waiting", "Builds that wait for their turn", registry=registry)
        self.build_running = Gauge("nxc_builds_running", "Builds that run", registry=registry)
        self.build_store = Gauge("nxc_build_store_bytes", "Size of the store of images", registry=registry)
        self.build_collected = Counter(
            "nxc_build_collected_bytes_total",
            "Bytes of the store that were deleted for want of room",
            registry=registry,
        )
        self.build_trusted = Gauge(
            "nxc_build_trusted", "1 while compositions are built without full isolation", registry=registry
        )

    def watch_queue(self, queue: QueueView | None) -> None:
        """Measure this queue from now on."""
        self._queue.queue = queue

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
