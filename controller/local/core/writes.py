"""Create, replace and patch."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from controller.local.core import (
    apply,
    decoding,
    errors,
    forms,
    lifecycle,
    metadata_validation,
    patch,
    scale_path,
)
from controller.local.core.builtin_defaults import blank_builtin
from controller.local.core.errors import Cause
from controller.local.core.metadata_decoding import UndecodableError
from controller.local.core.request import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE_PATCH,
    Request,
    Result,
)
from controller.local.core.request_checks import (
    check_namespace,
    check_number,
    check_options,
    check_version_given,
)
from controller.local.core.resources import CORE_EVENTS, NAMESPACES, RBAC, Resource
from controller.local.core.shape import Shape
from controller.local.core.sharing import shared
from controller.local.core.storage import Object, Storage, Write
from controller.local.core.strategic import strategic_merge
from controller.local.core.strategy import ORDINARY, Strategies, Strategy

GENERATED_TRIES = 8
"""How often a generated name that is taken is drawn anew."""
GENERATED_LIMIT = 58
"""Characters of generateName that are used, so that five more make a DNS label."""

_BAD_PATCH = "error decoding patch: json: cannot unmarshal"

Admission = Callable[[Request, Resource, Object, Object | None], None]
"""Asked before anything is written, with the new and the live object; raises ApiError to refuse."""


class Writer:
    """Turns requests into stored objects."""

    def __init__(
        self,
        storage: Storage,
        strategies: Strategies,
        *,
        clock: Callable[[], datetime],
        new_uid: Callable[[], str],
        new_suffix: Callable[[], str],
        admit: Admission | None = None,
    ) -> None:
        self._storage = storage
        self._strategies = strategies
        self._clock = clock
        self._new_uid = new_uid
        self._new_suffix = new_suffix
        self._admit = admit

    def now(self) -> str:
        return lifecycle.timestamp(self._clock())

    def strategy(self, resource: Resource) -> Strategy:
        return self._strategies.get(resource.storage, ORDINARY)

    def create(self, request: Request, resource: Resource) -> Result:
        check_options(request, "CreateOptions")
        obj, warnings = decoding.whole(request, resource, self.strategy(resource))
        with _warning(warnings):
            if request.name:
                self._check_name(obj["metadata"], request.name)
            return _told(Result(self._insert(request, resource, obj), 201, warnings), resource, None)

    def update(self, request: Request, resource: Resource) -> Result:
        check_options(request, "UpdateOptions")
        live = self._live(request, resource)
        obj, warnings = decoding.whole(request, resource, self.strategy(resource), live)
        with _warning(warnings):
            return _told(self._update(request, resource, live, obj, warnings), resource, live)

    def _update(
        self,
        request: Request,
        resource: Resource,
        live: Object | None,
        obj: Object,
        warnings: tuple[str, ...],
    ) -> Result:
        metadata = obj["metadata"]
        self._check_name(metadata, request.name)
        if metadata.get("namespace", request.namespace) != request.namespace:
            raise errors.bad_request(
                f"the namespace of the object ({metadata['namespace']}) does not match "
                f"the namespace on the request ({request.namespace})"
            )
        if live is None:
            if resource.create_on_update and not request.subresource:
                check_number(metadata.get("resourceVersion") or "0")
                obj = {**obj, "metadata": {**metadata, "resourceVersion": ""}}
                return Result(self._insert(request, resource, obj), 201, warnings)
            raise errors.not_found(resource.group, resource.plural, request.name)
        uid = metadata.get("uid", "")
        if uid and uid != live["metadata"]["uid"]:
            found = live["metadata"]["uid"]
            message = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
            raise errors.conflict(resource.group, resource.plural, request.name, message)
        check_version_given(resource, metadata, request.name)
        return Result(self.replace(request, resource, live, obj), 200, warnings)

    def patch(self, request: Request, resource: Resource) -> Result:
        check_options(request, "PatchOptions")
        live = self._live(request, resource)
        if request.patch_type == APPLY_PATCH:
            return self._apply(request, resource, live)
        changed = self._changed(request, resource, live)
        assert live is not None  # _changed has refused otherwise
        obj, warnings = decoding.patched(changed, request, resource, self.strategy(resource), live)
        with _warning(warnings):
            self._check_name(obj["metadata"], request.name)
            check_namespace(obj["metadata"], request.namespace)
            check_version_given(resource, obj["metadata"], request.name)
            return _told(Result(self.replace(request, resource, live, obj), 200, warnings), resource, live)

    def amend(
        self, resource: Resource, live: Object, obj: Object, manager: str, subresource: str = ""
    ) -> None:
        """A controller's own change of metadata or status, which no schema or admission can refuse."""
        metadata = live["metadata"]
        request = Request(
            "update", resource.group, resource.version, resource.plural, field_manager=manager,
            namespace=metadata.get("namespace", ""), name=metadata["name"], subresource=subresource,
        )  # fmt: skip
        self._settle(request, resource, live, obj)

    def _changed(self, request: Request, resource: Resource, live: Object | None) -> Any:
        kind = request.patch_type
        accepted = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH]
        if not resource.custom:
            accepted.insert(2, STRATEGIC_MERGE_PATCH)
        if kind not in accepted:
            raise errors.unsupported_media_type(accepted)
        if live is None:
            raise errors.not_found(resource.group, resource.plural, request.name)
        if kind == JSON_PATCH and not isinstance(request.body, list):
            raise errors.bad_request(f"{_BAD_PATCH} object into Go value of type []handlers.jsonPatchOp")
        if kind != JSON_PATCH and not isinstance(request.body, dict):
            raise errors.bad_request(f"{_BAD_PATCH} array into Go value of type map[string]interface {{}}")
        if kind == JSON_PATCH:
            return patch.json_patch(live, request.body)
        if kind == MERGE_PATCH:
            return patch.merge_patch(live, request.body)
        return strategic_merge(live, request.body, group=resource.group, kind=resource.kind)

    def _apply(self, request: Request, resource: Resource, live: Object | None) -> Result:
        if live is None and request.subresource:
            raise errors.not_found(resource.group, resource.plural, request.name)
        applied = decoding.check_applied(request.body, resource)
        wanted = applied["metadata"]
        wanted.setdefault("name", request.name)
        strategy = self.strategy(resource)
        if live is None:
            wanted.pop("resourceVersion", None)
        obj = apply.apply(
            live,
            applied,
            manager=request.field_manager,
            force=bool(request.force),
            shape=_shape(resource),
            time=self.now(),
            subresource=request.subresource,
            reset=_reset(resource, request.subresource),
        )
        if live is None and wanted.get("uid"):
            message = (
                f"uid mismatch: the provided object specified uid {wanted['uid']}, "
                "and no existing object was found"
            )
            raise errors.conflict(resource.group, resource.plural, request.name, message)
        try:
            obj, _ = decoding.complete(obj, resource, strategy, live)
        except UndecodableError as error:
            raise errors.bad_request(str(error)) from None
        self._check_name(obj["metadata"], request.name)
        check_namespace(obj["metadata"], request.namespace)
        if live is None:
            return _told(Result(self._insert(request, resource, obj, tracked=True), 201), resource, None)
        return _told(Result(self.replace(request, resource, live, obj, tracked=True)), resource, live)

    def _live(self, request: Request, resource: Resource) -> Object | None:
        obj = self._storage.get(resource.storage, request.namespace, request.name)
        return forms.shown(obj, resource) if obj is not None else None

    def _check_name(self, metadata: Object, name: str) -> None:
        if not metadata.get("name"):
            raise errors.bad_request(
                f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )
        if metadata["name"] != name:
            raise errors.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )

    def _insert(self, request: Request, resource: Resource, obj: Object, *, tracked: bool = False) -> Object:
        """Store a new object."""
        metadata = obj["metadata"]
        check_namespace(metadata, request.namespace)
        name = metadata.get("name", "")
        self._check_home(request, resource, name)
        if metadata.get("resourceVersion", "0") not in ("", "0"):
            raise errors.internal_plain("resourceVersion should not be set on objects to be created")
        if name or not metadata.get("generateName"):
            return self._insert_named(request, resource, obj, tracked)
        prefix = metadata["generateName"][:GENERATED_LIMIT]
        for _ in range(GENERATED_TRIES):
            named = {**obj, "metadata": {**metadata, "name": prefix + self._new_suffix()}}
            if self._storage.get(resource.storage, request.namespace, named["metadata"]["name"]) is None:
                break
        return self._insert_named(request, resource, named, tracked)

    def _insert_named(self, request: Request, resource: Resource, obj: Object, tracked: bool) -> Object:
        strategy = self.strategy(resource)
        now = self.now()
        metadata = lifecycle.created(
            obj["metadata"], resource, namespace=request.namespace, uid=self._new_uid(), now=now
        )
        obj = strategy.prepare_create(resource, {**obj, "metadata": metadata})
        if not tracked:
            obj = apply.track_update(
                None, obj, manager=request.manager, shape=_shape(resource), time=now,
                reset=_reset(resource, ""), blank=None if resource.custom else blank_builtin(resource),
            )  # fmt: skip
        if self._admit is not None:
            self._admit(request, resource, obj, None)
        self._validate(resource, obj, None)
        name = obj["metadata"]["name"]
        taken = self._storage.get(resource.storage, request.namespace, name)
        if taken is not None:
            refusal = errors.already_exists(
                resource.group,
                resource.plural,
                name,
                terminating=lifecycle.terminating(taken["metadata"]),
                generated=bool(metadata.get("generateName")),
            )
            refusal.warnings = _advice(resource, metadata, None)
            raise refusal
        if request.dry_run:
            return obj
        return self._commit(resource, obj)

    def _check_home(self, request: Request, resource: Resource, name: str) -> None:
        """Nothing new in a namespace that is not there or is going."""
        if not resource.namespaced:
            return
        namespace = self._storage.get(NAMESPACES.storage, "", request.namespace)
        if namespace is None:
            raise errors.not_found("", "namespaces", request.namespace)
        if lifecycle.terminating(namespace["metadata"]):
            cause = Cause(
                "NamespaceTerminating",
                "metadata.namespace",
                f"namespace {request.namespace} is being terminated",
            )
            message = (
                f"unable to create new content in namespace {request.namespace} "
                "because it is being terminated"
            )
            raise errors.forbidden(resource.group, resource.plural, name, message, [cause])

    def replace(
        self, request: Request, resource: Resource, live: Object, obj: Object, *, tracked: bool = False
    ) -> Object:
        """Store `obj` in place of `live`, if the versions agree."""
        version = obj["metadata"].get("resourceVersion", "0")
        if version not in ("", "0", live["metadata"]["resourceVersion"]):
            check_number(version)
            raise errors.conflict(resource.group, resource.plural, request.name)
        metadata = lifecycle.updated(obj["metadata"], live["metadata"])
        return self._settle(
            request, resource, live, {**obj, "metadata": metadata}, tracked=tracked, checked=True
        )

    def _settle(
        self,
        request: Request,
        resource: Resource,
        live: Object,
        obj: Object,
        *,
        tracked: bool = False,
        checked: bool = False,
    ) -> Object:
        strategy = self.strategy(resource)
        obj = strategy.prepare_update(resource, obj, live, request.subresource)
        if resource.generations and lifecycle.spec_changed(obj, live, resource):
            generation = live["metadata"].get("generation", 0) + 1
            obj = {**obj, "metadata": {**obj["metadata"], "generation": generation}}
        if not tracked:
            obj = apply.track_update(
                live, obj, manager=request.manager, shape=_shape(resource), time=self.now(),
                subresource=request.subresource, reset=_reset(resource, request.subresource),
            )  # fmt: skip
            obj = _sharing_managers(obj, live)
        if self._admit is not None and checked:
            self._admit(request, resource, obj, live)
        if lifecycle.same(obj, live):
            return live
        if checked:
            self._validate(resource, obj, live, request.subresource)
        if strategy.released(obj):
            if not request.dry_run:
                self._storage.commit([Write.drop(resource.storage, live)])
            return obj
        if request.dry_run:
            return obj
        return self._commit(resource, obj)

    def _validate(self, resource: Resource, obj: Object, live: Object | None, subresource: str = "") -> None:
        strategy = self.strategy(resource)
        causes = metadata_validation.validate(
            obj["metadata"],
            live["metadata"] if live is not None else None,
            name_errors=strategy.name_errors(resource),
        )
        if resource.group in ("", RBAC) and resource.storage != CORE_EVENTS.storage:
            causes += metadata_validation.core_finalizer_causes(obj["metadata"])
        if live is None or lifecycle.content_changed(obj, live):
            if resource.schema is not None:  # built-in kinds are checked by their strategy
                numbers = scale_path.problems(obj, resource, subresource)
                causes = resource.schema.problems(obj, live, subresource, before=causes, after=numbers)
            causes += strategy.validate(resource, obj, live)
        if causes:
            raise errors.invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), causes)

    def _commit(self, resource: Resource, obj: Object) -> Object:
        (change,) = self._storage.commit([Write.put(resource.storage, forms.stored(obj, resource))])
        return forms.shown(change.object, resource)


