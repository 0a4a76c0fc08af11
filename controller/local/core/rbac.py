"""Role based access control: who may do what (rbac.authorization.k8s.io/v1).

Rules only ever allow. A request is allowed by any rule of any role that a ClusterRoleBinding, or a
RoleBinding of the request's namespace, gives to the user or one of the user's groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.local.core.errors import forbidden, not_found
from controller.local.core.rbac_rules import EVERYTHING, Rule, listed, missing

Object = Mapping[str, Any]

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
"""The group whose members may do everything, whatever the roles say."""


class Identity(Protocol):
    """Who asks; `request.User` is one."""

    @property
    def name(self) -> str: ...
    @property
    def groups(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked: something of a resource, or, where `resource` is empty, of a URL (`path`).

    For a request about one namespace object, `namespace` is its own name; for a list or watch with the field
    selector metadata.name=X, `name` is X (k8s.io/apiserver endpoints/request RequestInfo)."""

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
    """The answer, and why. `errors` are bindings' roles that are not there."""

    allowed: bool
    reason: str = ""
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Grant:
    """What one binding gives to one subject."""

    rules: tuple[Rule, ...]
    why: str
    error: str = ""


@dataclass(slots=True)
class _Index:
    """Grants by subject (`User:alice`, `Group:devs`): in the whole cluster, and by namespace."""

    cluster: dict[str, list[_Grant]] = field(default_factory=lambda: defaultdict(list))
    namespaced: dict[tuple[str, str], list[_Grant]] = field(default_factory=lambda: defaultdict(list))
    roles: dict[tuple[str, str], tuple[Rule, ...]] = field(default_factory=dict)
    """Rules by (namespace, name); the namespace of a ClusterRole is empty."""

    def grants(self, user: Identity, namespace: str) -> Iterator[_Grant]:
        keys = [f"User:{user.name}", *[f"Group:{group}" for group in user.groups]]
        for key in keys:
            yield from self.cluster.get(key, ())
        if namespace:
            for key in keys:
                yield from self.namespaced.get((namespace, key), ())


class Authorizer:
    """Decides from Roles, ClusterRoles and bindings; its index is made anew when `version` has changed."""

    def __init__(self, objects: Callable[[str], Iterable[Object]], version: Callable[[], int]) -> None:
        """`objects(plural)` lists roles, clusterroles, rolebindings, clusterrolebindings over all
        namespaces; `version()` is any integer that changes whenever one of them changes."""
        self._objects = objects
        self._version = version
        self._indexed: int | None = None
        self._index = _Index()

    def authorize(self, user: Identity, attributes: Attributes) -> Decision:
        """May `user` do this? Members of system:masters may do everything."""
        if MASTERS in user.groups:
            return Decision(allowed=True)
        errors: list[str] = []
        for grant in self._current().grants(user, attributes.namespace if attributes.resource else ""):
            if grant.error:
                errors.append(grant.error)
            elif _allow(grant.rules, attributes):
                return Decision(allowed=True, reason=f"RBAC: allowed by {grant.why}")
        reason = f"RBAC: {aggregate(errors)}" if errors else ""
        return Decision(allowed=False, reason=reason, errors=tuple(errors))

    def require(self, user: Identity, attributes: Attributes) -> None:
        """As authorize, but raises the ApiError 403 with the real server's message."""
        decision = self.authorize(user, attributes)
        if not decision.allowed:
            message = _refusal(user, attributes)
            if decision.reason:
                message += f": {decision.reason}"
            raise forbidden(attributes.group, attributes.resource, attributes.name, message)

    def rules_for(self, user: Identity, namespace: str) -> tuple[list[Rule], list[str]]:
        """All rules that hold for `user` in `namespace` (empty: cluster-wide ones alone), and errors."""
        grants = list(self._current().grants(user, namespace))
        return [rule for grant in grants for rule in grant.rules], [
            grant.error for grant in grants if grant.error
        ]

    def require_no_escalation(
        self, user: Identity, verb: str, plural: str, obj: Object, old: Object | None = None
    ) -> None:
        """Refuses (403) that `user` grants what `user` lacks, except by the verbs `escalate` and `bind`.

        To be called before a create, update or patch (`verb`) of one of the four kinds is stored; `obj` is
        what would be stored. A binding to a role that is not there is a 404, unless the user may bind.
        Source: k8s.io/kubernetes pkg/registry/rbac policybased storage."""
        if MASTERS in user.groups or (old is not None and _only_ownership_changed(old, obj)):
            return
        metadata = obj.get("metadata") or {}
        name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
        if plural in ("roles", "clusterroles"):
            granted = self._rules_of_role(plural, obj, old)
            addressed = "" if verb == "create" else name  # a POST names nothing in its URL
            asked = Attributes("escalate", GROUP, "v1", plural, namespace=namespace, name=addressed)
        else:
            reference = obj.get("roleRef") or {}
            bound = f"{reference.get('kind', '').lower()}s"
            asked = Attributes(
                "bind", GROUP, "v1", bound, namespace=namespace, name=reference.get("name", "")
            )
            granted = None
        if granted == [] or self.authorize(user, asked).allowed:
            return
        if granted is None:
            granted = self._rules_of_reference(obj.get("roleRef") or {}, namespace)
        held, errors = self.rules_for(user, namespace)
        gaps = missing(held, granted)
        if gaps:
            lines = "\n".join(sorted({str(gap) for gap in gaps}))
            message = (
                f'user "{user.name}" (groups={listed(user.groups)}) is attempting to grant RBAC permissions '
                f"not currently held:\n{lines}"
            )
            if errors:
                plural_errors = [error.replace(f".{GROUP}", f"s.{GROUP}", 1) for error in errors]
                message += f"; resolution errors: [{aggregate(plural_errors)}]"
            raise forbidden(GROUP, plural, name, message)

    @staticmethod
    def _rules_of_role(plural: str, obj: Object, old: Object | None) -> list[Rule]:
        """What a role that is being written grants anew; empty where it grants what it did."""
        if old is not None and all(old.get(key) == obj.get(key) for key in ("rules", "aggregationRule")):
            return []
        if plural == "clusterroles" and obj.get("aggregationRule"):
            return list(EVERYTHING)
        return [Rule.of(rule) for rule in obj.get("rules") or ()]

    def _rules_of_reference(self, reference: Object, namespace: str) -> list[Rule]:
        name = reference.get("name", "")
        scope = namespace if reference.get("kind") == "Role" else ""
        rules = self._current().roles.get((scope, name))
        if rules is None:
            raise not_found(GROUP, f"{str(reference.get('kind', '')).lower()}s", name)
        return list(rules)

    def _current(self) -> _Index:
        version = self._version()
        if version != self._indexed:
            self._index = _build(self._objects)
            self._indexed = version
        return self._index


