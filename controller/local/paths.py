"""The URL space: what a path and method ask for, without looking whether it exists.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class Target:
    """A resource path. Without `name` it is a collection."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def target(raw_path: str) -> Target | None:
    """The resource that a path (still percent-encoded) names; None when it is not a resource path at all."""
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if not all(rest) or len(rest) > 5:
        return None
    if rest[0] == "namespaces" and len(rest) >= 3 and not _of_namespace(group, rest):
        namespace, rest = rest[1], rest[2:]
    else:
        namespace = ""
    if len(rest) > 3:
        return None
    plural, name, subresource = (*rest, "", "")[:3]
    return Target(group, version, plural, namespace, name, subresource)


def _of_namespace(group: str, rest: list[str]) -> bool:
    return not group and len(rest) == 3 and rest[2] in NAMESPACE_SUBRESOURCES


def verb(method: str, target: Target, *, watch: bool) -> str | None:
    """The API verb of a request; None when the method has none there."""
    if method in ("GET", "HEAD"):
        if target.name:
            return "get"
        return "watch" if watch else "list"
    if method == "POST":
        return "create" if target.subresource or not target.name else None
    if method == "PUT":
        return "update" if target.name else None
    if method == "PATCH":
        return "patch" if target.name else None
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return None
