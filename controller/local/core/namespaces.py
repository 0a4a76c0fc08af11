"""Namespaces: what every one of them contains, and how one goes with everything in it.

Source: k8s.io/kubernetes `registry/core/namespace/strategy.go`, `controller/namespace/deletion`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from controller.local.core import errors, names
from controller.local.core.lifecycle import terminating
from controller.local.core.removal import DeleteOptions, Remover
from controller.local.core.request import Request
from controller.local.core.resources import NAMESPACES, Registry, Resource, StorageKey
from controller.local.core.storage import Change, Object, Storage
from controller.local.core.strategy import Strategy, with_field
from controller.local.core.writes import Writer

INITIAL = ("default", "kube-system", "kube-public", "kube-node-lease")
IMMORTAL = frozenset(("default", "kube-system", "kube-public"))
FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"
MANAGER = "kube-controller-manager"
SERVICE_ACCOUNTS: StorageKey = ("", "serviceaccounts")
CONFIG_MAPS: StorageKey = ("", "configmaps")
ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"

_NOTHING_FAILED = (
    (
        "NamespaceDeletionDiscoveryFailure",
        "False",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "False",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "False",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)


class NamespaceStrategy(Strategy):
    """A namespace has finalizers in its spec, and a phase."""

    def name_errors(self, _resource: Resource, /) -> Callable[[str], Sequence[str]]:
        return names.label_errors

    def default(self, _resource: Resource, obj: Object, /) -> Object:
        name = obj["metadata"].get("name")
        labels = obj["metadata"].get("labels", {})
        if not name or labels.get(NAME_LABEL) == name:
            return obj
        return {**obj, "metadata": {**obj["metadata"], "labels": {**labels, NAME_LABEL: name}}}

    def prepare_create(self, _resource: Resource, obj: Object, /) -> Object:
        finalizers = list((obj.get("spec") or {}).get("finalizers") or ())
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
        return {**obj, "spec": {"finalizers": finalizers}, "status": {"phase": "Active"}}

    def prepare_update(self, resource: Resource, obj: Object, live: Object, subresource: str, /) -> Object:
        if subresource == "finalize":
            return with_field(with_field(live, "metadata", obj), "spec", obj)
        obj = super().prepare_update(resource, obj, live, subresource)
        return with_field(obj, "spec", live)

    def released(self, obj: Object) -> bool:
        return terminating(obj["metadata"]) and not obj["metadata"].get("finalizers") and not self.holds(obj)

    def marked(self, obj: Object, now: str, finalizers: Sequence[str]) -> Object:
        metadata = {**obj["metadata"], "finalizers": list(finalizers)}
        metadata.setdefault("deletionTimestamp", now)
        if not finalizers:
            del metadata["finalizers"]
        return {**obj, "metadata": metadata, "status": {**obj.get("status", {}), "phase": "Terminating"}}

    def may_delete(self, obj: Object, /) -> None:
        name = obj["metadata"]["name"]
        if name in IMMORTAL:
            raise errors.forbidden("", "namespaces", name, "this namespace may not be deleted")

    def holds(self, obj: Object, /) -> bool:
        return bool((obj.get("spec") or {}).get("finalizers"))


class Namespaces:
    """Furnishes new namespaces and clears terminating ones, one write a step."""

    def __init__(
        self, storage: Storage, registry: Registry, writer: Writer, remover: Remover, root_ca: str
    ) -> None:
        self._storage = storage
        self._registry = registry
        self._writer = writer
        self._remover = remover
        self._root_ca = root_ca
        self._queue: deque[str] = deque()
        self._waiting: set[str] = set()
        self._doomed: dict[str, deque[tuple[StorageKey, str]]] = {}
        """Per terminating namespace, what is still to be deleted there."""

    def observe(self, change: Change) -> None:
        if change.storage == NAMESPACES.storage:
            if change.type == "DELETED":
                self._doomed.pop(change.name, None)
            else:
                self.wake(change.name)
        elif change.type == "DELETED" and (
            change.namespace in self._doomed
            or (change.storage == SERVICE_ACCOUNTS and change.name == ACCOUNT)
            or (change.storage == CONFIG_MAPS and change.name == ROOT_CA)
        ):
            self.wake(change.namespace)

    def wake(self, name: str) -> None:
        """Look at a namespace in one of the next steps."""
        if name not in self._waiting:
            self._waiting.add(name)
            self._queue.append(name)

    def bootstrap(self) -> None:
        for name in INITIAL:
            if self._storage.get(NAMESPACES.storage, "", name) is None:
                body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                request = Request("create", "", "v1", "namespaces", body=body, field_manager="kube-apiserver")
                self._writer.create(request, NAMESPACES)

    def step(self) -> bool:
        if not self._queue:
            return False
        name = self._queue.popleft()
        self._waiting.discard(name)
        busy = True
        try:
            busy = self._look(name)
        finally:
            if busy:  # or a write was refused: this is not done
                self.wake(name)
        return bool(self._queue)

    def _look(self, name: str) -> bool:
        namespace = self._storage.get(NAMESPACES.storage, "", name)
        if namespace is None:
            return False
        return self._clear(name, namespace) if terminating(namespace["metadata"]) else self._furnish(name)

    def _furnish(self, namespace: str) -> bool:
        wanted: list[tuple[StorageKey, Object]] = [
            (SERVICE_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}})
        ]
        if self._root_ca:
            body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ROOT_CA}}
            wanted.append((CONFIG_MAPS, {**body, "data": {"ca.crt": self._root_ca}}))
        for storage, body in wanted:
            metadata: Object = body["metadata"]
            if self._storage.get(storage, namespace, metadata["name"]) is None:
                resource = self._registry.serving(storage)
                assert resource is not None
                request = Request(
                    "create", "", "v1", resource.plural, namespace=namespace, body=body, field_manager=MANAGER
                )
                self._writer.create(request, resource)
                return True
        return False

    def _clear(self, name: str, namespace: Object) -> bool:
        """Delete one thing, or say what is in the way, or let the namespace go. True: come back."""
        doomed = self._doomed.get(name)
        if not doomed:
            doomed = self._doomed[name] = deque(self._contents(name))
        while doomed:
            storage, object_name = doomed[0]
            live = self._storage.get(storage, name, object_name)
            resource = self._registry.serving(storage)
            wanted = live is not None and resource is not None and not terminating(live["metadata"])
            if wanted and live is not None and resource is not None:
                options = DeleteOptions(Request("delete", "", "", "", propagation_policy="Background"))
                self._remover.remove(resource, live, options)
            doomed.popleft()
            if wanted:
                return True
        if FINALIZER not in ((namespace.get("spec") or {}).get("finalizers") or ()):
            return False
        remaining = self._remaining(name)
        if remaining:
            self._report(namespace, remaining)
            return False
        finalizers = [entry for entry in namespace["spec"]["finalizers"] if entry != FINALIZER]
        obj = {**namespace, "spec": {"finalizers": finalizers} if finalizers else {}}
        self._writer.amend(NAMESPACES, namespace, obj, MANAGER, "finalize")
        return False

    def _contents(self, namespace: str) -> list[tuple[StorageKey, str]]:
        """What may still be deleted there."""
        return [
            (storage, key.partition("/")[2])
            for storage, collection in list(self._storage.collections())
            for key in collection.keys(namespace)
            if not terminating(collection.objects[key]["metadata"])
        ]

    def _remaining(self, namespace: str) -> dict[StorageKey, list[Object]]:
        found = {
            storage: [collection.objects[key] for key in collection.keys(namespace)]
            for storage, collection in self._storage.collections()
        }
        return {storage: objects for storage, objects in found.items() if objects}

    def _report(self, namespace: Object, remaining: dict[StorageKey, list[Object]]) -> None:
        """Say in the namespace's conditions what it waits for."""
        kinds = ", ".join(
            f"{plural}.{group} has {len(objects)} resource instances"
            for (group, plural), objects in sorted(remaining.items())
        )
        holders: dict[str, int] = {}
        for objects in remaining.values():
            for obj in objects:
                for finalizer in obj["metadata"].get("finalizers", ()):
                    holders[finalizer] = holders.get(finalizer, 0) + 1
        held = ", ".join(
            f"{finalizer} in {count} resource instances" for finalizer, count in sorted(holders.items())
        )
        wanted = [
            *_NOTHING_FAILED,
            (
                "NamespaceContentRemaining",
                "True",
                "SomeResourcesRemain",
                f"Some resources are remaining: {kinds}",
            ),
            (
                "NamespaceFinalizersRemaining",
                "True",
                "SomeFinalizersRemain",
                f"Some content in the namespace has finalizers remaining: {held}",
            ),
        ]
        now = self._writer.now()
        before = {condition["type"]: condition for condition in namespace["status"].get("conditions", ())}
        conditions: list[dict[str, Any]] = []
        for kind, status, reason, message in wanted:
            old = before.get(kind, {})
            changed = now if old.get("status") != status else old["lastTransitionTime"]
            conditions.append(
                {
                    "type": kind,
                    "status": status,
                    "lastTransitionTime": changed,
                    "reason": reason,
                    "message": message,
                }
            )
        obj = {**namespace, "status": {**namespace["status"], "conditions": conditions}}
        self._writer.amend(NAMESPACES, namespace, obj, MANAGER, "status")
