"""A stage for stories that are written by hand: no chance, no faults but those that are asked for."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from controller.app import Settings
from controller.kube.api import ApiError
from controller.local.core.api import MERGE_PATCH
from controller.local.core.storage import Change
from controller.model.kinds import COMPOSITION, DEPLOYMENT, EVENT, NAMESPACE, NODE, TESTBED, Kind
from nxc_simulators.policy import Policy
from nxc_simulators.world import World
from tests.scenarios.clock import Life, VirtualLoop
from tests.scenarios.scenario import HOME, Result, Scenario
from tests.scenarios.weather import Dice, Weather

NAMESPACE_NAME = "lab"
TEXT = "{ roles = { server = { }; client = { }; }; }\n"
Script = Callable[["Stage"], Awaitable[None]]
TOLD = {
    TESTBED: ("Ready", "Stalled"),
    COMPOSITION: ("Ready", "Stalled"),
    DEPLOYMENT: ("ImageReady", "Admitted", "UpToDate", "Ready", "Expired", "Stalled"),
    NODE: ("Ready", "Stalled"),
}
"""The conditions that a story tells of."""
BRIEFLY = {COMPOSITION: ("Ready",), DEPLOYMENT: ("ImageReady",)}
"""Those of which only turns are told, not every new reason."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
KINDS = {"deployments": DEPLOYMENT, "deployednodes": NODE, "compositions": COMPOSITION, "testbeds": TESTBED}


class EvenDice(Dice):
    """Every half of a call takes the same time, and no fault happens."""

    async def half_a_call(self) -> None:
        await asyncio.sleep(self.weather.latency)

    def late(self) -> float:
        return self.weather.lag


