"""The deployment files of nixos-compose: nodes by role, a number or host names (the paper's Listings 2 and 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from controller.model.errors import UserError

COUNT_LIMIT = 1000
"""Nodes of one role that the schema of a Deployment accepts."""
_ROLE = re.compile(r"[a-z0-9]([-a-z0-9]{0,57}[a-z0-9])?")
_HOST = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_INT, _TEXT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Distribution:
    """One deployment file: `roles` as `Deployment.spec.roles` has them."""

    file: str
    roles: tuple[dict[str, Any], ...]


def looks_like_one(text: str, file: str) -> bool:
    """Whether a file maps names to numbers or lists of names, and nothing else. Raises `UserError` for bad YAML."""
    root = _composed(text, file)
    if not isinstance(root, yaml.MappingNode) or not root.value:
        return False
    return all(
        (isinstance(value, yaml.ScalarNode) and (value.tag == _INT or value.tag.startswith("!")))
        or (isinstance(value, yaml.SequenceNode) and all(isinstance(v, yaml.ScalarNode) for v in value.value))
        for _, value in root.value
    )


def parse(text: str, file: str) -> Distribution:
    """Read a deployment file, YAML or JSON. Raises `UserError` with file and line."""
    root = _composed(text, file)
    if not isinstance(root, yaml.MappingNode):
        raise _bad(file, root, "must give nodes by role, such as `server: 1`")
    roles: dict[str, dict[str, Any]] = {}
    hosts: dict[str, str] = {}
    for key, value in root.value:
        role = str(key.value)
        if not isinstance(key, yaml.ScalarNode) or _ROLE.fullmatch(role) is None:
            raise _bad(
                file,
                key,
                f"the role {role!r} must be a DNS label here: at most 59 of a-z, 0-9 and -, for it names a host",
            )
        if role in roles:
            raise _bad(file, key, f"the role {role!r} stands there twice")
        item = {"name": role, **_share(file, role, value)}
        for host in item.get("hostnames", ()):
            if host in hosts:
                raise _bad(
                    file, value, f"the host {host!r} stands there twice: in {hosts[host]!r} and in {role!r}"
                )
            hosts[host] = role
        roles[role] = item
    return Distribution(file, tuple(roles.values()))


def _share(file: str, role: str, value: yaml.Node) -> dict[str, Any]:
    if value.tag.startswith("!"):
        raise _bad(
            file,
            value,
            f"{value.tag} of role {role!r} has no counterpart: write the number of nodes, or their names",
        )
    if isinstance(value, yaml.SequenceNode):
        names = []
        for item in value.value:
            if not isinstance(item, yaml.ScalarNode) or _HOST.fullmatch(str(item.value)) is None:
                raise _bad(file, item, f"role {role!r}: {str(item.value)!r} is no host name (a DNS label)")
            names.append(str(item.value))
        if len(names) > COUNT_LIMIT:
            raise _bad(file, value, f"role {role!r} has {len(names)} nodes, and may have {COUNT_LIMIT}")
        return {"hostnames": names} if names else {"count": 0}
    text = str(value.value)
    if value.tag not in (_INT, _TEXT) or not text.isascii() or not text.isdecimal():
        raise _bad(file, value, f"role {role!r} must have a number of nodes, or a list of host names")
    if int(text) > COUNT_LIMIT:
        raise _bad(file, value, f"role {role!r} has {text} nodes, and may have {COUNT_LIMIT}")
    return {"count": int(text)}


def _composed(text: str, file: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise UserError("BadProject", f"{file}:{line}: {error.problem or 'no YAML'}") from None
    except yaml.YAMLError as error:
        raise UserError("BadProject", f"{file}:1: {error}") from None


def _bad(file: str, node: yaml.Node | None, what: str) -> UserError:
    line = node.start_mark.line + 1 if node is not None else 1
    return UserError("BadProject", f"{file}:{line}: {what}")
