"""The manifest of an image: what one build for one flavour made, and how each role of it boots.

A build writes it, and compositions are hostile: an overlay can make a build write anything. So it is read
against a schema, field by field; every path in it must lie in a store path of the closure that Nix itself
reports for the build; and nothing here is ever executed on the host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from controller.model.errors import UserError

VERSION = 1
SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes of a manifest; that of a NixOS with 20,000 store paths has two million."""

LIMITATIONS_LIMIT, LIMITATION_LIMIT = 64, 512
"""Limitations that the schema of a Composition's status accepts, and the characters of one."""

_STORE_PATH = re.compile(r"/nix/store/[0-9abcdfghijklmnpqrsvwxyz]{32}-[A-Za-z0-9+._?=-]{1,211}")
_FILE = re.compile(r"(?P<store>/nix/store/[^/]+)(?:/[A-Za-z0-9@+._=:~-]+)*")
_ROLE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PARAMETER = re.compile(r"[ -~]{1,1024}")
_CAPABILITY = re.compile(r"[A-Z][A-Z_]{1,40}")
_NAMESPACE = re.compile(r"ipc|pid")
_OURS = "nxc."
"""Kernel parameters of this prefix carry deployment information: an image may not bring any."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports that a role's firewall leaves open; by default it is ready when those of TCP accept."""

    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Privileges:
    """What a role wants of its host beyond what containers have (`nxc.container.*` of a composition).

    `capabilities` as in capabilities(7), without `CAP_`; `host_namespaces` of `ipc` and `pid`.
    """

    privileged: bool = False
    capabilities: tuple[str, ...] = ()
    host_namespaces: tuple[str, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """Each wish, as its composition has it; empty for an ordinary container."""
        return (
            *(("privileged",) if self.privileged else ()),
            *(f"capability {name}" for name in self.capabilities),
            *(f"the host's {name} namespace" for name in self.host_namespaces),
        )


@dataclass(frozen=True, slots=True)
class RoleSystem:
    """The system of one role. `kernel`, `kernel_version` and `initrd` stand where it has its own.

    `closure`: what its toplevel needs at run time, where the build tells it; `privileges` matter to containers.
    """

    toplevel: str
    init: str
    readiness: tuple[str, ...] = ()
    ports: Ports = Ports()
    kernel: str = ""
    kernel_version: str = ""
    initrd: tuple[str, ...] = ()
    closure: tuple[str, ...] = ()
    privileges: Privileges = Privileges()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one image is made of. Paths are logical (`/nix/store/…`), whatever store they lie in.

    `initrd` lists archives that the boot loader concatenates in this order; `images` are other files, by
    name; `sizes` is in bytes, by file; `roles_distribution` is a count or host names, by role.
    """

    flavour: str
    system: str
    roles: Mapping[str, RoleSystem]
    closure: frozenset[str]
    package_source: str = ""
    composition: str = ""
    kernel: str = ""
    kernel_version: str = ""
    initrd: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    kernel_parameters: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    test_script: str = ""
    roles_distribution: Mapping[str, int | tuple[str, ...]] = field(default_factory=dict)
    docker_ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extra_volumes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limitations: tuple[str, ...] = ()
    """What the composition says and this flavour cannot honour, a sentence each."""

    def system_of(self, role: str) -> RoleSystem:
        """What a role runs. Raises `UserError` where the image has no such role."""
        found = self.roles.get(role)
        if found is None:
            raise UserError("UnknownRole", f"the image has no role {role!r} (it has {', '.join(self.roles)})")
        return found

    def files(self) -> tuple[str, ...]:
        """Every file that a backend opens, each once: their real places must be looked at before use."""
        return tuple(dict.fromkeys(self._files()))

    def _files(self) -> Iterator[str]:
        if self.kernel:
            yield self.kernel
        yield from self.initrd
        yield from self.images.values()
        for role in self.roles.values():
            if role.kernel:
                yield role.kernel
            yield from role.initrd

    @property
    def size(self) -> int:
        """Bytes of the files that a backend opens, as far as the manifest tells."""
        return sum(self.sizes.get(file, 0) for file in self.files())

    @classmethod
    def parse(cls, text: bytes, closure: Container[str]) -> Manifest:
        """Read `manifest.json`. `closure`: what Nix reports for the build's output.

        Raises `UserError` with reason `ForgedManifest`, naming the field.
        """
        if len(text) > SIZE_LIMIT:
            _forged("manifest", f"has {len(text)} bytes, more than {SIZE_LIMIT}")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            _forged("manifest", f"is no JSON: {error}")
        return _Reader(closure).manifest(document)


def _forged(field: str, what: str) -> NoReturn:
    raise UserError("ForgedManifest", f"the manifest of the build is not usable: {field} {what}")


class _Reader:
    """Reads values of unknown make; `field` says where, for the message."""

    def __init__(self, closure: Container[str]) -> None:
        self._closure = closure

    def manifest(self, document: Any) -> Manifest:
        top = self._mapping("manifest", document)
        known = {
            "version", "flavour", "system", "packageSource", "composition", "roles", "kernel", "kernelVersion",
            "initrd", "images", "kernelParameters", "closure", "sizes", "testScript", "rolesDistribution",
            "dockerPorts", "extraVolumes", "closures",
            "limitations",
        }  # fmt: skip
        self._only("manifest", top, known)
        if top.get("version") != VERSION or isinstance(top["version"], bool):
            _forged("version", f"is {top.get('version')!r}, not {VERSION}")
        closures = self._mapping("closures", top.get("closures", {}))
        roles = {
            self._match("roles", _ROLE, name): self._role(f"roles.{name}", value, closures.get(name, []))
            for name, value in self._mapping("roles", top.get("roles")).items()
        }
        if not roles:
            _forged("roles", "is empty")
        for name in closures:
            self._known_role("closures", name, roles)
        return Manifest(
            flavour=self._match("flavour", _ROLE, top.get("flavour")),
            system=self._match("system", _NAME, top.get("system")),
            roles=roles,
            closure=frozenset(
                self._store_path("closure", path) for path in self._list("closure", top.get("closure", []))
            ),
            package_source=self._text("packageSource", top.get("packageSource", "")),
            composition=self._text("composition", top.get("composition", "")),
            kernel=self._file("kernel", top["kernel"]) if "kernel" in top else "",
            kernel_version=self._text("kernelVersion", top.get("kernelVersion", "")),
            initrd=self._file_list("initrd", top.get("initrd", [])),
            images={
                self._match("images", _NAME, name): self._file(f"images.{name}", path)
                for name, path in self._mapping("images", top.get("images", {})).items()
            },
            kernel_parameters=tuple(
                self._parameter(f"kernelParameters[{index}]", value)
                for index, value in enumerate(self._list("kernelParameters", top.get("kernelParameters", [])))
            ),
            sizes={
                self._file("sizes", path): self._number(f"sizes.{path}", size, 0, 1 << 50)
                for path, size in self._mapping("sizes", top.get("sizes", {})).items()
            },
            test_script=self._text("testScript", top.get("testScript", ""), 1 << 20),
            roles_distribution={
                self._known_role("rolesDistribution", name, roles): self._share(
                    f"rolesDistribution.{name}", share
                )
                for name, share in self._mapping(
                    "rolesDistribution", top.get("rolesDistribution", {})
                ).items()
            },
            docker_ports=self._by_role("dockerPorts", top.get("dockerPorts", {}), roles),
            extra_volumes=self._by_role("extraVolumes", top.get("extraVolumes", {}), roles),
            limitations=tuple(
                self._text(f"limitations[{index}]", text, LIMITATION_LIMIT)
                for index, text in enumerate(
                    self._list("limitations", top.get("limitations", []), LIMITATIONS_LIMIT)
                )
            ),
        )

    def _role(self, field: str, value: Any, closure: Any) -> RoleSystem:
        role = self._mapping(field, value)
        known = {
            "toplevel", "init", "readiness", "openPorts", "kernel", "kernelVersion", "initrd", "container",
        }  # fmt: skip
        self._only(field, role, known)
        ports = self._mapping(f"{field}.openPorts", role.get("openPorts", {}))
        self._only(f"{field}.openPorts", ports, {"tcp", "udp"})
        return RoleSystem(
            toplevel=self._file(f"{field}.toplevel", role.get("toplevel")),
            init=self._file(f"{field}.init", role.get("init")),
            readiness=self._texts(f"{field}.readiness", role.get("readiness", [])),
            ports=Ports(
                self._ports(f"{field}.openPorts.tcp", ports.get("tcp", [])),
                self._ports(f"{field}.openPorts.udp", ports.get("udp", [])),
            ),
            kernel=self._file(f"{field}.kernel", role["kernel"]) if "kernel" in role else "",
            kernel_version=self._text(f"{field}.kernelVersion", role.get("kernelVersion", "")),
            initrd=self._file_list(f"{field}.initrd", role.get("initrd", [])),
            closure=tuple(
                dict.fromkeys(
                    self._store_path(f"{field}: closure", path)
                    for path in self._list(f"{field}: closure", closure)
                )
            ),
            privileges=self._privileges(f"{field}.container", role.get("container", {})),
        )

    def _privileges(self, field: str, value: Any) -> Privileges:
        wishes = self._mapping(field, value)
        self._only(field, wishes, {"privileged", "capabilities", "hostNamespaces"})
        privileged = wishes.get("privileged", False)
        if not isinstance(privileged, bool):
            _forged(f"{field}.privileged", f"is {_short(privileged)}, not true or false")
        return Privileges(
            privileged,
            self._words(f"{field}.capabilities", _CAPABILITY, wishes.get("capabilities", [])),
            self._words(f"{field}.hostNamespaces", _NAMESPACE, wishes.get("hostNamespaces", [])),
        )

    def _words(self, field: str, pattern: re.Pattern[str], value: Any) -> tuple[str, ...]:
        words = self._list(field, value, 64)
        return tuple(sorted({self._match(f"{field}[{at}]", pattern, word) for at, word in enumerate(words)}))

    def _by_role(self, field: str, value: Any, roles: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        return {
            self._known_role(field, name, roles): self._texts(f"{field}.{name}", texts)
            for name, texts in self._mapping(field, value).items()
        }

    def _share(self, field: str, value: Any) -> int | tuple[str, ...]:
        if isinstance(value, list):
            hosts = tuple(self._match(f"{field}[{index}]", _ROLE, host) for index, host in enumerate(value))
            if len(set(hosts)) < len(hosts):
                _forged(field, "names a host twice")
            return hosts
        return self._number(field, value, 0, 100_000)

    def _known_role(self, field: str, name: str, roles: Mapping[str, Any]) -> str:
        if name not in roles:
            _forged(field, f"names {name!r}, which is none of the roles {', '.join(sorted(roles))}")
        return name

    def _ports(self, field: str, value: Any) -> tuple[int, ...]:
        return tuple(
            self._number(f"{field}[{index}]", port, 1, 65535)
            for index, port in enumerate(self._list(field, value, 4096))
        )

    def _parameter(self, field: str, value: Any) -> str:
        parameter = self._match(field, _PARAMETER, value)
        if parameter.lstrip().startswith(_OURS) or f" {_OURS}" in parameter:
            _forged(field, f"is {parameter!r}: parameters {_OURS}* belong to the controller")
        return parameter

    def _file_list(self, field: str, value: Any) -> tuple[str, ...]:
        return tuple(
            self._file(f"{field}[{index}]", path) for index, path in enumerate(self._list(field, value))
        )

    def _file(self, field: str, value: Any) -> str:
        path = self._match(field, _FILE, value)
        if any(part in (".", "..") for part in path.split("/")):
            _forged(field, f"is {path!r}, which is no plain path")
        store = "/".join(path.split("/")[:4])
        self._store_path(field, store)
        return path

    def _store_path(self, field: str, value: Any) -> str:
        path = self._match(field, _STORE_PATH, value)
        if path not in self._closure:
            _forged(field, f"names {path}, which does not belong to the build")
        return path

    def _match(self, field: str, pattern: re.Pattern[str], value: Any) -> str:
        text = self._text(field, value)
        if pattern.fullmatch(text) is None:
            _forged(field, f"is {_short(text)}")
        return text

    def _texts(self, field: str, value: Any) -> tuple[str, ...]:
        return tuple(
            self._text(f"{field}[{index}]", text) for index, text in enumerate(self._list(field, value, 1024))
        )

    def _text(self, field: str, value: Any, limit: int = 4096) -> str:
        if not isinstance(value, str):
            _forged(field, "is missing" if value is None else f"is {_short(value)}, not a string")
        if len(value) > limit or "\0" in value:
            _forged(field, f"is longer than {limit} characters or holds a NUL")
        return value

    def _number(self, field: str, value: Any, least: int, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            _forged(field, f"is {_short(value)}, not a whole number from {least} to {most}")
        return value

    def _list(self, field: str, value: Any, limit: int = 200_000) -> list[Any]:
        if not isinstance(value, list):
            _forged(field, f"is {_short(value)}, not a list")
        if len(value) > limit:
            _forged(field, f"has {len(value)} items, more than {limit}")
        return value

    def _mapping(self, field: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            _forged(field, "is missing" if value is None else f"is {_short(value)}, not an object")
        return value

    def _only(self, field: str, value: Mapping[str, Any], known: set[str]) -> None:
        if strange := sorted(value.keys() - known):
            _forged(field, f"has the unknown field {_short(strange[0])}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
