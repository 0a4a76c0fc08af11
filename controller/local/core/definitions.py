"""CustomResourceDefinitions: checked, given their names, served, changed under live objects, and removed.

Source: k8s.io/apiextensions-apiserver `apis/apiextensions/validation`, `controller/{status,finalizer}`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from controller.local.core.crd_validation import definition_causes, schema_path
from controller.local.core.errors import Cause
from controller.local.core.lifecycle import terminating
from controller.local.core.removal import DeleteOptions, Remover
from controller.local.core.request import Request
from controller.local.core.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    PrinterColumn,
    Registry,
    Resource,
    StorageKey,
)
from controller.local.core.schema import SchemaError, Structural
from controller.local.core.storage import Change, Object, Storage
from controller.local.core.strategy import Strategy
from controller.local.core.writes import Writer

MANAGER = "kube-apiserver"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
HOME = CUSTOM_RESOURCE_DEFINITIONS.storage


def compiled(version: Object, path: str) -> Structural:
    """The schema of one version, compiled once for all servers of this process. Raises SchemaError."""
    return _compiled(orjson.dumps((version.get("schema") or {}).get("openAPIV3Schema") or {}), path)


@lru_cache(64)
def _compiled(schema: bytes, path: str) -> Structural:
    return Structural.compile(orjson.loads(schema), path)


class DefinitionStrategy(Strategy):
    """Defaults and checks of a definition itself."""

    def default(self, resource: Resource, obj: Object, /) -> Object:
        obj = super().default(resource, obj)
        spec = obj.get("spec")
        if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
            return obj
        names = dict(spec["names"])
        if isinstance(names.get("kind"), str):
            names["singular"] = names.get("singular") or names["kind"].lower()
            names["listKind"] = names.get("listKind") or f"{names['kind']}List"
        conversion = spec.get("conversion") or {"strategy": "None"}
        return {**obj, "spec": {**spec, "names": names, "conversion": conversion}}

    def prepare_create(self, _resource: Resource, obj: Object, /) -> Object:
        status = {
            "conditions": [],
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": _storage_versions(obj),
        }
        return {**obj, "status": status}

    def prepare_update(self, resource: Resource, obj: Object, live: Object, subresource: str, /) -> Object:
        obj = super().prepare_update(resource, obj, live, subresource)
        if subresource:
            return obj
        known = (obj.get("status") or {}).get("storedVersions") or []
        added = [version for version in _storage_versions(obj) if version not in known]
        if not added:
            return obj
        return {**obj, "status": {**(obj.get("status") or {}), "storedVersions": [*known, *added]}}

    def validate(self, _resource: Resource, obj: Object, live: Object | None, /) -> list[Cause]:
        versions = (obj.get("spec") or {}).get("versions") or []
        causes: list[Cause] = []
        for index, version in enumerate(versions):
            if not (version.get("schema") or {}).get("openAPIV3Schema"):
                continue
            try:
                compiled(version, schema_path(versions, index))
            except SchemaError as error:
                causes += [cause for cause in error.causes if cause not in causes]
        return [*causes, *definition_causes(obj, live)]

    def marked(self, obj: Object, now: str, finalizers: Sequence[str]) -> Object:
        metadata = {**obj["metadata"], "finalizers": list(finalizers)}
        metadata.setdefault("deletionTimestamp", now)
        if CLEANUP not in metadata["finalizers"]:
            metadata["finalizers"].append(CLEANUP)
        message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        condition = ("Terminating", "True", "InstanceDeletionPending", message)
        return _with_conditions({**obj, "metadata": metadata}, [condition], now)

    def holds(self, _obj: Object, /) -> bool:
        return True


class Definitions:
    """Keeps what is served in step with the definitions in storage."""

    def __init__(self, storage: Storage, registry: Registry, writer: Writer, remover: Remover) -> None:
        self._storage = storage
        self._registry = registry
        self._writer = writer
        self._remover = remover
        self._served: dict[str, list[Resource]] = {}
        """By the definition's name."""
        self._changed: dict[str, None] = {}
        self._terminating: dict[StorageKey, str] = {}
        """What is being removed, and the definition's name."""
        self._queue: deque[str] = deque()

    def observe(self, change: Change) -> None:
        if change.storage == HOME:
            self._changed[change.name] = None
            if change.type == "DELETED":
                # Names that it held are free again.
                group = change.object["spec"]["group"]
                for name, definition in self._all():
                    if definition["spec"]["group"] == group:
                        self._changed[name] = None
        elif change.type == "DELETED" and change.storage in self._terminating:
            self._wake(self._terminating[change.storage])

    def settle(self) -> None:
        """Serve what changed; to be called after every write."""
        while self._changed:
            name = next(iter(self._changed))
            definition = self._storage.get(HOME, "", name)
            if definition is None:
                self._withdraw(name)
            else:
                self._name(definition)
            self._changed.pop(name, None)

    def adopt(self) -> None:
        """Serve the stored definitions, before the first request, and show objects by their schemas."""
        for name, _ in self._all():
            self._changed[name] = None
        self.settle()

    def storage_keys(self, definition: Object) -> dict[tuple[str, str], StorageKey]:
        """Where objects of a definition are kept, by apiVersion and kind."""
        spec = definition["spec"]
        key = (spec["group"], spec["names"]["plural"])
        return {
            (f"{spec['group']}/{version['name']}", spec["names"]["kind"]): key for version in spec["versions"]
        }

    def is_terminating(self, storage: StorageKey) -> bool:
        return storage in self._terminating

    def step(self) -> bool:
        """Delete one object of a definition that goes, or the definition when none is left."""
        if not self._queue:
            return False
        name = self._queue[0]
        definition = self._storage.get(HOME, "", name)
        if definition is None or CLEANUP not in definition["metadata"].get("finalizers", ()):
            self._queue.popleft()
            return bool(self._queue)
        storage = _storage_key(definition)
        objects = self._storage.collection(storage).objects
        live = next((obj for obj in objects.values() if not terminating(obj["metadata"])), None)
        resource = self._registry.serving(storage)
        if live is not None and resource is not None:
            options = DeleteOptions(Request("delete", "", "", "", propagation_policy="Background"))
            self._remover.remove(resource, live, options)
            return True
        if objects:
            message = "CustomResource deletion is in progress"
            self._report(definition, [("Terminating", "True", "InstanceDeletionInProgress", message)])
        else:
            self._release(definition)
        self._queue.popleft()
        return bool(self._queue)

    def _release(self, definition: Object) -> None:
        finalizers = [entry for entry in definition["metadata"]["finalizers"] if entry != CLEANUP]
        metadata = {**definition["metadata"], "finalizers": finalizers}
        if not finalizers:
            del metadata["finalizers"]
        obj = {**definition, "metadata": metadata}
        self._writer.amend(CUSTOM_RESOURCE_DEFINITIONS, definition, obj, MANAGER)

    def _wake(self, name: str) -> None:
        if name not in self._queue:
            self._queue.append(name)

    def _all(self) -> Iterator[tuple[str, Object]]:
        yield from list(self._storage.collection(HOME).objects.items())

    def _withdraw(self, name: str) -> None:
        for resource in self._served.pop(name, ()):
            self._registry.remove(resource)
            self._terminating.pop(resource.storage, None)
            self._storage.collection(resource.storage).end_watches()

    def _name(self, definition: Object) -> None:
        """Accept the names unless another definition has them, and serve an accepted definition."""
        metadata, names = definition["metadata"], definition["spec"]["names"]
        accepted, conflicts = self._accept(definition)
        if conflicts:
            reason, message = conflicts[-1]
            wanted = [("NamesAccepted", "False", reason, message)]
            if not _is_true(definition, "Established"):
                wanted.append(("Established", "False", "NotAccepted", "not all names are accepted"))
        else:
            wanted = [("NamesAccepted", "True", "NoConflicts", "no conflicts found")]
            if not _is_true(definition, "Established"):
                message = "the initial names have been accepted"
                wanted.append(("Established", "True", "InitialNamesAccepted", message))
        self._report(definition, wanted, accepted)
        definition = self._storage.get(HOME, "", metadata["name"]) or definition
        if _is_true(definition, "Established"):
            self._serve(
                {**definition, "spec": {**definition["spec"], "names": accepted if conflicts else names}}
            )
        if terminating(metadata) and CLEANUP in metadata.get("finalizers", ()):
            self._terminating[_storage_key(definition)] = metadata["name"]
            self._wake(metadata["name"])

    def _accept(self, definition: Object) -> tuple[Object, list[tuple[str, str]]]:
        """The names that are granted, and for each one refused a reason and message."""
        spec, name = definition["spec"], definition["metadata"]["name"]
        others = [
            other["status"].get("acceptedNames", {})
            for other_name, other in self._all()
            if other_name != name and other["spec"]["group"] == spec["group"]
        ]
        words = {
            word
            for other in others
            for word in (other.get("plural"), other.get("singular"), *other.get("shortNames", ()))
            if word
        }
        kinds = {other.get(key) for other in others for key in ("kind", "listKind")} - {None, ""}
        held = (definition.get("status") or {}).get("acceptedNames", {})
        accepted: dict[str, Any] = {}
        conflicts: list[tuple[str, str]] = []
        for key, reason, taken in (
            ("plural", "PluralConflict", words),
            ("singular", "SingularConflict", words),
            ("shortNames", "ShortNamesConflict", words),
            ("kind", "KindConflict", kinds),
            ("listKind", "ListKindConflict", kinds),
        ):
            value = spec["names"].get(key)
            entries = value if isinstance(value, list) else [value]
            refused = [entry for entry in entries if entry in taken]
            if refused:
                conflicts.append((reason, f'"{refused[0]}" is already in use'))
                value = held.get(key)
            if value or key in ("plural", "kind"):
                accepted[key] = value or ""
        if "categories" in spec["names"]:
            accepted["categories"] = spec["names"]["categories"]
        return accepted, conflicts

    def _report(
        self, definition: Object, wanted: list[tuple[str, str, str, str]], accepted: Object | None = None
    ) -> None:
        obj = _with_conditions(definition, wanted, self._writer.now())
        if accepted is not None:
            obj = {**obj, "status": {**obj["status"], "acceptedNames": accepted}}
        self._writer.amend(CUSTOM_RESOURCE_DEFINITIONS, definition, obj, MANAGER, "status")

    def _serve(self, definition: Object) -> None:
        name = definition["metadata"]["name"]
        before = {resource.version: resource for resource in self._served.get(name, ())}
        now = {resource.version: resource for resource in resources_of(definition)}
        for version, resource in now.items():
            if before.get(version) != resource:
                self._registry.add(resource)
        for version, resource in before.items():
            if version not in now:
                self._registry.remove(resource)
        self._served[name] = list(now.values())
        self._reshape(definition)

    def _reshape(self, definition: Object) -> None:
        """Show stored objects as the schema of their version has them, as the real server does on reading."""
        storage = _storage_key(definition)
        if not self._storage.collection(storage).objects:
            return
        versions = definition["spec"]["versions"]
        schemas = {
            f"{storage[0]}/{version['name']}": compiled(version, schema_path(versions, index))
            for index, version in enumerate(versions)
        }

        def reshaped(obj: Object) -> Object:
            schema = schemas.get(obj["apiVersion"])
            return obj if schema is None else schema.default(schema.prune(obj)[0])

        self._storage.rewrite(storage, reshaped)