@contextlib.contextmanager
def _warning(warnings: tuple[str, ...]) -> Iterator[None]:
    """What is to be said about the request's fields is said beside a refusal, too."""
    try:
        yield
    except errors.ApiError as error:
        error.warnings = (*warnings, *error.warnings)
        raise


def _told(result: Result, resource: Resource, live: Object | None) -> Result:
    """`result` with what the server has to say of a custom resource that it takes nevertheless."""
    advice = _advice(resource, result.object["metadata"], live["metadata"] if live is not None else None)
    return dataclasses.replace(result, warnings=(*result.warnings, *advice)) if advice else result


def _advice(resource: Resource, metadata: Object, live: Object | None) -> tuple[str, ...]:
    if not resource.custom or not metadata.get("finalizers"):
        return ()
    return tuple(metadata_validation.finalizer_warnings(metadata, live))


def _sharing_managers(obj: Object, live: Object) -> Object:
    """`obj` with the managedFields entries of `live` that did not change."""
    before, after = live["metadata"].get("managedFields"), obj["metadata"].get("managedFields")
    if not before or not after:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "managedFields": shared(after, before)}}


_UNKNOWN_SHAPE: list[Shape] = []


def _shape(resource: Resource) -> Shape:
    schema = decoding.schema_of(resource)
    if schema is not None:
        return schema.shape
    if not _UNKNOWN_SHAPE:
        _UNKNOWN_SHAPE.append(Shape.of(None))
    return _UNKNOWN_SHAPE[0]


_NOTHING: frozenset[str] = frozenset()
_STATUS = frozenset(("status",))
_ALL_BUT_STATUS = frozenset(("spec", "metadata"))


def _reset(resource: Resource, subresource: str) -> frozenset[str]:
    """The top-level fields that an endpoint ignores, so that nobody comes to own them through it."""
    if subresource == "status":
        return _ALL_BUT_STATUS
    return _STATUS if resource.has_status else _NOTHING
