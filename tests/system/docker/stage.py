"""A namespace on a control plane, and the containers of an engine behind it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from controller.flavours.docker_file import Project
from controller.kube.client import Client
from controller.model.kinds import COMPOSITION, DEPLOYMENT, TESTBED, Kind
from controller.testbeds.wall import IPV6
from tests.loop.stage import Object, apply
from tests.system.docker.engine import PrivateEngine
from tests.system.vm.stage import VmStage

SECONDS = 90.0
"""The limit of waits for a container, on a busy host."""


def testbed(endpoint: str, **spec: Any) -> tuple[Kind, Object]:
    """The Testbed `docker`, with more in its spec."""
    base = {
        "kind": "docker",
        "host": os.uname().nodename,
        "endpoint": endpoint,
        "allowedNamespaces": {"from": "All"},
        "default": True,
    }
    return TESTBED, {"metadata": {"name": "docker"}, "spec": base | spec}


class DockerStage(VmStage):
    """Objects in a namespace, and what the engine has of them."""

    def __init__(
        self, client: Client, namespace: str, state: Path, runtime: Path, engine: PrivateEngine
    ) -> None:
        super().__init__(client, namespace, state, runtime)
        self.testbed, self.engine = "docker", engine

    async def plain(
        self, name: str = "web", *, image: str = "plain", clients: int = 0, **spec: Any
    ) -> Object:
        """A deployment of a ready-made image: a server, and so many clients."""
        await self.composition_of(image)
        base = {
            "compositionRef": {"name": image},
            "flavour": "docker",
            "roles": [{"name": "server"}, {"name": "client", "count": clients}],
        }
        return await self.create(DEPLOYMENT, name, base | spec)

    async def composition_of(self, image: str, text: str = "{ }") -> None:
        """The Composition of a ready-made image."""
        spec = {"source": {"inline": f"# image: {image}\n{text}"}}
        await apply(self.client, COMPOSITION, self._body(COMPOSITION, image, spec, {}))

    async def up(self, nodes: int = 1, name: str = "web") -> Object:
        """Until a deployment is Ready."""
        return await self.ready(name, nodes=nodes, seconds=SECONDS)

    async def allow(self, **spec: Any) -> None:
        """Change what the Testbed grants."""
        await apply(self.client, *testbed(self.engine.endpoint, **spec))

    async def edit_capacity(self, nodes: int) -> None:
        """Let so many nodes in at a time."""
        await self.allow(capacity={"nodes": nodes})

    def container(self, host: str = "server") -> str:
        """The id of the one container of a host here."""
        (found,) = self.engine.docker(
            *("ps", "--all", "--quiet", "--no-trunc"),
            *("--filter", f"label=nxc.dev/owner={self.namespace}/web.{host}"),
        ).stdout.split()
        return found

    def file(self) -> Path:
        """The one Compose file."""
        (found,) = (self.state / "deployments").glob("*/compose.yaml")
        return found

    def left(self) -> list[str]:
        """Containers, networks and volumes of ours that the engine has."""
        label = ("--filter", "label=nxc.dev/installation", "--format", "{{json .}}")
        said = [self.engine.docker(kind, "ls", *more, *label).stdout for kind, more in _KINDS]
        return [line for text in said for line in text.splitlines()]

    def rules(self) -> list[str]:
        """Rules of the host's firewall for deployments of this namespace."""
        bridges = [name for uid in self._made for name in Project(f"nxc-{uid}", "", {}).bridges.values()]
        said = [
            subprocess.run([program, "-w", "-S", "INPUT"], capture_output=True, text=True, check=True).stdout
            for program in ("iptables", *(["ip6tables"] if IPV6.exists() else []))
        ]
        return [line for text in said for line in text.splitlines() if any(b in line for b in bridges)]

    def networks(self) -> set[str]:
        made = self.state / "deployments"
        return {path.name for path in made.iterdir()} & self._made if made.is_dir() else set()

    async def end(self) -> None:
        """Delete everything; nothing may be left, here or at the engine."""
        await super().end()
        if self.engine.running:
            assert not self.left(), f"left at the engine: {self.left()}"
        assert not (left := self.rules()), f"left of the firewall: {left}"


_KINDS = (("container", ("--all",)), ("network", ()), ("volume", ()))
