"""The API: a request in, an object or an `ApiError` out."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from controller.local.core.resources import Registry, Resource
from controller.local.core.storage import Journal, Object
from controller.local.core.watch import Watch

Verb = Literal["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks, as the edge authenticated them."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ADMIN = User("system:admin", groups=("system:masters", "system:authenticated"))


@dataclass(frozen=True, slots=True)
class Preconditions:
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One call. Query parameters come as the client wrote them, parsed but not judged."""

    verb: Verb
    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: Any = None
    """The decoded body: an object, a patch (a list for a JSON patch), or DeleteOptions for the delete verbs."""
    patch_type: str = ""
    field_manager: str = ""
    """The fieldManager parameter; empty if not given."""
    user_agent: str = ""
    """Of the client; up to the first "/" it is the manager's name where `field_manager` is empty."""
    force: bool | None = None
    dry_run: bool = False
    field_validation: str = ""
    """Strict, Warn (also when empty, as on the real server) or Ignore."""
    duplicates: tuple[str, ...] = ()
    """Paths of fields that the body had twice, `spec.count`, found by whoever parsed it."""
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    send_initial_events: bool | None = None
    allow_bookmarks: bool = False
    propagation_policy: str = ""
    """Orphan, Background or Foreground; like the next three, it goes before what the DeleteOptions body says."""
    orphan_dependents: bool | None = None
    grace_period_seconds: int | None = None
    preconditions: Preconditions | None = None
    user: User = ADMIN


@dataclass(frozen=True, slots=True)
class Result:
    """`object` may be shared with storage: serialise it, never change it."""

    object: Object
    code: int = 200
    warnings: tuple[str, ...] = ()


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
    ) -> None:
        """`clock` gives aware times; `new_uid` fresh UUIDs; `new_suffix` five characters for generateName;
        `root_ca` (PEM) goes into the configmap kube-root-ca.crt of every namespace, which is left out if empty."""
        self.registry = Registry()

    def bootstrap(self) -> None:
        """Create the namespaces that every cluster has, where they are missing."""
        raise NotImplementedError

    def load(self, objects: Iterable[Object], resource_version: int) -> None:
        """Start from stored objects (in storage form), before the first request."""
        raise NotImplementedError

    def handle(self, request: Request) -> Result:
        raise NotImplementedError

    def watch(self, request: Request) -> Watch:
        raise NotImplementedError

    def step(self) -> bool:
        """Do one piece of background work; True while there is more."""
        raise NotImplementedError
