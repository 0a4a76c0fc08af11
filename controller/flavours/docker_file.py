"""The Compose file of a deployment: rendered from typed fields, the same bytes for the same fields. Pure.

It can be used by hand (`docker compose -f compose.yaml ps`). Compose interpolates `$` in every value, so each is
doubled: what a composition wrote is a word, never a variable of whoever runs compose.
https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from controller.flavours.docker_wishes import Port, Source, Volume
from controller.model.manifest import Privileges
from controller.testbeds.engine import BRIDGE_NAME

BASE_IMAGE = "nxc-empty:1"
"""An image with nothing in it: a role's programs are all in its store paths."""
NETWORK, EDGE = "nodes", "edge"
"""The network of the nodes, which leads nowhere else; and the one through which ports are published."""
DOOR = "/run/nxc-door"
"""Where a container finds the directory with the socket that it reports to."""
PIDS = 8192
LABEL = "nxc.dev/"
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's where PyYAML has it: ten times as fast."""
_HEAD = """\
# Written by nxc-controller, which writes it anew: read it, use it, but change the Deployment instead.
#   docker compose -f compose.yaml ps | logs HOST | exec HOST sh
"""


@dataclass(frozen=True, slots=True)
class Service:
    """One container. `store` maps logical store paths to real ones; `folders` is where `./x` volumes are."""

    host: str
    aliases: tuple[str, ...]
    init: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    address: str
    store: Mapping[str, str]
    door: str
    folders: Path
    volumes: tuple[Volume, ...] = ()
    ports: tuple[Port, ...] = ()
    memory: int = 0
    cpus: int = 0
    privileges: Privileges = field(default_factory=Privileges)

    def to_dict(self) -> dict[str, Any]:
        """As a Compose file has it, but for the doubled `$`."""
        return {
            "image": BASE_IMAGE,
            "pull_policy": "never",
            "entrypoint": [self.init],
            "environment": {"container": "docker", **self.environment},
            "labels": dict(self.labels),
            "restart": "no",
            "tty": True,
            "stop_grace_period": "10s",
            "tmpfs": ["/run:mode=0755", "/tmp:mode=1777,exec"],  # noqa: S108 - in the container
            "pids_limit": PIDS,
            "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2"}},
            "volumes": [
                *(_bind(real, logical, read_only=True) for logical, real in sorted(self.store.items())),
                _bind(self.door, DOOR, read_only=True),
                *(self._mount(volume) for volume in self.volumes),
            ],
            "hostname": self.host,
            "networks": self._networks(),
            **({"mem_limit": self.memory, "memswap_limit": self.memory} if self.memory else {}),
            **({"cpus": self.cpus} if self.cpus else {}),
            **({"ports": [_port(port) for port in self.ports]} if self.ports else {}),
            **self._privileges(),
        }

    def _networks(self) -> dict[str, Any]:
        names = list(dict.fromkeys((self.host, *self.aliases)))
        joined: dict[str, Any] = {NETWORK: {"aliases": names, "ipv4_address": self.address}}
        return joined | ({EDGE: {}} if self.ports else {})

    def _mount(self, volume: Volume) -> dict[str, Any]:
        if volume.source is Source.VOLUME:
            mount = {"type": "volume", "source": volume.name, "target": volume.target}
            return mount | ({"read_only": True} if volume.read_only else {})
        place = volume.name if volume.source is Source.HOST else str(self.folders / volume.name)
        return _bind(place, volume.target, read_only=volume.read_only)

    def _privileges(self) -> dict[str, Any]:
        wanted = self.privileges
        return {
            **({"privileged": True} if wanted.privileged else {}),
            **({"cap_add": list(wanted.capabilities)} if wanted.capabilities else {}),
            **({"pid": "host"} if "pid" in wanted.host_namespaces else {}),
            **({"ipc": "host"} if "ipc" in wanted.host_namespaces else {}),
        }


@dataclass(frozen=True, slots=True)
class Project:
    """What the containers of one deployment share. `labels` go on networks and volumes."""

    name: str
    subnet: str
    labels: Mapping[str, str]

    @property
    def network(self) -> str:
        """The network's name at the engine."""
        return self.name

    @property
    def bridges(self) -> dict[str, str]:
        """The host's interface of each network: 15 bytes at most, and known before there is one."""
        mark = hashlib.sha256(self.name.encode()).hexdigest()[:11]
        return {network: f"nxc{network[0]}{mark}" for network in (NETWORK, EDGE)}

    def render(self, services: Mapping[str, Mapping[str, Any]]) -> str:
        """The whole file. `services`: what `Service.to_dict` gave, by host."""
        volumes = sorted(
            {
                mount["source"]
                for service in services.values()
                for mount in service["volumes"]
                if mount["type"] == "volume"
            }
        )
        edge = any(EDGE in service.get("networks", {}) for service in services.values())
        networks: dict[str, Any] = {
            NETWORK: {
                "name": self.network,
                "internal": True,
                "driver_opts": {BRIDGE_NAME: self.bridges[NETWORK]},
                "ipam": {"config": [{"subnet": self.subnet}]},
                "labels": dict(self.labels),
            }
        }
        if edge:
            networks[EDGE] = {
                "name": f"{self.name}-edge",
                "driver_opts": {BRIDGE_NAME: self.bridges[EDGE]},
                "labels": dict(self.labels),
            }
        document = {
            "name": self.name,
            "services": {host: dict(service) for host, service in sorted(services.items())},
            "networks": networks,
            "volumes": {
                name: {"name": f"{self.name}_{name}", "labels": dict(self.labels)} for name in volumes
            },
        }
        return _HEAD + str(yaml.dump(_escaped(document), Dumper=_DUMPER, sort_keys=False, width=10_000))


def _bind(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": source,
        "target": target,
        **({"read_only": True} if read_only else {}),
        "bind": {"create_host_path": False},
    }


def _port(port: Port) -> dict[str, Any]:
    return {
        "target": port.container,
        **({"published": str(port.host)} if port.host is not None else {}),
        "host_ip": port.address,
        "protocol": port.protocol,
        "mode": "host",
    }


def _escaped(value: Any) -> Any:
    """Every value with `$` doubled. Keys are ours, and Compose leaves them alone."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_escaped(item) for item in value]
    return value