def aggregated_rules(role: Object, cluster_roles: Iterable[Object]) -> list[Any] | None:
    """The rules that a ClusterRole with an aggregationRule should have; None for one without.

    Rules of the selected ClusterRoles by name, each once; one that is aggregated itself gives what it should
    have, so that a single pass over all roles is enough."""
    if not role.get("aggregationRule"):
        return None
    return _gather(role, sorted(cluster_roles, key=_name), frozenset())


def _gather(role: Object, cluster_roles: Sequence[Object], seen: frozenset[str]) -> list[Any]:
    seen |= {_name(role)}
    found: list[Any] = []
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        for other in cluster_roles:
            if _name(other) in seen or not _selects(selector, other["metadata"].get("labels") or {}):
                continue
            rules = (
                _gather(other, cluster_roles, seen) if other.get("aggregationRule") else other.get("rules")
            )
            found += [rule for rule in rules or () if rule not in found]
    return found


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector holds for `labels`."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or ():
        present, within = term["key"] in labels, labels.get(term["key"]) in (term.get("values") or ())
        holds = {"In": within, "NotIn": not within, "Exists": present, "DoesNotExist": not present}
        if not holds.get(term["operator"], False):
            return False
    return True


def _build(objects: Callable[[str], Iterable[Object]]) -> _Index:
    index = _Index()
    cluster_roles = list(objects("clusterroles"))
    for role in cluster_roles:
        rules = aggregated_rules(role, cluster_roles) if role.get("aggregationRule") else role.get("rules")
        index.roles["", _name(role)] = tuple(map(Rule.of, rules or ()))
    for role in objects("roles"):
        index.roles[role["metadata"]["namespace"], _name(role)] = tuple(map(Rule.of, role.get("rules") or ()))
    for binding in objects("clusterrolebindings"):
        for key, grant in _grants(index, binding, ""):
            index.cluster[key].append(grant)
    for binding in objects("rolebindings"):
        namespace = binding["metadata"]["namespace"]
        for key, grant in _grants(index, binding, namespace):
            index.namespaced[namespace, key].append(grant)
    return index


def _grants(index: _Index, binding: Object, namespace: str) -> Iterator[tuple[str, _Grant]]:
    """One binding's grants by subject."""
    reference = binding["roleRef"]
    kind, name = reference["kind"], reference["name"]
    rules = index.roles.get((namespace if kind == "Role" else "", name))
    error = "" if rules is not None else f'{kind.lower()}.{GROUP} "{name}" not found'
    title = (
        f'RoleBinding "{_name(binding)}/{namespace}"'
        if namespace
        else f'ClusterRoleBinding "{_name(binding)}"'
    )
    for subject in binding.get("subjects") or ():
        who, key = subject["name"], f"{subject['kind']}:{subject['name']}"
        if subject["kind"] == "ServiceAccount":
            home = subject.get("namespace") or namespace
            if not home:
                continue
            who, key = f"{who}/{home}", f"User:system:serviceaccount:{home}:{who}"
        why = f'{title} of {kind} "{name}" to {subject["kind"]} "{who}"'
        yield key, _Grant(rules or (), why, error)


def _allow(rules: Iterable[Rule], asked: Attributes) -> bool:
    if not asked.resource:
        return any(rule.allows_url(asked.verb, asked.path) for rule in rules)
    verb, group, resource, subresource, name = (
        asked.verb,
        asked.group,
        asked.resource,
        asked.subresource,
        asked.name,
    )
    return any(rule.allows_resource(verb, group, resource, subresource, name) for rule in rules)


def _refusal(user: Identity, asked: Attributes) -> str:
    if not asked.resource:
        return f'User "{user.name}" cannot {asked.verb} path "{asked.path}"'
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return (
        f'User "{user.name}" cannot {asked.verb} resource "{resource}" in API group "{asked.group}" {where}'
    )


def aggregate(errors: Iterable[str]) -> str:
    """Several errors in one line, each once, as k8s.io/apimachinery util/errors prints them."""
    found = list(dict.fromkeys(errors))
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"


def _only_ownership_changed(old: Object, new: Object) -> bool:
    """The garbage collector may unlink or release what it could not create."""
    own = ("ownerReferences", "finalizers", "resourceVersion", "managedFields")

    def rest(obj: Object) -> dict[str, Any]:
        metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key not in own}
        return {**obj, "metadata": metadata}

    return rest(old) == rest(new)


def _name(obj: Object) -> str:
    name: str = obj["metadata"]["name"]
    return name
