"""What a role wants of its host: volumes, published ports, privileges; and whether its Testbed grants that. Pure.

`extraVolumes` and `dockerPorts` are nixos-compose's, in Docker's short forms. They come from a composition, so
nothing of them reaches the engine that is not taken apart here first.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.model.errors import UserError
from controller.model.manifest import Privileges
from controller.model.testbed import Testbed

LOOPBACK = "127.0.0.1"
PORTS = 256
"""How many ports one role may publish."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_PATH = re.compile(r"(/[A-Za-z0-9@+,._=-]+)+")
_PORT = re.compile(r"(?P<first>[0-9]{1,5})(-(?P<last>[0-9]{1,5}))?")
_OURS = ("/nix", "/proc", "/sys", "/dev", "/run", "/etc", "/bin", "/usr/bin", "/tmp")  # noqa: S108
"""Where nothing may be mounted: what PID 1 makes there decides what the node is (`/tmp/x` is fine, `/tmp` is not)."""
_BELOW_TOO = ("/nix", "/proc", "/sys", "/dev", "/run/nxc-door")


class Source(StrEnum):
    """What is mounted: a volume of the deployment's own, a folder beside its Compose file, a folder of the host."""

    VOLUME = "volume"
    FOLDER = "folder"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Volume:
    """One of `extraVolumes`. `name`: of the volume or folder, or the host's path."""

    source: Source
    name: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """A published port. `host` is None where the engine may choose."""

    address: str
    host: int | None
    container: int
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Grants:
    """What a Testbed lets roles have: `spec.trusted`, `spec.allowedHostPaths`, `spec.publishAddresses`."""

    trusted: bool = False
    host_paths: frozenset[str] = frozenset()
    addresses: tuple[str, ...] = ()

    @classmethod
    def of(cls, testbed: Testbed) -> Grants:
        """Those of one Testbed."""
        return cls(testbed.trusted, frozenset(testbed.host_paths), testbed.publish_addresses)


def volume(role: str, text: str, grants: Grants) -> Volume:
    """Read one `SOURCE:TARGET[:ro|rw]`. Raises `UserError` with reason `VolumeRefused`."""

    def refuse(why: str) -> UserError:
        return UserError("VolumeRefused", f"extraVolumes of role {role!r}: {text!r}: {why}")

    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise refuse("say SOURCE:TARGET, or SOURCE:TARGET:ro")
    source, target, mode = (*parts, "rw")[:3]
    if mode not in ("ro", "rw"):
        raise refuse(f"the only options are ro and rw, not {mode!r}")
    if _PATH.fullmatch(target) is None or posixpath.normpath(target) != target:
        raise refuse("the target must be a plain absolute path of the container")
    if target in _OURS or any(f"{target}/".startswith(f"{place}/") for place in _BELOW_TOO):
        raise refuse(f"{target} belongs to the system of the node")
    if source.startswith("/"):
        if source not in grants.host_paths:
            raise refuse(
                f"{source} is a path of the host, and the testbed's spec.allowedHostPaths does not list it; "
                "name a volume (data:/srv) or a folder (./data:/srv) instead"
            )
        return Volume(Source.HOST, source, target, mode == "ro")
    kind = Source.FOLDER if source.startswith("./") else Source.VOLUME
    name = source.removeprefix("./")
    if _NAME.fullmatch(name) is None:
        raise refuse("the source must be a volume (data), a folder (./data) or an absolute path")
    return Volume(kind, name, target, mode == "ro")


def ports(role: str, texts: Sequence[str], grants: Grants) -> tuple[Port, ...]:
    """Read `[ADDRESS:][HOST:]CONTAINER[/PROTOCOL]`, ranges as well. Raises `UserError`: `PortRefused`."""
    found = tuple(port for text in texts for port in _ports(role, text, grants))
    if len(found) > PORTS:
        raise UserError("PortRefused", f"dockerPorts of role {role!r}: {len(found)} ports, more than {PORTS}")
    return found


def _ports(role: str, text: str, grants: Grants) -> list[Port]:
    def refuse(why: str) -> UserError:
        return UserError("PortRefused", f"dockerPorts of role {role!r}: {text!r}: {why}")

    rest, slash, protocol = text.partition("/")
    if slash and protocol not in ("tcp", "udp"):
        raise refuse(f"the protocol must be tcp or udp, not {protocol!r}")
    address, _, numbers = rest.rpartition(":") if rest.count(":") > 1 else ("", "", rest)
    if address:  # ADDRESS:HOST:CONTAINER; an address of IPv6 in brackets
        address, _, host = address.rpartition(":")
        numbers = f"{host}:{numbers}"
    host, colon, container = numbers.rpartition(":")
    inside = _range(container)
    outside = _range(host) if colon and host else None
    if inside is None or (colon and host and outside is None):
        raise refuse("say [ADDRESS:][HOST:]CONTAINER with ports from 1 to 65535")
    if outside is not None and len(outside) != len(inside):
        raise refuse("the two ranges have not the same length")
    bound = _bound(address.strip("[]"), grants)
    if bound is None:
        raise refuse(
            f"the testbed's spec.publishAddresses does not list {address}; without an address it is {LOOPBACK}"
        )
    return [
        Port(bound, outside[at] if outside is not None else None, number, protocol or "tcp")
        for at, number in enumerate(inside)
    ]


def _bound(address: str, grants: Grants) -> str | None:
    """The address to bind; `None` where the testbed does not allow it. Unasked, as the testbed says first."""
    if not address:
        return grants.addresses[0] if grants.addresses else LOOPBACK
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return None
    return str(given) if given.is_loopback or str(given) in grants.addresses else None


def _range(text: str) -> range | None:
    match = _PORT.fullmatch(text)
    if match is None:
        return None
    first = int(match["first"])
    last = int(match["last"] or first)
    return range(first, last + 1) if 1 <= first <= last <= 65535 and last - first < PORTS else None


def granted(role: str, privileges: Privileges, grants: Grants) -> None:
    """Raise `UserError` with reason `PrivilegeRefused` where a role wants what its Testbed does not grant."""
    if privileges.wanted and not grants.trusted:
        raise UserError(
            "PrivilegeRefused",
            f"nxc.container of role {role!r} wants {', '.join(privileges.wanted)}, which only a testbed "
            "with spec.trusted: true grants",
        )
