"""The API: a request in, an object or an `ApiError` out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime

from controller.local.core import errors
from controller.local.core.definitions import Definitions, DefinitionStrategy
from controller.local.core.expiry import Expiry
from controller.local.core.garbage import Collector
from controller.local.core.namespaces import Namespaces, NamespaceStrategy
from controller.local.core.reads import Reader
from controller.local.core.removal import Remover
from controller.local.core.request import (
    ADMIN,
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE_PATCH,
    Preconditions,
    Request,
    Result,
    User,
    Verb,
)
from controller.local.core.resources import (
    CORE_EVENTS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    Registry,
    Resource,
    StorageKey,
)
from controller.local.core.scale import Scaler
from controller.local.core.storage import WINDOW, Journal, Object, Storage
from controller.local.core.watch import Watch
from controller.local.core.writes import Admission, Writer

__all__ = [
    "ADMIN",
    "APPLY_PATCH",
    "JSON_PATCH",
    "MERGE_PATCH",
    "STRATEGIC_MERGE_PATCH",
    "ApiCore",
    "Preconditions",
    "Request",
    "Result",
    "User",
    "Verb",
]

Review = Callable[[Request, Resource], Object]
"""Answers the create of a review (access and token reviews), which is not stored."""


class ApiCore:
    """The whole server but its sockets, disk, clock and dice."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        new_uid: Callable[[], str],
        new_suffix: Callable[[], str],
        journal: Journal | None = None,
        root_ca: str = "",
        admit: Admission | None = None,
        review: Review | None = None,
        window: int = WINDOW,
    ) -> None:
        """`clock` gives aware times; `new_uid` fresh UUIDs; `new_suffix` five characters for generateName.

        `root_ca` (PEM) goes into the configmap kube-root-ca.crt of every namespace; without it there is none.
        `admit` may refuse a write (escalation checks); `review` answers access reviews. `window` is how many
        changes of each resource are remembered for watches.
        """
        self.registry = Registry()
        self.storage = Storage(journal, window)
        self.reader = Reader(self.storage)
        self.writer = Writer(
            self.storage,
            {
                NAMESPACES.storage: NamespaceStrategy(),
                CUSTOM_RESOURCE_DEFINITIONS.storage: DefinitionStrategy(),
            },
            clock=clock,
            new_uid=new_uid,
            new_suffix=new_suffix,
            admit=admit,
        )
        self.remover = Remover(self.storage, self.reader, self.writer)
        self._scaler = Scaler(self.reader, self.writer)
        self._definitions = Definitions(self.storage, self.registry, self.writer, self.remover)
        self._namespaces = Namespaces(self.storage, self.registry, self.writer, self.remover, root_ca)
        self._collector = Collector(self.storage, self.registry, self.writer, self.remover)
        self._expiry = Expiry(self.storage, clock)
        self._review = review
        self.storage.observers += [
            self._definitions.observe,
            self._namespaces.observe,
            self._collector.observe,
            self._expiry.observe,
        ]

    @property
    def resource_version(self) -> int:
        """The version of the latest write."""
        return self.storage.revision

    def bootstrap(self) -> None:
        """Create the namespaces that every cluster has, where they are missing. Idempotent."""
        self._namespaces.bootstrap()

    def load(self, objects: Iterable[Object], resource_version: int) -> None:
        """Start from the objects that a journal kept, before the first request.

        Raises ValueError for an object whose kind nothing defines.
        """
        found = list(objects)
        places: dict[tuple[str, str], StorageKey] = {
            (resource.storage_version, resource.kind): resource.storage
            for resource in self.registry
            if resource.stored
        }
        for obj in found:
            if obj["kind"] == CUSTOM_RESOURCE_DEFINITIONS.kind:
                places |= self._definitions.storage_keys(obj)
        placed = []
        for obj in found:
            key = places.get((obj["apiVersion"], obj["kind"]))
            if key is None:
                raise ValueError(
                    f"the stored {obj['kind']} {obj['metadata']['name']!r} ({obj['apiVersion']}) belongs to "
                    "no resource: its CustomResourceDefinition is missing from the stored state"
                )
            placed.append((key, obj))
        self.storage.load(placed, resource_version)
        self._definitions.adopt()
        for key, obj in placed:
            self._collector.adopt(key, obj)
            if key == NAMESPACES.storage:
                self._namespaces.wake(obj["metadata"]["name"])
            elif key == CORE_EVENTS.storage:
                self._expiry.adopt(obj)

    def resource(self, request: Request) -> Resource:
        """What a request is about. Raises ApiError 404 where nothing is served, 405 for a wrong verb."""
        resource = self.registry.find(request.group, request.version, request.plural)
        if resource is None:
            raise errors.no_such_path()
        if request.subresource and request.subresource not in resource.subresources:
            if resource.custom:
                raise errors.not_found(resource.group, resource.plural, request.name)
            raise errors.no_such_path()
        if resource.namespaced != bool(request.namespace):
            everywhere = request.verb in ("list", "watch") and not request.name
            if not (resource.namespaced and everywhere):
                raise errors.no_such_path()
        if request.verb not in resource.verbs or (
            request.subresource and request.verb not in ("get", "update", "patch")
        ):
            raise errors.method_not_allowed(request.verb, resource.group, resource.plural)
        return resource

    def handle(self, request: Request) -> Result:
        """Answer everything but a watch. Raises ApiError."""
        resource = self.resource(request)
        match request.verb:
            case "get" if request.subresource == "scale":
                return self._scaler.get(request, resource)
            case "get":
                return self._warned(Result(self.reader.get(request, resource)), resource)
            case "list":
                return self._warned(Result(self.reader.list(request, resource)), resource)
            case "watch":
                raise errors.method_not_allowed("watch", resource.group, resource.plural)
        result = self._write(request, resource)
        self._serve_changes()
        return self._warned(result, resource)

    def watch(self, request: Request) -> Watch:
        """Open a watch. Raises ApiError where the request is wrong; too old a version is an ERROR event."""
        return self.reader.watch(request, self.resource(request))

    def step(self) -> bool:
        """Do one piece of background work; True while there is more."""
        self._definitions.settle()
        workers = (self._definitions, self._namespaces, self._collector, self._expiry)
        more = [worker.step() for worker in workers]
        self._definitions.settle()
        return any(more)

    def settle(self, limit: int = 1_000_000) -> None:
        """Do all background work. Raises RuntimeError where `limit` steps do not end it."""
        for _ in range(limit):
            if not self.step():
                return
        raise RuntimeError(f"background work of the API has not ended after {limit} steps")

    def _serve_changes(self) -> None:
        """Serve new and changed definitions. If the journal refuses, the write that was asked for stands all the
        same; the next step tries again, and reports."""
        with contextlib.suppress(errors.ApiError):
            self._definitions.settle()

    def _write(self, request: Request, resource: Resource) -> Result:
        match request.verb:
            case "create":
                if not resource.stored:
                    return self._answer_review(request, resource)
                if self._definitions.is_terminating(resource.storage):
                    body = request.body if isinstance(request.body, dict) else {}
                    name = str((body.get("metadata") or {}).get("name") or "")
                    message = "create not allowed while custom resource definition is terminating"
                    raise errors.forbidden(resource.group, resource.plural, name, message)
                return self.writer.create(request, resource)
            case "update" | "patch" if request.subresource == "scale":
                return self._scaler.write(request, resource)
            case "update":
                return self.writer.update(request, resource)
            case "patch":
                return self.writer.patch(request, resource)
            case "delete":
                return self.remover.delete(request, resource)
        return self.remover.delete_collection(request, resource)

    def _answer_review(self, request: Request, resource: Resource) -> Result:
        if self._review is None:
            raise errors.no_such_path()
        return Result(self._review(request, resource), 201)

    @staticmethod
    def _warned(result: Result, resource: Resource) -> Result:
        if not resource.deprecation_warning:
            return result
        return Result(result.object, result.code, (*result.warnings, resource.deprecation_warning))