def resources_of(definition: Object) -> list[Resource]:
    """What a definition serves: one resource for each served version."""
    spec = definition["spec"]
    names, group, versions = spec["names"], spec["group"], spec["versions"]
    stored = next(version["name"] for version in versions if version.get("storage"))
    return [
        Resource(
            group=group,
            version=version["name"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            kind=names["kind"],
            list_kind=names.get("listKind") or f"{names['kind']}List",
            namespaced=spec["scope"] == "Namespaced",
            storage=(group, names["plural"]),
            storage_version=f"{group}/{stored}",
            short_names=tuple(names.get("shortNames", ())),
            categories=tuple(names.get("categories", ())),
            subresources=tuple(
                key for key in ("status", "scale") if key in (version.get("subresources") or {})
            ),
            custom=True,
            schema=compiled(version, schema_path(versions, index)),
            openapi=(version.get("schema") or {}).get("openAPIV3Schema"),
            columns=tuple(_column(column) for column in version.get("additionalPrinterColumns", ())),
            selectable_fields=tuple(
                field["jsonPath"].removeprefix(".") for field in version.get("selectableFields", ())
            ),
            scale=(version.get("subresources") or {}).get("scale"),
            generations=True,
            unconditional_update=False,
            deprecation_warning=_deprecation(group, names["kind"], version),
        )
        for index, version in enumerate(versions)
        if version.get("served")
    ]


def _column(column: Object) -> PrinterColumn:
    return PrinterColumn(
        name=column["name"],
        type=column["type"],
        json_path=column["jsonPath"],
        description=column.get("description", ""),
        format=column.get("format", ""),
        priority=column.get("priority", 0),
    )


def _deprecation(group: str, kind: str, version: Object) -> str:
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or f"{group}/{version['name']} {kind} is deprecated"


def _storage_key(definition: Object) -> StorageKey:
    return (definition["spec"]["group"], definition["spec"]["names"]["plural"])


def _storage_versions(obj: Object) -> list[str]:
    versions = (obj.get("spec") or {}).get("versions") or ()
    return [version["name"] for version in versions if isinstance(version, dict) and version.get("storage")]


def _is_true(definition: Object, kind: str) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)


def _with_conditions(definition: Object, wanted: list[tuple[str, str, str, str]], now: str) -> Object:
    """`definition` with these conditions (type, status, reason, message) set."""
    status = definition.get("status") or {}
    conditions = list(status.get("conditions") or ())
    for kind, value, reason, message in wanted:
        index = next(
            (i for i, condition in enumerate(conditions) if condition["type"] == kind), len(conditions)
        )
        old = conditions[index] if index < len(conditions) else {}
        since = old["lastTransitionTime"] if old.get("status") == value else now
        new = {
            "type": kind,
            "status": value,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        }
        if new != old:
            conditions[index : index + 1] = [new]
    return {**definition, "status": {**status, "conditions": conditions}}
