"""What users, administrators and the world do, at random, while the operator works."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from controller.kube.api import AlreadyExists, ApiError, NotFound
from controller.local.core.api import MERGE_PATCH
from controller.model.kinds import (
    COMPOSITION,
    DEPLOYMENT,
    NAMESPACE,
    NODE,
    REQUESTED_AT,
    SECRET,
    TESTBED,
    Kind,
)
from nxc_simulators.life import NEVER
from nxc_simulators.world import World
from tests.scenarios.clock import Wall
from tests.scenarios.server import Cluster
from tests.scenarios.trace import Trace

NAMESPACES = ("blue", "red")
TESTBEDS = ("lab", "attic")
COMPOSITIONS = ("web", "mpi")
DEPLOYMENTS = ("one", "two", "three")
FLAVOURS = ("simulated", "simulated", "simulated-fast")
HOLD = "example.org/hold"
"""A finalizer of somebody else's."""
SECRET_NAME = "account"
KEYS = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvbw alice", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhcg bob")
TROUBLES = (
    ("sim.fail=die", "sim.fail-attempts=1"),
    ("sim.fail=die", "sim.fail-attempts=2"),
    ("sim.fail=die",),
    ("sim.fail=boot", "sim.fail-attempts=3"),
    ("sim.fail=start", "sim.fail-attempts=1"),
    ("sim.fail=inform", "sim.hosts=server"),
    ("sim.fail=health",),
    ("sim.fail=report", "sim.fail-attempts=1"),
    ("sim.vanish-after=40",),
    ("sim.latency=8",),
)


