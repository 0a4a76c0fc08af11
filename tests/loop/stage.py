"""A namespace on a control plane, the objects in it, and the simulated world behind it.

Everything a test of the loop asks: make, change and delete objects, wait for something with a limit and a
message, and compare the world with the wish.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from controller.kube.api import ApiError, NotFound
from controller.kube.client import Client, path
from controller.kube.config import load
from controller.model.kinds import COMPOSITION, CRD, DEPLOYMENT, NAMESPACE, NODE, TESTBED, WATCHED, Kind
from controller.model.machine import Phase
from nxc_simulators.life import Record, machine
from nxc_simulators.shelf import Shelf
from nxc_simulators.world import World
from tests.loop.patient import PatientClient

Object = dict[str, Any]

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
"""The usual limit of a wait: the machine may be busy with other things."""
MANIFESTS = {
    COMPOSITION: "compositions",
    DEPLOYMENT: "deployments",
    NODE: "deployednodes",
    TESTBED: "testbeds",
}


async def connect(kubeconfig: Path, *, patient: bool = False) -> Client:
    """A client as the administrator; `patient`: one that tries again what the server failed to do."""
    configuration = await load(str(kubeconfig))
    return PatientClient(configuration) if patient else Client(configuration)


async def install(client: Client) -> None:
    """The CRDs as they stand in crds/, established; and the operator's namespace."""
    for name in MANIFESTS.values():
        await apply(client, CRD, yaml.safe_load((ROOT / "crds" / f"{name}.yaml").read_text()))
    await apply(client, NAMESPACE, {"metadata": {"name": "nxc-system"}})
    deadline = time.monotonic() + SECONDS
    for kind in WATCHED:
        while not await _served(client, kind):
            assert time.monotonic() < deadline, (
                f"{kind.plural} are not served {SECONDS:.0f} s after their CRD"
            )
            await asyncio.sleep(0.1)


async def _served(client: Client, kind: Kind) -> bool:
    try:
        await client.list(kind)
    except ApiError:
        return False
    return True


