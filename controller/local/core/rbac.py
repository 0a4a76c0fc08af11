"""Role based access control: who may do what (rbac.authorization.k8s.io/v1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Object = Mapping[str, Any]


class Identity(Protocol):
    """Who asks; `api.User` is one."""

    @property
    def name(self) -> str: ...
    @property
    def groups(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked. A resource request when `resource` is set, else a URL (`path`)."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str = ""
    errors: tuple[str, ...] = ()  # of the evaluation: bindings to roles that are not there


class Authorizer:
    """Decides from Roles, ClusterRoles and bindings; the index is rebuilt when `version` changes."""

    def __init__(self, objects: Callable[[str], Iterable[Object]], version: Callable[[], int]) -> None:
        """`objects(plural)` lists roles, clusterroles, rolebindings, clusterrolebindings over all
        namespaces; `version()` is any integer that changes whenever one of them changes."""
        raise NotImplementedError

    def authorize(self, user: Identity, attributes: Attributes) -> Decision:
        """May `user` do this? Users in the group system:masters may do everything."""
        raise NotImplementedError

    def require(self, user: Identity, attributes: Attributes) -> None:
        """As authorize, but raises the ApiError 403 with the real server's message."""
        raise NotImplementedError

    def require_no_escalation(
        self, user: Identity, verb: str, plural: str, obj: Object, old: Object | None = None
    ) -> None:
        """To be called before a create or update of one of the four kinds is stored: refuses (403)
        to grant what `user` does not have, except by the verbs `escalate` and `bind`."""
        raise NotImplementedError


def aggregated_rules(role: Object, cluster_roles: Iterable[Object]) -> list[Any] | None:
    """The rules that a ClusterRole with an aggregationRule should have; None for one without."""
    raise NotImplementedError
