"""Names: hosts, nodes, machines, and digests of what matters."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

_DIGITS = re.compile(r"(\d+)")
DEPLOYMENT_NAME_LIMIT = 40


def host_names(role: str, count: int) -> tuple[str, ...]:
    """The host names of a role that is asked for by count.

    One node is called by its role, as the paper's `https://server:6443` expects (Listing 1); several are
    numbered from 1 (`agent1` … `agentN`). A count of 0 leaves the role out.
    """
    return (role,) if count == 1 else tuple(f"{role}{i}" for i in range(1, count + 1))


def host_aliases(role: str, count: int) -> tuple[str, ...]:
    """Other names under which a node is known: `server1` for the only `server` (the paper's Listing 2)."""
    return (f"{role}1",) if count == 1 else ()


def node_name(deployment: str, host: str) -> str:
    """The name of the DeployedNode of a host."""
    return f"{deployment}.{host}"


def secret_name(deployment: str) -> str:
    """The Secret (`kubernetes.io/ssh-auth`) with the key pair that logs in to a Deployment's nodes."""
    return f"{deployment}-ssh"


def natural(name: str) -> tuple[tuple[int, str, int], ...]:
    """A sort key that puts `node-2` before `node-10`. Total: distinct names have distinct keys."""
    parts = _DIGITS.split(name)
    key = tuple((1, "", int(part)) if index % 2 else (0, part, 0) for index, part in enumerate(parts))
    return (*key, (0, name, 0))


def digest(value: Any) -> str:
    """`sha256:…` of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