class Stage(Scenario):
    """One testbed `local`, one namespace `lab`, one operator, and a script."""

    def __init__(self, script: Script) -> None:
        super().__init__(0, loop=VirtualLoop(None))
        self._script = script
        self.weather = Weather(latency=0.004, lag=0.002)
        self.settings = Settings(namespace=HOME, leader_election=False, host="here", resync=300.0)
        self.replicas, self.crashes = 1, 0
        world = World(now=self.loop.time, policy=Policy(stage=2.0, spread=0.0))
        self.worlds.clear()
        self.worlds["local"] = world
        self.world = world
        self.invariants.attend(self.worlds)
        self.told: list[str] = []
        """The story so far, for a golden file."""
        self._conditions: dict[tuple[str, str], tuple[str, str]] = {}
        self._names: dict[str, str] = {}
        self._judge = self.invariants.judge
        self.cluster.judge = self._hear
        self._deeds = 0

    def dice(self, life: Life) -> Dice:
        return EvenDice(self.weather, self._rng(life.name))

    def perform(self) -> Result:
        """Play the script; every invariant is watched."""
        return self.run()

    async def play(self) -> None:
        self._do("create", NAMESPACE, "", body={"metadata": {"name": NAMESPACE_NAME}})
        self.start()
        await self._script(self)
        self._catch_up()

    # ------------------------------------------------------------ what a script does

    def say(self, text: str) -> None:
        """Have a line in the story."""
        self._catch_up()
        minutes, seconds = divmod(int(self.loop.time() + 1e-6), 60)
        self.told.append(f"{minutes:3d}:{seconds:02d}  {text}")

    def make(self, kind: Kind, name: str, spec: Mapping[str, Any]) -> None:
        """Create an object."""
        self.say(f"you create {kind.kind} {name}{_shown(spec)}")
        meta = {"name": name, **({"namespace": NAMESPACE_NAME} if kind.namespaced else {})}
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}
        self._do("create", kind, "", body=body)

    def testbed(self, **spec: Any) -> None:
        """Create the testbed."""
        base = {"kind": "simulated", "default": True, "allowedNamespaces": {"from": "All"}}
        self.make(TESTBED, "local", base | spec)

    def composition(self, name: str = "site", text: str = TEXT) -> None:
        """Create a composition with the roles server and client."""
        self.make(COMPOSITION, name, {"source": {"inline": text}, "packageSource": {"name": "simulated"}})

    def deployment(self, name: str = "web", **spec: Any) -> None:
        """Create a deployment."""
        base = {"compositionRef": {"name": "site"}, "flavour": "simulated"}
        self.make(DEPLOYMENT, name, base | spec)

    def edit(self, kind: Kind, name: str, **spec: Any) -> None:
        """Patch the spec of an object."""
        self.say(f"you edit {kind.kind} {name}{_shown(spec)}")
        self.patch(kind, name, {"spec": spec})

    def patch(self, kind: Kind, name: str, patch: Mapping[str, Any]) -> None:
        """Patch an object."""
        self._do("patch", kind, name, body=patch, patch_type=MERGE_PATCH)

    def delete(self, kind: Kind, name: str, policy: str = "Background") -> None:
        """Delete an object."""
        self.say(f"you delete {kind.kind} {name}{'' if policy == 'Background' else f' ({policy})'}")
        self._do("delete", kind, name, propagation_policy=policy)

    def touch(self, kind: Kind, name: str) -> None:
        """Let the operator hear of one object as it stands, on no other way than this."""
        obj = self.get(kind, name)
        assert obj is not None
        for hear in self.cluster.hearers:
            hear(kind, "MODIFIED", obj)

    def get(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """An object, as it stands now."""
        return next((obj for obj in self.cluster.all(kind) if obj["metadata"]["name"] == name), None)

    def condition(self, kind: Kind, name: str, type: str) -> Mapping[str, Any]:
        """A condition of an object; empty where there is none."""
        found = ((self.get(kind, name) or {}).get("status") or {}).get("conditions") or ()
        return next((condition for condition in found if condition["type"] == type), {})

    async def until(self, what: str, holds: Callable[[], bool], *, within: float = 1200.0) -> None:
        """Wait until something holds; a failure says what did not."""
        deadline = self.loop.time() + within
        while not holds():
            if self.loop.time() > deadline:
                raise AssertionError(f"not within {within:g} s: {what}")
            await asyncio.sleep(0.05)

    async def until_ready(self, name: str = "web") -> None:
        """Wait until a deployment is Ready by its present spec, and up to date."""

        def ready() -> bool:
            generation = (self.get(DEPLOYMENT, name) or {"metadata": {}})["metadata"].get("generation")
            found = [self.condition(DEPLOYMENT, name, type) for type in ("Ready", "UpToDate")]
            return all(c.get("status") == "True" and c["observedGeneration"] == generation for c in found)

        await self.until(f"Deployment {name} is ready", ready)

    async def until_gone(self, kind: Kind, name: str) -> None:
        """Wait until an object is gone."""
        await self.until(f"{kind.kind} {name} is gone", lambda: self.get(kind, name) is None)

    def fault(self, call: str, when: str, error: ApiError) -> None:
        """Have the operator's next call whose label has this text go wrong, "before" or "after" its effect."""
        self.cluster.faults.append((call, when, error))

    # ------------------------------------------------------------ what is told

    def _do(self, verb: str, kind: Kind, name: str, **rest: Any) -> None:
        namespace = NAMESPACE_NAME if kind.namespaced else ""
        self.cluster.do("user", verb, kind, namespace, name, **rest)

    def _hear(self, writer: str, change: Change) -> None:
        self._judge(writer, change)
        if change.storage[1] == EVENT.plural and change.type == "ADDED":
            obj = change.object
            self.say(f"  event: {obj['reason']}: {obj.get('message') or obj.get('note')}")
        kind = KINDS.get(change.storage[1])
        if kind is None:
            return
        if change.type == "DELETED":
            self.say(f"  {change.name} is gone")
            self._conditions = {at: c for at, c in self._conditions.items() if at[0] != change.name}
            return
        if change.type == "ADDED":
            self._names[change.object["metadata"]["uid"]] = change.name
            if kind is NODE:
                self.say(f"  {change.name} is made, on {change.object['spec']['machine']}")
        present = {c["type"]: c for c in (change.object.get("status") or {}).get("conditions") or ()}
        for type in TOLD[kind]:
            condition = present.get(type)
            now = (condition["status"], condition["reason"]) if condition else ("", "")
            if condition and type in BRIEFLY.get(kind, ()):
                now = (condition["status"], "")
            place = (change.name, f"{kind.kind} {type}")
            if self._conditions.get(place, ("", "")) == now:
                continue
            self._conditions[place] = now
            if condition is None:
                self.say(f"  {change.name}: no longer {type}")
            else:
                why = f"{condition['reason']}: {_short(condition['message'])}"
                self.say(f"  {change.name}: {type} is {condition['status']}, {why}")

    def _catch_up(self) -> None:
        """Tell what was done to the world since."""
        for deed in self.world.journal[self._deeds :]:
            self._deeds += 1
            minutes, seconds = divmod(int(deed.time + 1e-6), 60)
            about = deed.detail or f"the network of {self._names.get(deed.subject, deed.subject)}"
            self.told.append(f"{minutes:3d}:{seconds:02d}    world: {deed.verb} {about}")


def _short(message: str) -> str:
    """A message with digests as people cite them."""
    return DIGEST.sub(lambda found: found[0][:14], message)


def _shown(spec: Mapping[str, Any]) -> str:
    plain = {k: v for k, v in spec.items() if k not in ("source", "packageSource", "compositionRef")}
    shown = ", ".join(f"{name}={json.dumps(value)}" for name, value in plain.items())
    return f": {shown}" if shown else ""
