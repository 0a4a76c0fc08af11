"""What a real cluster's controllers do to built-in kinds, beside the core's own: aggregated roles, old events.

Both are written through the core like any client's request, so that watchers and the journal see them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from controller.local.core.api import ApiCore
from controller.local.core.rbac import aggregated_rules
from controller.local.core.request import APPLY_PATCH, Request
from controller.local.core.resources import CORE_EVENTS, RBAC
from controller.local.core.storage import Change, Object

EVENT_LIFE = timedelta(hours=1)
"""As the real server's --event-ttl."""
AGGREGATOR = "clusterrole-aggregation-controller"
CLUSTER_ROLES = (RBAC, "clusterroles")


class Aggregation:
    """Keeps the rules of ClusterRoles with an aggregationRule up to date.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
    """

    def __init__(self, core: ApiCore) -> None:
        self._core = core
        self._stale = True
        core.storage.observers.append(self._notice)

    def _notice(self, change: Change) -> None:
        if change.storage == CLUSTER_ROLES:
            self._stale = True

    def settle(self) -> None:
        """Write what has to change since the last call; raises `ApiError` as any write does."""
        if not self._stale:
            return
        roles = list(self._core.storage.collection(CLUSTER_ROLES).objects.values())
        for role in roles:
            rules = aggregated_rules(role, roles)
            if rules is not None and rules != (role.get("rules") or []):
                self._write(role["metadata"]["name"], rules)
        self._stale = False

    def _write(self, name: str, rules: list[Any]) -> None:
        api_version = f"{RBAC}/v1"
        body = {"apiVersion": api_version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
        request = Request(
            verb="patch",
            group=RBAC,
            version="v1",
            plural="clusterroles",
            name=name,
            body=body,
            patch_type=APPLY_PATCH,
            field_manager=AGGREGATOR,
            force=True,
        )
        self._core.handle(request)


def expire_events(core: ApiCore, now: datetime) -> int:
    """Delete the Events that nobody has touched for an hour; how many. Raises `ApiError` as any write does."""
    oldest = (now - EVENT_LIFE).strftime("%Y-%m-%dT%H:%M:%S")
    events = core.storage.collection(CORE_EVENTS.storage).objects
    old = [event["metadata"] for event in events.values() if _touched(event) < oldest]
    for metadata in old:
        core.handle(
            Request(
                verb="delete",
                group="",
                version="v1",
                plural="events",
                namespace=metadata["namespace"],
                name=metadata["name"],
            )
        )
    return len(old)


def _touched(event: Object) -> str:
    """When an event was last written, as far as it says so itself; RFC 3339 in UTC compares as text."""
    series = event.get("series") or {}
    times = (
        event["metadata"].get("creationTimestamp"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        series.get("lastObservedTime"),
    )
    return max(str(time) for time in times if time)
