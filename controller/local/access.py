"""Who may do what: the gate between a request and the core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from controller.local.authn import AUTHENTICATED
from controller.local.core.errors import ApiError
from controller.local.core.rbac import Attributes, Authorizer
from controller.local.core.request import Request, User
from controller.local.core.resources import RBAC, Resource
from controller.local.core.storage import Change, Object, Storage
from controller.local.paths import Target

MASTERS = "system:masters"


class Headers(Protocol):
    """A multi-valued, case-insensitive mapping, as aiohttp gives it."""

    def get(self, key: str) -> str | None: ...
    def getall(self, key: str, default: list[str]) -> list[str]: ...


class Gate:
    """Decides by the roles and bindings that the core holds at this moment."""

    def __init__(self) -> None:
        self._storage: Storage | None = None
        self._rules_version = 0
        self.authorizer = Authorizer(self._objects, lambda: self._rules_version)

    def attach(self, storage: Storage) -> None:
        """Decide by what is stored here; until then nobody but system:masters may do anything."""
        self._storage = storage
        self._rules_version += 1
        storage.observers.append(self._notice)

    def _notice(self, change: Change) -> None:
        if change.storage[0] == RBAC:
            self._rules_version += 1

    def _objects(self, plural: str) -> Iterable[Object]:
        return self._storage.collection((RBAC, plural)).objects.values() if self._storage is not None else ()

    def require(self, user: User, attributes: Attributes) -> None:
        """Raises `ApiError` 403 with the real server's words."""
        if MASTERS not in user.groups:
            self.authorizer.require(user, attributes)

    def admit(self, request: Request, resource: Resource, new: Object, old: Object | None) -> None:
        """Refuse (403) a role or binding that grants more than its writer has; the core asks before it stores."""
        if resource.group == RBAC and MASTERS not in request.user.groups:
            self.authorizer.require_no_escalation(request.user, request.verb, resource.plural, new, old)

    def impersonated(self, user: User, headers: Headers) -> User:
        """The user that an `Impersonate-User` header names (`kubectl --as`), if `user` may act as that one.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
        """
        name = headers.get("Impersonate-User")
        groups = tuple(headers.getall("Impersonate-Group", []))
        if not name:
            if groups:
                raise ApiError(
                    500,
                    "InternalError",
                    "Internal error occurred: requested groups without impersonating a user",
                )
            return user
        account = name.removeprefix("system:serviceaccount:").split(":") if _is_account(name) else None
        if account is not None:
            self.require(
                user,
                Attributes("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1]),
            )
            if not groups:
                groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
        else:
            self.require(user, Attributes("impersonate", resource="users", name=name))
        for group in headers.getall("Impersonate-Group", []):
            self.require(user, Attributes("impersonate", resource="groups", name=group))
        if AUTHENTICATED not in groups and name != "system:anonymous":
            groups = (*groups, AUTHENTICATED)
        return User(name, groups=groups)


def _is_account(name: str) -> bool:
    return name.startswith("system:serviceaccount:") and name.count(":") == 3


def of_resource(target: Target, verb: str, query: Mapping[str, str]) -> Attributes:
    """What a resource request asks of the authorizer."""
    name = target.name
    if not name and verb in ("list", "watch", "deletecollection"):
        name = _named(query.get("fieldSelector", ""))
    in_itself = target.plural == "namespaces" and not target.group
    return Attributes(
        verb,
        group=target.group,
        version=target.version,
        resource=target.plural,
        subresource=target.subresource,
        namespace=target.name if in_itself else target.namespace,  # rules in a namespace apply to itself
        name=name,
    )


def of_path(path: str, method: str) -> Attributes:
    return Attributes({"HEAD": "get"}.get(method, method.lower()), path=path)


def _named(field_selector: str) -> str:
    """The one name that a field selector leaves, so that rules with resourceNames can allow list and watch."""
    for term in field_selector.split(","):
        key, separator, value = term.partition("=")
        if separator and key.strip() == "metadata.name":  # `metadata.name!` of != is another key
            return value.lstrip("=").strip()
    return ""