class Story:
    """Everything that is done to the cluster and the world from outside."""

    def __init__(
        self,
        cluster: Cluster,
        worlds: Mapping[str, World],
        wall: Wall,
        rng: random.Random,
        trace: Trace,
    ) -> None:
        self._cluster, self._worlds, self._wall, self._random, self._trace = cluster, worlds, wall, rng, trace
        self.flavours: random.Random | None = None
        """Which testbed serves which flavour, where not all serve all."""
        self.tests = random.Random(0)
        """Which compositions have a test script, and which deployments want it run."""
        self._revision = 0
        self._pace = rng.choice((3.0, 10.0, 10.0, 30.0))
        self.jumps = rng.random() < 0.3
        """Whether clocks jump in this story."""
        self.length = rng.uniform(40.0, 240.0)
        self._actions: list[tuple[float, Callable[[], str]]] = [
            (12, self._make_deployment),
            (16, self._edit_deployment),
            (6, self._delete_deployment),
            (3, self._make_composition),
            (4, self._edit_composition),
            (1.5, self._delete_composition),
            (1.5, self._make_testbed),
            (3, self._edit_testbed),
            (1, self._delete_testbed),
            (4, self._delete_node),
            (2, self._ask_again),
            (1.5, self._hold_on),
            (1.5, self._let_go),
            (0.7, self._force),
            (0.7, self._delete_namespace),
            (1, self._secret),
            (5, self._cut_machine),
            (0.5, self._lose_machine),
            (1.5, self._outage),
            (1.5 if self.jumps else 0, self._jump),
        ]

    def begin(self) -> None:
        """What is there before the operator starts."""
        for name in NAMESPACES:
            self._try(lambda name=name: self._make_namespace(name))  # type: ignore[misc]
        self._try(lambda: self._make_testbed("lab"))
        if self._one_in(2):
            self._try(lambda: self._make_testbed("attic"))
        for namespace in NAMESPACES:
            for name in COMPOSITIONS[: self._random.randint(1, 2)]:
                self._try(lambda ns=namespace, name=name: self._make_composition(ns, name))  # type: ignore[misc]
        for _ in range(self._random.choice((0, 1, 2, 3, 5))):
            self._try(self._make_deployment)

    async def run(self) -> None:
        """Make trouble for as long as the story lasts."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.length
        weights, actions = zip(*((weight, action) for weight, action in self._actions), strict=True)
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self._pace))
            if loop.time() >= end:
                return
            for _ in range(self._random.choice((1, 1, 1, 2, 4))):
                self._try(self._random.choices(actions, weights)[0])

    def nudge(self) -> None:
        """One or two small changes by users."""
        for _ in range(self._random.choice((1, 1, 2))):
            actions = (
                self._edit_deployment,
                self._edit_deployment,
                self._edit_composition,
                self._delete_node,
            )
            self._try(self._random.choice((*actions, self._make_deployment, self._delete_deployment)))

    def calm(self) -> None:
        """Everybody stops meddling, and what was broken from outside is mended."""
        self._trace("story", "all is calm")
        self._wall.set_right()
        for kind in (COMPOSITION, DEPLOYMENT, NODE, TESTBED):
            for obj in self._cluster.all(kind):
                if HOLD in obj["metadata"].get("finalizers", ()):
                    self._try(lambda kind=kind, obj=obj: self._unhold(kind, obj))  # type: ignore[misc]
        for world in self._worlds.values():
            world.set_outage("")
            world.policy = replace(world.policy, trouble=0.0, vanishing=0.0)
            world.spare()

    def tear_down(self) -> None:
        """Users delete everything they made."""
        self._trace("story", "everything is deleted")
        kinds: list[Kind] = [DEPLOYMENT, COMPOSITION, TESTBED, NODE]
        self._random.shuffle(kinds)
        for kind in kinds:
            for obj in self._cluster.all(kind):
                meta = obj["metadata"]
                self._try(lambda kind=kind, meta=meta: self._delete(kind, meta))  # type: ignore[misc]
        if self._random.random() < 0.5:
            for name in NAMESPACES:
                self._try(lambda name=name: self._delete(NAMESPACE, {"name": name}))  # type: ignore[misc]

    # ------------------------------------------------------------ deployments

    def _make_deployment(self) -> str:
        namespace, name = self._namespace(), self._random.choice(DEPLOYMENTS)
        spec: dict[str, Any] = {
            "compositionRef": {"name": self._random.choice((*COMPOSITIONS, *COMPOSITIONS[:1] * 3))},
            "flavour": self._random.choice(FLAVOURS),
        }
        if self._one_in(1.3):
            spec["roles"] = self._roles()
        for one_in, field, value in (
            (4, "testbedRef", lambda: {"name": self._random.choice(TESTBEDS)}),
            (4, "lease", lambda: {"duration": self._random.choice(("45s", "3m", "6h", "9h"))}),
            (2, "update", self._update),
            (4, "retry", lambda: {"attempts": self._random.randint(1, 4)}),
            (5, "kernelParameters", lambda: list(self._random.choice(TROUBLES))),
            (6, "authorizedKeys", lambda: [self._random.choice(KEYS)]),
            (15, "suspend", lambda: True),
            (12, "machines", self._machines),
        ):
            if self._one_in(one_in):
                spec[field] = value()
        if self.tests.random() < 0.6:
            spec["test"] = {"run": "OnReady"}
        self._create(DEPLOYMENT, namespace, name, spec)
        return f"creates Deployment {namespace}/{name}: {spec}"

    def _edit_deployment(self) -> str:
        obj = self._any(DEPLOYMENT)
        field, value = self._random.choice(
            (
                ("roles", self._roles),
                ("roles", self._roles),
                ("flavour", lambda: self._random.choice(FLAVOURS)),
                ("compositionRef", lambda: {"name": self._random.choice(COMPOSITIONS)}),
                ("testbedRef", lambda: self._random.choice(({"name": "lab"}, {"name": "attic"}, None))),
                ("suspend", lambda: self._random.random() < 0.4),
                ("lease", lambda: self._random.choice(({"duration": "30s"}, {"duration": "20m"}, None))),
                ("machines", self._machines),
                ("machines", lambda: None),
                ("retry", lambda: {"attempts": self._random.randint(1, 5)}),
                ("update", self._update),
                ("kernelParameters", lambda: list(self._random.choice((*TROUBLES, (), ("quiet",))))),
                ("authorizedKeys", lambda: list(KEYS[: self._random.randint(0, 2)])),
            )
        )
        found = value()
        if self.tests.random() < 0.15:
            field, found = "test", {"run": self.tests.choice(("Never", "OnReady", "OnReady"))}
        self._patch(DEPLOYMENT, obj, {"spec": {field: found}})
        return f"edits Deployment {_path(obj)}: {field} = {found}"

    def _delete_deployment(self) -> str:
        obj = self._any(DEPLOYMENT)
        policy = self._random.choice(("Background", "Background", "Foreground", "Orphan"))
        self._delete(DEPLOYMENT, obj["metadata"], policy)
        return f"deletes Deployment {_path(obj)} ({policy})"

    def _roles(self) -> list[dict[str, Any]]:
        roles = []
        for name in self._random.choice(
            (("server",), ("client",), ("server", "client"), ("server", "client"))
        ):
            role: dict[str, Any] = {"name": name}
            if self._one_in(6):
                role["hostnames"] = self._random.choice((["ann"], ["ann", "ben"]))
            else:
                role["count"] = self._random.choice((1, 1, 2, 3))
            if self._one_in(4):
                role["resources"] = {"memory": self._random.choice(("128Mi", "512Mi", "2Gi"))}
            if self._one_in(5):
                role["minReady"] = 1
            roles.append(role)
        if len(roles) == 2 and all("hostnames" in role for role in roles):
            del roles[1]["hostnames"]
        if self._one_in(25):
            roles[0]["name"] = "nobody"
        return roles

    def _update(self) -> dict[str, Any]:
        policy = self._random.choice(("Recreate", "RollingUpdate", "OnRequest"))
        found: dict[str, Any] = {"policy": policy, "maxUnavailable": None}
        if policy == "RollingUpdate" and self._one_in(2):
            found["maxUnavailable"] = self._random.randint(1, 2)
        return found

    def _machines(self) -> list[str]:
        testbed = self._random.choice(TESTBEDS)
        return [
            f"{testbed}-{i}" for i in sorted(self._random.sample(range(1, 8), self._random.randint(1, 3)))
        ]

    # ------------------------------------------------------------ compositions

    def _make_composition(self, namespace: str = "", name: str = "") -> str:
        namespace, name = namespace or self._namespace(), name or self._random.choice(COMPOSITIONS)
        spec: dict[str, Any] = {"source": {"inline": self._text()}, "packageSource": {"name": "simulated"}}
        if self._one_in(3):
            spec["flavours"] = ["simulated"]
        self._create(COMPOSITION, namespace, name, spec)
        return f"creates Composition {namespace}/{name}"

    def _edit_composition(self) -> str:
        obj = self._any(COMPOSITION)
        text = self._text()
        patch: dict[str, Any] = {"source": {"inline": text}}
        if self._one_in(6):
            patch = {"suspend": self._random.random() < 0.5}
        self._patch(COMPOSITION, obj, {"spec": patch})
        return f"edits Composition {_path(obj)}: {patch}"

    def _delete_composition(self) -> str:
        obj = self._any(COMPOSITION)
        self._delete(COMPOSITION, obj["metadata"])
        return f"deletes Composition {_path(obj)}"

    def _text(self) -> str:
        self._revision += 1
        asked = self._random.choice(
            (*("",) * 10, "time=5", "time=0", "builder-fails=1", "build-fails", "evaluation-fails")
        )
        directive = f"# simulate: {asked}\n" if asked else ""
        script = self.tests.choice(("", "pass:0", "pass:20", "pass:90", "fail:40", "break:8", "hang"))
        directive += f"# simulate: test={script}\n" if script else ""
        return (
            f"{directive}# revision {self._revision}\n{{ roles = {{ server = {{ }}; client = {{ }}; }}; }}\n"
        )

    # ------------------------------------------------------------ testbeds

    def _make_testbed(self, name: str = "") -> str:
        name = name or self._random.choice(TESTBEDS)
        spec: dict[str, Any] = {
            "kind": "simulated",
            "default": name == "lab",
            "allowedNamespaces": {"from": "All"},
            "capacity": {"nodes": self._random.choice((2, 6, 6, 12, 12))},
        }
        if self._one_in(3):
            spec["capacity"]["memory"] = self._random.choice(("1Gi", "4Gi"))
        if self._one_in(4):
            spec["lease"] = {"default": "2h", "maximum": "4h"}
        if self._one_in(12):
            spec["credentials"] = {"mode": "PerNamespace", "secretRef": {"name": SECRET_NAME}}
        if self.flavours is not None and self.flavours.random() < 0.5:
            spec |= {"default": True, "flavours": ["simulated"] if name == "lab" else ["simulated-fast"]}
        if self._one_in(8):
            spec["allowedNamespaces"] = {"from": "Selector", "selector": {"matchLabels": {"team": "blue"}}}
        self._create(TESTBED, "", name, spec)
        return f"creates Testbed {name}: {spec}"

    def _edit_testbed(self) -> str:
        obj = self._any(TESTBED)
        field, value = self._random.choice(
            (
                ("capacity", {"nodes": self._random.choice((1, 3, 6, 12))}),
                ("capacity", {"nodes": self._random.choice((6, 12)), "memory": None}),
                ("suspend", self._random.random() < 0.3),
                (
                    "allowedNamespaces",
                    {"from": self._random.choice(("All",) * 4 + ("None",)), "selector": None},
                ),
                ("flavours", self._random.choice((["simulated"], None))),
                ("lease", self._random.choice(({"default": "40s", "maximum": "2h"}, None))),
            )
        )
        self._patch(TESTBED, obj, {"spec": {field: value}})
        return f"edits Testbed {_path(obj)}: {field} = {value}"

    def _delete_testbed(self) -> str:
        obj = self._any(TESTBED)
        self._delete(TESTBED, obj["metadata"])
        return f"deletes Testbed {_path(obj)}"

    # ------------------------------------------------------------ nodes and finalizers

    def _delete_node(self) -> str:
        obj = self._any(NODE)
        self._delete(NODE, obj["metadata"])
        return f"deletes DeployedNode {_path(obj)}"

    def _ask_again(self) -> str:
        kind = self._random.choice((NODE, DEPLOYMENT))
        obj = self._any(kind)
        self._revision += 1
        self._patch(kind, obj, {"metadata": {"annotations": {REQUESTED_AT: f"request {self._revision}"}}})
        return f"asks again for {kind.kind} {_path(obj)}"

    def _hold_on(self) -> str:
        kind = self._random.choice((COMPOSITION, DEPLOYMENT, NODE, TESTBED))
        obj = self._any(kind)
        names = [*obj["metadata"].get("finalizers", ()), HOLD]
        self._patch(kind, obj, {"metadata": {"finalizers": list(dict.fromkeys(names)), **_version(obj)}})
        return f"puts a finalizer on {kind.kind} {_path(obj)}"

    def _let_go(self) -> str:
        kind = self._random.choice((COMPOSITION, DEPLOYMENT, NODE, TESTBED))
        held = [o for o in self._cluster.all(kind) if HOLD in o["metadata"].get("finalizers", ())]
        if not held:
            raise NotFound(404, "NotFound", "nothing is held")
        return self._unhold(kind, self._random.choice(held))

    def _unhold(self, kind: Kind, obj: Mapping[str, Any]) -> str:
        names = [name for name in obj["metadata"]["finalizers"] if name != HOLD]
        self._patch(kind, obj, {"metadata": {"finalizers": names, **_version(obj)}})
        return f"takes the finalizer off {kind.kind} {_path(obj)}"

    def _force(self) -> str:
        """Somebody is impatient with an object that is on its way out."""
        kind = self._random.choice((DEPLOYMENT, NODE, NODE))
        leaving = [o for o in self._cluster.all(kind) if o["metadata"].get("deletionTimestamp")]
        if not leaving:
            raise NotFound(404, "NotFound", "nothing is leaving")
        obj = self._random.choice(leaving)
        self._patch(kind, obj, {"metadata": {"finalizers": None}})
        return f"removes all finalizers of {kind.kind} {_path(obj)} by force"

    # ------------------------------------------------------------ namespaces, secrets

    def _namespace(self) -> str:
        return self._random.choice(NAMESPACES)

    def _make_namespace(self, name: str) -> str:
        body = {"metadata": {"name": name, "labels": {"team": name}}}
        self._do("create", NAMESPACE, body=body)
        return f"creates Namespace {name}"

    def _delete_namespace(self) -> str:
        name = self._namespace()
        self._delete(NAMESPACE, {"name": name})
        return f"deletes Namespace {name}"

    def _secret(self) -> str:
        namespace = self._namespace()
        try:
            body = {"metadata": {"name": SECRET_NAME, "namespace": namespace}, "stringData": {"user": "ann"}}
            self._do("create", SECRET, namespace, body=body)
        except AlreadyExists:
            self._delete(SECRET, {"namespace": namespace, "name": SECRET_NAME})
            return f"deletes Secret {namespace}/{SECRET_NAME}"
        return f"creates Secret {namespace}/{SECRET_NAME}"

    # ------------------------------------------------------------ the world

    def _cut_machine(self) -> str:
        world, record = self._any_machine()
        world.cut(record.order.key, "somebody tripped over the cable")
        return f"pulls the plug of {record.order.owner.name}, attempt {record.order.key.attempt}"

    def _lose_machine(self) -> str:
        world, record = self._any_machine()
        world.lose(record.order.key)
        return f"loses every trace of {record.order.owner.name}, attempt {record.order.key.attempt}"

    def _any_machine(self) -> Any:
        found = [
            (world, record)
            for world in self._worlds.values()
            for record in world.records()
            if record.alive(world.now()) and record.leaving == NEVER
        ]
        if not found:
            raise NotFound(404, "NotFound", "no machine runs")
        return self._random.choice(found)

    def _outage(self) -> str:
        name = self._random.choice(sorted(self._worlds))
        world = self._worlds[name]
        world.set_outage("" if world.outage else "the switch is down")
        return f"testbed {name}: {world.outage or 'answers again'}"

    def _jump(self) -> str:
        seconds = self._random.choice((-7200.0, -300.0, -20.0, 20.0, 300.0, 3600.0))
        self._wall.jump(seconds)
        return f"the operators' clock jumps by {seconds:g} s"

    # ------------------------------------------------------------ how

    def _one_in(self, count: float) -> bool:
        return self._random.random() * count < 1

    def _any(self, kind: Kind) -> dict[str, Any]:
        found = self._cluster.all(kind)
        if not found:
            raise NotFound(404, "NotFound", f"there is no {kind.kind}")
        return self._random.choice(found)

    def _try(self, action: Callable[[], str]) -> None:
        try:
            self._trace("user", "{}", action())
            self._trace.count("user actions")
        except ApiError as error:
            if error.code not in (404, 409):
                self._trace("user", "is refused: {}", error.message)
                self._trace.count(f"user refused {error.code} {error.reason}")

    def _do(self, verb: str, kind: Kind, namespace: str = "", name: str = "", **rest: Any) -> Any:
        return self._cluster.do("user", verb, kind, namespace, name, **rest)

    def _create(self, kind: Kind, namespace: str, name: str, spec: Mapping[str, Any]) -> None:
        if namespace and not any(o["metadata"]["name"] == namespace for o in self._cluster.all(NAMESPACE)):
            self._make_namespace(namespace)
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": _without_none(spec),
        }
        self._do("create", kind, namespace, body=body)

    def _patch(self, kind: Kind, obj: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        meta = obj["metadata"]
        self._do("patch", kind, meta.get("namespace") or "", meta["name"], body=patch, patch_type=MERGE_PATCH)

    def _delete(self, kind: Kind, meta: Mapping[str, Any], policy: str = "Background") -> str:
        namespace = meta.get("namespace") or ""
        self._do("delete", kind, namespace, meta["name"], propagation_policy=policy)
        return f"deletes {kind.kind} {namespace}/{meta['name']}"


def _path(obj: Mapping[str, Any]) -> str:
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def _version(obj: Mapping[str, Any]) -> dict[str, str]:
    return {"resourceVersion": obj["metadata"]["resourceVersion"]}


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
