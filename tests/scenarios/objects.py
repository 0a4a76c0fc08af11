"""Reading the parts of objects that outcomes are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.model.quantity import parse_quantity

Object = Mapping[str, Any]
DEFAULT_MEMORY = 256 * 2**20


def key_of(obj: Object) -> tuple[str, str]:
    """Namespace and name."""
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]


def held_by(obj: Object) -> Mapping[str, Any]:
    """What a deployment holds, by its status; empty where it holds nothing."""
    return (obj.get("status") or {}).get("reservation") or {}


def condition_of(obj: Object, type: str) -> Mapping[str, Any]:
    """A condition; empty where there is none."""
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((c for c in found if c["type"] == type), {})


def is_true(obj: Object, type: str) -> bool:
    """Whether a condition is True."""
    return condition_of(obj, type).get("status") == "True"


def reason_of(obj: Object, type: str) -> str:
    """The reason of a condition."""
    return str(condition_of(obj, type).get("reason", "nothing"))


def why(obj: Object, type: str) -> str:
    """A condition in words."""
    condition = condition_of(obj, type)
    if not condition:
        return "not there"
    return f"{condition['status']} ({condition['reason']}: {condition.get('message', '')})"


def owned_by(obj: Object, uid: str) -> bool:
    """Whether the object with this uid is an owner."""
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences") or ())


def named_by(node: Object, deployment: Object) -> bool:
    """Whether a node is a deployment's, or an orphan that it will take up if it can."""
    namespace, name = key_of(deployment)
    return (key_of(node)[0], node["spec"]["deployment"]) == (namespace, name)


def text_of(composition: Object) -> str:
    """A composition's text."""
    return str((composition["spec"].get("source") or {}).get("inline") or "")


def roles_of(spec: Object, known: list[str]) -> list[Any]:
    """The roles of a deployment: those listed, and one node of each other that its composition has."""
    listed = list(spec.get("roles") or ())
    names = {role["name"] for role in listed}
    return listed + [{"name": name} for name in sorted(known) if name not in names]


def hosts_of(role: Object) -> list[str]:
    """The hosts of a role."""
    if role.get("hostnames"):
        return list(role["hostnames"])
    count = role.get("count", 1)
    return [role["name"]] if count == 1 else [f"{role['name']}{i}" for i in range(1, count + 1)]


def need_of(spec: Object, known: list[str]) -> tuple[int, int]:
    """Nodes, and bytes of memory, that a deployment needs."""
    nodes = memory = 0
    for role in roles_of(spec, known):
        asked = (role.get("resources") or {}).get("memory")
        each = DEFAULT_MEMORY if asked is None else parse_quantity(asked)
        nodes += len(hosts_of(role))
        memory += len(hosts_of(role)) * each
    return nodes, memory
