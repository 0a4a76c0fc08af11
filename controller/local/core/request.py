"""What is asked of the API and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from controller.local.core.storage import Object

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
    """What a delete insists on; empty strings insist on nothing."""

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
    """The decoded body: an object, a patch (a list for a JSON patch), DeleteOptions for the delete verbs."""
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
    """Orphan, Background or Foreground. This and the next three count only where no DeleteOptions body is sent."""
    orphan_dependents: bool | None = None
    grace_period_seconds: int | None = None
    preconditions: Preconditions | None = None
    user: User = ADMIN

    @property
    def manager(self) -> str:
        """The name under which this request's changes are recorded in managedFields."""
        return self.field_manager or self.user_agent.partition("/")[0] or "unknown"


@dataclass(frozen=True, slots=True)
class Result:
    """`object` may be shared with storage: serialise it, never change it."""

    object: Object
    code: int = 200
    warnings: tuple[str, ...] = ()