async def apply(client: Client, kind: Kind, obj: Object) -> Object:
    """Server-side apply, as `kubectl apply --server-side --force-conflicts` does it."""
    body = {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
    meta = body["metadata"]
    return await client.request(
        "PATCH",
        path(kind, meta.get("namespace", ""), meta["name"]),
        query={"fieldManager": "loop-test", "force": "true"},
        body=body,
        content_type="application/apply-patch+yaml",
    )


class Stage:
    """One namespace and one world."""

    def __init__(self, client: Client, namespace: str, world: Path, testbed: str) -> None:
        self.client = client
        self.namespace = namespace
        self.testbed = testbed
        self.world = world
        self._world = World(now=time.time, shelf=Shelf(world))
        self._shelf = Shelf(world)
        self._made: set[str] = set()  # uids of our Deployments, to know our networks by

    def close(self) -> None:
        """Let go of the world's file."""
        self._shelf.close()
        assert self._world._shelf is not None
        self._world._shelf.close()

    # ------------------------------------------------------------ objects

    async def create(self, kind: Kind, name: str, spec: Mapping[str, Any], **meta: Any) -> Object:
        """Make an object."""
        return await self._remember(kind, await self.client.create(kind, self._body(kind, name, spec, meta)))

    async def edit(self, kind: Kind, name: str, spec: Mapping[str, Any] | None = None, **meta: Any) -> Object:
        """Change fields of its spec (JSON merge patch) and of its metadata."""
        patch = {"metadata": meta, "spec": spec or {}}
        return await self.client.patch(kind, self._in(kind), name, patch)

    async def composition(self, name: str = "web", text: str = "", *, roles: str = "server,client") -> Object:
        """A composition for the simulated builder, built for both simulated flavours."""
        spec = composition_spec(text, roles=roles)
        return await apply(self.client, COMPOSITION, self._body(COMPOSITION, name, spec, {}))

    async def deployment(self, name: str = "web", composition: str = "web", **spec: Any) -> Object:
        """A deployment on the stage's testbed: one server unless `roles` says otherwise."""
        full = {
            "compositionRef": {"name": composition},
            "flavour": "simulated",
            "roles": crew(server=1),
            "testbedRef": {"name": self.testbed},
            **spec,
        }
        return await self.create(DEPLOYMENT, name, full)

    async def get(self, kind: Kind, name: str) -> Object | None:
        """The object, or None."""
        try:
            return await self.client.get(kind, self._in(kind), name)
        except NotFound:
            return None

    async def delete(self, kind: Kind, name: str, propagation: str = "Background") -> None:
        """Ask for it to go: Background, Foreground or Orphan."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        await self.client.request("DELETE", path(kind, self._in(kind), name), body=options)

    async def nodes(self, deployment: str = "") -> dict[str, Object]:
        """The DeployedNodes here, or those of one deployment, by name."""
        listing = await self.client.list(NODE, namespace=self.namespace)
        found = {item["metadata"]["name"]: dict(item) for item in listing.items}
        return {
            name: n for name, n in found.items() if not deployment or n["spec"]["deployment"] == deployment
        }

    # ------------------------------------------------------------ waiting

    async def until(self, what: str, check: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """Until `check` (a coroutine function) gives something true; which is returned."""
        deadline = time.monotonic() + seconds
        while True:
            if found := await check():
                return found
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}\n{await self._picture()}"
            await asyncio.sleep(0.1)

    async def condition(
        self,
        kind: Kind,
        name: str,
        type: str,
        status: str = "True",
        *,
        reason: str = "",
        seconds: float = SECONDS,
    ) -> Object:
        """Until a condition of an object, judged by its present spec, has a status (and a reason)."""

        async def check() -> Object | None:
            obj = await self.get(kind, name)
            held = condition(obj, type)
            if obj is None or held is None or held["status"] != status or reason not in ("", held["reason"]):
                return None
            return obj if held.get("observedGeneration") == obj["metadata"]["generation"] else None

        return await self.until(f"{kind} {name}: {type}={status} {reason}", check, seconds)

    async def ready(self, name: str = "web", *, nodes: int | None = None, seconds: float = SECONDS) -> Object:
        """Until a deployment is Ready, up to date, and (if told) has so many nodes."""

        async def check() -> Object | None:
            obj = await self.get(DEPLOYMENT, name)
            held = [condition(obj, type) for type in ("Ready", "UpToDate")]
            if obj is None or any(c is None or c["status"] != "True" for c in held):
                return None
            if any(c["observedGeneration"] != obj["metadata"]["generation"] for c in held if c):
                return None
            if condition(obj, "Reconciling") is not None:
                return None
            return obj if nodes is None or len(await self.nodes(name)) == nodes else None

        return await self.until(f"deployment {name} is Ready with {nodes or 'its'} nodes", check, seconds)

    async def gone(self, kind: Kind, name: str, seconds: float = SECONDS) -> None:
        """Until an object is gone."""

        async def check() -> bool:
            return await self.get(kind, name) is None

        await self.until(f"{kind} {name} is gone", check, seconds)

    # ------------------------------------------------------------ the world

    def machines(self) -> list[Record]:
        """Every trace of a machine of this namespace."""
        return [r for r in self._world.records() if r.order.owner.namespace == self.namespace]

    def running(self) -> dict[str, Record]:
        """The machines of this namespace that start or run, by host."""
        now = time.time()
        return {r.order.host: r for r in self.machines() if r.alive(now)}

    def cut(self, record: Record, why: str = "somebody pulled the plug") -> None:
        """End a machine from outside."""
        self._world.cut(record.order.key, why)

    def networks(self) -> set[str]:
        """The networks of our deployments, by uid."""
        return {network.deployment for network in self._world.networks()} & self._made

    def breaches(self) -> list[str]:
        """What the world saw the operator do wrong, in any namespace."""
        return [str(text) for _, text in self._shelf.all("breach")]

    async def difference(self) -> list[str]:
        """What in the world is not as the objects here say; nothing when all is well."""
        found = []
        deployments = await self.client.list(DEPLOYMENT, namespace=self.namespace)
        nodes = {node["metadata"]["uid"]: node for node in (await self.nodes()).values()}
        now = time.time()
        for record in self.machines():
            node = nodes.get(record.order.key.node)
            state = machine(record, now).phase
            if node is None:
                found.append(f"a machine of {record.order.owner.name} ({state}) has no node")
            elif record.order.key.attempt != node["status"].get("attempt"):
                found.append(f"{record.order.owner.name} has a machine of attempt {record.order.key.attempt}")
        for uid, node in nodes.items():
            alive = [
                r
                for r in self.machines()
                if r.order.key.node == uid and machine(r, now).phase is Phase.RUNNING
            ]
            wanted = 1 if condition(node, "Ready", "True") else 0
            if wanted and len(alive) != 1:
                found.append(f"{node['metadata']['name']} is Ready and has {len(alive)} running machines")
            found += [
                f"{record.order.host} runs another image than its spec says"
                for record in alive
                if record.order.image != node["spec"]["image"]
            ]
        present = {d["metadata"]["uid"] for d in deployments.items}
        carried = {record.order.deployment for record in self.machines()}  # those of adopted machines
        found += [f"network {uid} has no deployment" for uid in self.networks() - present - carried]
        return found + self.breaches()

    async def matches(self, seconds: float = SECONDS) -> None:
        """Until the world is as the objects here say."""

        async def check() -> bool:
            return not await self.difference()

        await self.until("the world equals the wish", check, seconds)

    async def nothing_left(self, seconds: float = SECONDS) -> None:
        """Until no object, machine and network of ours is left."""

        async def check() -> bool:
            objects = await self.nodes()
            deployments = await self.client.list(DEPLOYMENT, namespace=self.namespace)
            return not (objects or deployments.items or self.machines() or self.networks())

        await self.until("nothing is left", check, seconds)
        assert not self.breaches()

    # ------------------------------------------------------------ inside

    def _in(self, kind: Kind) -> str:
        return self.namespace if kind.namespaced else ""

    def _body(self, kind: Kind, name: str, spec: Mapping[str, Any], meta: Mapping[str, Any]) -> Object:
        metadata = {"name": name, **meta} | ({"namespace": self.namespace} if kind.namespaced else {})
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": dict(spec)}

    async def _remember(self, kind: Kind, obj: Object) -> Object:
        if kind is DEPLOYMENT:
            self._made.add(obj["metadata"]["uid"])
        return obj

    async def _picture(self) -> str:
        """What stands, for the message of a wait that was in vain."""
        lines = await self.difference()
        for kind in (COMPOSITION, DEPLOYMENT, NODE):
            for item in (await self.client.list(kind, namespace=self.namespace)).items:
                meta = item["metadata"]
                lines.append(
                    f"{kind} {meta['name']} generation {meta['generation']}"
                    f"{' deleting' if meta.get('deletionTimestamp') else ''} {meta.get('finalizers', '')}"
                )
                lines += [
                    f"    {c['type']}={c['status']} {c['reason']}: {c['message']} ({c.get('observedGeneration')})"
                    for c in (item.get("status") or {}).get("conditions", ())
                ]
        lines += [f"machine {r.order.key} of {r.order.host}" for r in self.machines()]
        lines += [f"network {uid}" for uid in self.networks()]
        return "\n".join(lines)


def composition_spec(text: str = "", *, roles: str = "server,client") -> Object:
    """A composition for the simulated builder."""
    return {
        "source": {"inline": f"# simulate: roles={roles}\n# {text}\n{{ roles = {{}}; }}"},
        "packageSource": {"name": "simulated"},
        "flavours": ["simulated", "simulated-fast"],
    }


def crew(*, server: int = 0, client: int = 0) -> list[Object]:
    """`spec.roles` for the composition of these tests: a role that is not listed would get one node."""
    return [{"name": "server", "count": server}, {"name": "client", "count": client}]


def condition(obj: Mapping[str, Any] | None, type: str, status: str = "") -> dict[str, Any] | None:
    """A condition of an object, if it has it (with that status)."""
    for found in ((obj or {}).get("status") or {}).get("conditions") or ():
        if found["type"] == type and status in ("", found["status"]):
            return dict(found)
    return None
