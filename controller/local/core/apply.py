"""Server-side apply and the tracking of field owners (metadata.managedFields), as pure functions.

An owner is (manager, operation, apiVersion, subresource). Objects go in whole, with metadata.managedFields; the
result is a new object whose metadata.managedFields is as the real server writes it. resourceVersion, generation
and the other system metadata are the caller's.

Source: Kubernetes, "Server-Side Apply"; KEP-555.
"""

from __future__ import annotations

from typing import Any

from controller.local.core.shape import Shape


def apply(
    live: dict[str, Any] | None,
    applied: dict[str, Any],
    *,
    manager: str,
    force: bool,
    shape: Shape,
    time: str,
    subresource: str = "",
    reset: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The object after `manager` applies the configuration `applied` onto `live` (None: it does not exist yet).

    `shape` comes from `Structural.shape` or `Shape.of(openapi schema)`; `time` is RFC 3339, for new entries;
    `reset`: top-level fields that this endpoint ignores ("status" on the main endpoint of a resource with the
    status subresource, "spec" on /status), which are taken from `live` and not owned by the manager.

    Raises ApiError 409 Conflict (causes FieldManagerConflict) where another owner has a different value in an
    applied field and `force` is false, and 400 where `applied` has metadata.managedFields set.
    """
    raise NotImplementedError


def track_update(
    live: dict[str, Any] | None,
    new: dict[str, Any],
    *,
    manager: str,
    shape: Shape,
    time: str,
    subresource: str = "",
    reset: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """`new` (result of a create, replace or patch of `live`) with metadata.managedFields brought up to date:
    `manager` owns by Update what differs from `live`, and others lose what it changed.

    managedFields written in `new` by the user replaces that of `live`; `[{}]` or `[]` resets it. Malformed entries
    of a user make the server fall back to those of `live`.
    """
    raise NotImplementedError
