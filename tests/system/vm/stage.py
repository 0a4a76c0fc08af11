"""A namespace on a control plane, and the real machines behind it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from controller.boot.ssh import Session
from controller.kube.client import Client
from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, SECRET
from controller.testbeds.process import adopt
from tests.loop.stage import Object, Stage, apply, condition

BOOT_SECONDS = 120.0
"""The limit of waits for a machine: emulated, on a busy host."""


class VmStage(Stage):
    """Objects in a namespace, and what the backend made of them in its state and runtime directories."""

    def __init__(self, client: Client, namespace: str, state: Path, runtime: Path) -> None:
        self.client, self.namespace, self.testbed = client, namespace, "local"
        self.state, self.runtime = state, runtime
        self._made: set[str] = set()

    async def tiny(
        self,
        name: str = "web",
        *,
        mode: str = "",
        image: str = "tiny",
        parameters: tuple[str, ...] = (),
        **spec: Any,
    ) -> Object:
        """A deployment of a ready-made image, by default of one server; `mode`: how it misbehaves."""
        body = self._body(COMPOSITION, image, {"source": {"inline": f"# image: {image}\n{{ }}"}}, {})
        await apply(self.client, COMPOSITION, body)
        base = {
            "compositionRef": {"name": image},
            "flavour": "vm-ramdisk",
            "roles": [{"name": "server"}, {"name": "client", "count": 0}],
            "kernelParameters": [*([f"test.mode={mode}"] if mode else []), *parameters],
        }
        return await self.create(DEPLOYMENT, name, base | spec)

    async def node(self, name: str = "web.server") -> Object:
        """A DeployedNode that must be there."""
        found = await self.get(NODE, name)
        assert found is not None, f"there is no {name}"
        return found

    async def node_condition(
        self,
        type: str,
        status: str = "True",
        name: str = "web.server",
        *,
        reason: str = "",
        seconds: float = BOOT_SECONDS,
    ) -> dict[str, Any]:
        """Until a condition of a node holds; the condition."""
        obj = await self.condition(NODE, name, type, status, reason=reason, seconds=seconds)
        found = condition(obj, type)
        assert found is not None
        return found

    def records(self) -> list[dict[str, Any]]:
        """What is on record of machines of this namespace."""
        files = (self.state / "machines").glob("*/record.json")
        found = [json.loads(file.read_bytes()) for file in files]
        return [record for record in found if record["owner"][0] == self.namespace]

    def record(self, host: str = "server") -> dict[str, Any]:
        """Of the one machine of a host."""
        (found,) = [record for record in self.records() if record["host"] == host]
        return found

    def home(self, host: str = "server") -> Path:
        """Where its record and lock are."""
        _, node, attempt = self.record(host)["key"]
        return self.state / "machines" / f"{node}-{attempt}"

    async def pid(self, host: str = "server") -> int:
        """Of its QEMU."""
        process = await adopt(self.home(host) / "lock")
        assert process is not None, f"no process for {host}"
        process.forget()
        return process.pid

    async def switch_pid(self, deployment: str = "web") -> int:
        """Of the switch of a deployment."""
        obj = await self.get(DEPLOYMENT, deployment)
        assert obj is not None
        process = await adopt(self.state / "networks" / obj["metadata"]["uid"] / "lock")
        assert process is not None, f"no switch for {deployment}"
        process.forget()
        return process.pid

    async def ssh(
        self,
        command: str,
        host: str = "server",
        deployment: str = "web",
        *,
        record: dict[str, Any] | None = None,
    ) -> str:
        """Run a command on a node with the key in the deployment's Secret; what it printed.

        `record`: which machine, where several deployments have a node of that host.
        """
        secret = await self.ssh_secret(deployment)
        assert secret is not None
        _, node, number = (record or self.record(host))["key"]
        attempt = json.loads((self.state / "attempts" / f"{node}-{number}.json").read_bytes())
        address, _, port = (await self.node(f"{deployment}.{host}"))["status"]["address"].rpartition(":")
        session = await Session.open(
            address,
            int(port),
            host_key=attempt["report"]["hostKey"],
            client_key=base64.b64decode(secret["data"]["ssh-privatekey"]).decode(),
        )
        try:
            return (await session.run(command, seconds=60.0)).output
        finally:
            await session.aclose()

    async def ssh_secret(self, deployment: str = "web") -> Object | None:
        """The Secret with its key pair."""
        return await self.get(SECRET, f"{deployment}-ssh")

    async def difference(self) -> list[str]:
        return [f"machine {record['host']}: {record['stage']} {record['ended']}" for record in self.records()]

    def machines(self) -> list[Any]:
        return []

    def networks(self) -> set[str]:
        made = self.state / "networks"
        return {path.name for path in made.iterdir()} & self._made if made.is_dir() else set()

    async def end(self) -> None:
        """Delete everything; no process, socket, file or Secret may be left."""
        for item in (await self.client.list(DEPLOYMENT, namespace=self.namespace)).items:
            await self.delete(DEPLOYMENT, item["metadata"]["name"])

        async def clean() -> bool:
            listing = await self.client.list(NODE, namespace=self.namespace)
            deployments = await self.client.list(DEPLOYMENT, namespace=self.namespace)
            secrets = await self.client.list(SECRET, namespace=self.namespace)
            kept = [s for s in secrets.items if s["type"] == "kubernetes.io/ssh-auth"]
            return not (listing.items or deployments.items or kept or self.records() or self.networks())

        await self.until("nothing is left", clean, 30.0)
        left = [path for path in self.state.rglob("*") if not path.is_dir()]
        assert not left, f"left behind: {left}"
        if self.runtime.exists():
            assert not list(self.runtime.iterdir()), f"left behind: {list(self.runtime.rglob('*'))}"
        assert not _processes_of(self.runtime), "processes are left"


def _processes_of(runtime: Path) -> list[str]:
    """Command lines that name the runtime directory of these machines."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(runtime) in line:
            found.append(line)
    return found
