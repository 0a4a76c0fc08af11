"""The nodes of a deployment as other tools want them. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from controller.driver.target import Target

FORMATS = ("ansible", "enoslib")


def ansible(targets: Sequence[Target], *, user: str, config_file: Path) -> str:
    """An inventory in YAML with a group a role; ssh finds everything else in the configuration file.

    Source: Ansible's documentation, "How to build your inventory".
    """
    groups: dict[str, Any] = {}
    for target in targets:
        variables = {
            "ansible_host": f"{target.host}.{target.deployment}",
            "ansible_user": user,
            "ansible_ssh_common_args": f"-F '{config_file}'",
            "nxc_role": target.role,
        }
        groups.setdefault(_group(target.role), {"hosts": {}})["hosts"][target.host] = variables
    text: str = yaml.safe_dump({"all": {"children": groups}}, sort_keys=False, width=10_000)
    return text


def enoslib(targets: Sequence[Target], *, user: str, identity: Path, config_file: Path) -> str:
    """EnOSlib's roles as JSON: by role, the fields of its `Host` (address, alias, user, keyfile, port, extra)."""
    roles: dict[str, list[dict[str, Any]]] = {}
    for target in targets:
        roles.setdefault(target.role, []).append(
            {
                "address": target.address,
                "alias": target.host,
                "user": user,
                "keyfile": str(identity),
                "port": target.port,
                "extra": {
                    "ansible_ssh_common_args": f"-F '{config_file}'",
                    "ansible_host": f"{target.host}.{target.deployment}",
                },
            }
        )
    return json.dumps(roles, indent=2) + "\n"


def _group(role: str) -> str:
    """Ansible's groups are named like variables of Python."""
    return role.replace("-", "_")
