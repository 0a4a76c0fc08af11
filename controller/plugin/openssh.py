"""OpenSSH's files and command lines for nodes: ssh_config(5), known_hosts in sshd(8). Pure.

Nobody is asked anything, and nobody is trusted on first use: the host key is the one that the node reported
to the controller, under a name of the node's own, for addresses and ports are used again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from controller.driver.target import Target, checked_via
from controller.model.errors import UserError

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")


def known_hosts(targets: Iterable[Target]) -> str:
    """One line a node."""
    return "".join(f"{target.alias} {target.host_key}\n" for target in targets)


def config(targets: Sequence[Target], *, user: str, identity: Path, hosts_file: Path, via: str = "") -> str:
    """A configuration that knows each node by its host name, its other names, and HOST.DEPLOYMENT."""
    sections = []
    for target in targets:
        names = dict.fromkeys((target.host, *target.aliases, f"{target.host}.{target.deployment}"))
        sections.append(
            [
                f"Host {' '.join(names)}",
                f"    HostName {target.address}",
                f"    Port {target.port}",
                f"    HostKeyAlias {target.alias}",
                f"    User {user}",
                f"    IdentityFile {_quoted(identity)}",
                "    IdentitiesOnly yes",
                "    IdentityAgent none",
                f"    UserKnownHostsFile {_quoted(hosts_file)}",
                "    GlobalKnownHostsFile /dev/null",
                "    StrictHostKeyChecking yes",
                "    UpdateHostKeys no",
                "    PreferredAuthentications publickey",
                "    ForwardAgent no",
                "    ServerAliveInterval 15",
                *([f"    ProxyCommand ssh -W [%h]:%p -- {checked_via(via)}"] if via else []),
            ]
        )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def command(config_file: Path, host: str, arguments: Sequence[str] = ()) -> list[str]:
    """ssh to a host of a configuration, and of nothing else that the user or the system configured."""
    return ["ssh", "-F", str(config_file), host, *arguments]


def checked_user(user: str) -> str:
    """A user to log in as. Raises `UserError`."""
    if _USER.fullmatch(user) is None:
        raise UserError("BadUser", f"--user: {user!r} is not the name of a user")
    return user


def _quoted(path: Path) -> str:
    """A path in ssh_config: % begins a token there, and quotes cannot be escaped in OpenSSH's older versions."""
    if '"' in str(path):
        raise UserError("BadPath", f"ssh cannot use the path {path}: it has a quotation mark")
    return f'"{str(path).replace("%", "%%")}"'
