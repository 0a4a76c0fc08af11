"""The choice of nodes that a command line means. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from controller.model.errors import UserError
from controller.model.names import natural
from controller.model.node import Node


def choose(nodes: Sequence[Node], *, names: Sequence[str] = (), roles: Sequence[str] = ()) -> list[Node]:
    """The nodes that are meant, by role and host, each once; all of them where nothing is named.

    A name is a host (`alice`), another name of it (`server1`), its DeployedNode (`web.alice`), or a role with a
    single node. Raises `UserError` where there is no such node, or where several are meant by one name.
    """
    nodes = sorted(nodes, key=lambda node: (natural(node.spec.role), natural(node.spec.host)))
    chosen: dict[str, Node] = {}
    for role in roles:
        found = [node for node in nodes if node.spec.role == role]
        if not found:
            raise UserError("NoSuchRole", f"there is no node with the role {role!r}; {_roles(nodes)}")
        chosen |= {node.spec.host: node for node in found}
    for name in names:
        node = _named(nodes, name)
        chosen[node.spec.host] = node
    return list(chosen.values()) if names or roles else nodes


def _named(nodes: Sequence[Node], name: str) -> Node:
    for found in (
        [node for node in nodes if node.spec.host == name],
        [node for node in nodes if name in node.spec.aliases or node.meta.name == name],
        [node for node in nodes if node.spec.role == name],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            hosts = ", ".join(node.spec.host for node in found)
            raise UserError("SeveralNodes", f"{name!r} means several nodes ({hosts}): name one of them")
    hosts = ", ".join(node.spec.host for node in nodes) or "it has none"
    raise UserError("NoSuchNode", f"there is no node {name!r}; nodes: {hosts}")


def _roles(nodes: Sequence[Node]) -> str:
    names = sorted({node.spec.role for node in nodes}, key=natural)
    return f"roles: {', '.join(names)}" if names else "there are no nodes at all"
