"""How things must stand in the end: worked out from the wish and the world, not by the operator's own code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NAMESPACE, NODE, REQUESTED_AT, SECRET, TESTBED
from controller.model.machine import Phase
from controller.model.quantity import parse_time
from controller.plan.trial import RUNS
from nxc_simulators.life import NEVER, Record, machine
from nxc_simulators.sandbox import Scripts
from nxc_simulators.world import World
from tests.scenarios.objects import (
    Object,
    condition_of,
    held_by,
    hosts_of,
    is_true,
    key_of,
    named_by,
    owned_by,
    reason_of,
    roles_of,
    text_of,
    why,
)
from tests.scenarios.rights import Rights
from tests.scenarios.server import Cluster

STAGES = ("Booted", "Informed", "Verified", "Reachable", "Healthy")


class Outcome:
    """Complaints about how things stand; none when the world is as it was wished."""

    def __init__(
        self,
        cluster: Cluster,
        worlds: Mapping[str, World],
        clock: Callable[[], datetime],
        scripts: Scripts | None = None,
    ) -> None:
        self._cluster, self._worlds, self._clock = cluster, worlds, clock
        self._scripts = scripts or Scripts()

    def complaints(self, *, lasting: float = 1800.0) -> Iterator[str]:
        """What is not yet, or never will be, as it should, or will not stay so for as many seconds."""
        self._nodes = self._cluster.all(NODE)
        self._deployments = self._cluster.all(DEPLOYMENT)
        self._testbeds = {obj["metadata"]["name"]: obj for obj in self._cluster.all(TESTBED)}
        self._compositions = {key_of(obj): obj for obj in self._cluster.all(COMPOSITION)}
        self._machines = {
            (name, record.order.key.node): record
            for name, world in self._worlds.items()
            for record in world.records()
        }
        self._rights = Rights(
            deployments=self._deployments,
            nodes=self._nodes,
            testbeds=self._testbeds,
            compositions=self._compositions,
            secrets=self._cluster.all(SECRET),
        )
        yield from self._nothing_half_gone()
        yield from self._world_has_owners()
        for script in self._scripts.running:
            yield f"a test script is at work on {script.key}"
        for composition in self._compositions.values():
            yield from self._composition(composition)
        for deployment in self._deployments:
            for complaint in self._deployment(deployment, lasting):
                yield f"deployment {'/'.join(key_of(deployment))}: {complaint}"
        for node in self._nodes:
            for complaint in self._node(node):
                yield f"node {'/'.join(key_of(node))}: {complaint}"
        for testbed in self._testbeds.values():
            for complaint in self._testbed(testbed):
                yield f"testbed {testbed['metadata']['name']}: {complaint}"

    def behind(self) -> Iterator[str]:
        """What the operator has not yet seen to, however it will go on from there."""
        nodes = self._cluster.all(NODE)
        for kind in (COMPOSITION, DEPLOYMENT, NODE, TESTBED):
            for obj in self._cluster.all(kind):
                seen, meta = (obj.get("status") or {}).get("observedGeneration"), obj["metadata"]
                if seen != meta["generation"] and not meta.get("deletionTimestamp"):
                    yield f"{kind.kind} {'/'.join(key_of(obj))}: generation {meta['generation']}, seen is {seen}"
        for obj in self._cluster.all(DEPLOYMENT):
            mine = [n for n in nodes if named_by(n, obj)]
            if not all(owned_by(n, obj["metadata"]["uid"]) for n in mine):
                continue  # orphans are counted as they will be once it takes them up
            roles = roles_of(obj["spec"], self._rights.known_roles(obj))
            wanted = {host for role in roles for host in hosts_of(role)}
            standing = [n for n in mine if not n["metadata"].get("deletionTimestamp")]
            ready = sum(1 for n in standing if is_true(n, "Ready") and n["spec"]["host"] in wanted)
            counted = ((obj.get("status") or {}).get("nodes") or {}).get("ready", 0)
            if ready != counted and not obj["metadata"].get("deletionTimestamp"):
                yield f"Deployment {'/'.join(key_of(obj))}: {ready} nodes are ready, {counted} are counted"

    # ------------------------------------------------------------ what is gone is gone

    def _nothing_half_gone(self) -> Iterator[str]:
        for kind in (NAMESPACE, COMPOSITION, DEPLOYMENT, NODE, TESTBED):
            for obj in self._cluster.all(kind):
                if not obj["metadata"].get("deletionTimestamp"):
                    continue
                if kind is TESTBED and self._in_use(obj["metadata"]["name"]):
                    continue
                yield f"{kind.kind} {'/'.join(key_of(obj))} is still being deleted"
        for node in self._nodes:
            for owner in node["metadata"].get("ownerReferences") or ():
                if owner["uid"] not in {d["metadata"]["uid"] for d in self._deployments}:
                    yield f"node {node['metadata']['name']} outlives its Deployment"

    def _in_use(self, testbed: str) -> bool:
        return any(node["spec"]["testbed"] == testbed for node in self._nodes) or any(
            held_by(deployment).get("testbed") == testbed for deployment in self._deployments
        )

    def _world_has_owners(self) -> Iterator[str]:
        nodes = {node["metadata"]["uid"]: node for node in self._nodes}
        known = {d["metadata"]["uid"]: d for d in self._deployments}
        labels = {(node["metadata"].get("labels") or {}).get("nxc.dev/network") for node in self._nodes}
        carried = {record.order.deployment for record in self._machines.values()}
        for name, world in self._worlds.items():
            places: dict[str, Record] = {}
            for record in world.records():
                order = record.order
                if record.leaving != NEVER:
                    yield f"machine {order.key} is still being released"
                if not record.alive(world.now()) and order.key.node in nodes:
                    continue
                node = nodes.get(order.key.node)
                if node is None:
                    yield f"machine {order.key} of {order.owner.name} has no owner"
                elif node["spec"]["testbed"] != name or node["spec"]["flavour"] != record.flavour:
                    yield f"machine {order.key} of {order.owner.name} is in another place than its node"
                elif node["status"].get("attempt") != order.key.attempt:
                    yield f"machine {order.key} is not of attempt {node['status'].get('attempt')}"
                other = places.setdefault(order.machine, record)
                if other is not record:
                    yield f"{order.machine} is used twice: {other.order.key} and {order.key}"
            for network in world.networks():
                owner = known.get(network.deployment)
                if network.deployment in carried or network.deployment in labels:
                    continue
                if owner is None:
                    yield f"the network of {network.deployment} has no Deployment"
                elif not held_by(owner):
                    yield f"the network of {owner['metadata']['name']} is there, and it holds nothing"

    # ------------------------------------------------------------ compositions

    def _composition(self, obj: Object) -> Iterator[str]:
        name = "/".join(key_of(obj))
        status, generation = obj.get("status") or {}, obj["metadata"]["generation"]
        if status.get("observedGeneration") != generation:
            yield f"composition {name}: generation {generation} was not observed"
            return
        if obj["spec"].get("suspend"):
            return
        wanted = set(obj["spec"].get("flavours") or ()) | {
            d["spec"]["flavour"] for d in self._users_of(obj) if not d["metadata"].get("deletionTimestamp")
        }
        failing = next((w for w in ("evaluation-fails", "build-fails") if w in text_of(obj)), "")
        ready = is_true(obj, "Ready")
        if wanted and ready != (not failing):
            yield f"composition {name}: Ready is {why(obj, 'Ready')}, and its text says {failing or 'it builds'}"
        states = {image["flavour"]: image["state"] for image in status.get("images") or ()}
        for flavour, state in states.items():
            if state not in ("Ready", "Failed"):
                yield f"composition {name}: its image for {flavour} is still {state}"
        built = {flavour for flavour, state in states.items() if state == "Ready"}
        if not failing and not wanted <= built:
            yield f"composition {name}: {', '.join(sorted(wanted - built))} is not built"
        if wanted != set(states):
            yield f"composition {name}: its images are not those that are asked for"

    def _users_of(self, composition: Object) -> list[Object]:
        namespace, name = key_of(composition)
        return [
            d
            for d in self._deployments
            if d["metadata"]["namespace"] == namespace and d["spec"]["compositionRef"]["name"] == name
        ]

    # ------------------------------------------------------------ deployments

    def _deployment(self, obj: Object, lasting: float) -> Iterator[str]:
        meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
        if meta.get("deletionTimestamp"):
            return  # complained of already
        if status.get("observedGeneration") != meta["generation"]:
            yield f"generation {meta['generation']} was not observed"
            return
        asked = (meta.get("annotations") or {}).get(REQUESTED_AT, "")
        if status.get("lastHandledReconcileAt", "") != asked:
            yield f"it was asked to look again ({asked}) and has not"
        if (spec.get("test") or {}).get("run") != "OnReady" and (
            status.get("test") or condition_of(obj, "Tested")
        ):
            yield f"nobody asks for its test, and Tested is {why(obj, 'Tested')}"
        mine = [node for node in self._nodes if owned_by(node, meta["uid"])]
        # one that has ended has ended, though the clock went back since
        end = None if is_true(obj, "Expired") else parse_time((status.get("lease") or {}).get("endsAt"))
        if end is not None and end > self._clock() and (end - self._clock()).total_seconds() < lasting:
            yield f"its lease will end at {end}"
            return
        if is_true(obj, "Expired") or (end is not None and end <= self._clock()):
            if not is_true(obj, "Expired"):
                yield f"its lease ended at {end}, and it does not say so"
            if mine or held_by(obj):
                yield "its lease has ended, and it still holds nodes"
            return
        composition = self._compositions.get((meta["namespace"], spec["compositionRef"]["name"]))
        if composition is None and reason_of(obj, "ImageReady") != "CompositionNotFound":
            yield f"there is no composition, and ImageReady is {why(obj, 'ImageReady')}"
        if spec.get("suspend"):
            return
        refusal = self._rights.refusal(obj)
        if refusal:
            if is_true(obj, "Admitted"):
                yield f"it is admitted, though it should be refused ({refusal})"
            elif (reason := reason_of(obj, "Admitted")) not in refusal:
                yield f"Admitted is False for {reason}, not for {' or '.join(refusal)}"
            return
        if reason_of(obj, "Admitted") == "CredentialsMissing":
            yield "its namespace has the Secret by now, and it was not looked at since"
        buildable = composition is not None and not any(w in text_of(composition) for w in ("-fails\n",))
        if composition is not None and composition["spec"].get("suspend"):
            buildable = False
        if buildable and not is_true(obj, "ImageReady"):
            yield f"its image is built, and ImageReady is {why(obj, 'ImageReady')}"
        if not status.get("image") or (not mine and not is_true(obj, "ImageReady")):
            if buildable:
                yield "its image is built, and it has none"
            return  # nothing to boot
        if not is_true(obj, "Admitted"):
            yield from self._rights.may_wait(obj)
            return
        yield from self._running(obj, mine)

    def _running(self, obj: Object, mine: Sequence[Object]) -> Iterator[str]:
        spec, status, held = obj["spec"], obj["status"], held_by(obj)
        roles = roles_of(spec, self._rights.known_roles(obj))
        if not roles:
            return  # its roles stand in a composition that is gone
        in_flavour = any(node["spec"]["flavour"] == spec["flavour"] for node in mine)
        if not is_true(obj, "ImageReady") and not in_flavour:
            return  # there is no image in the flavour that it changed to; what runs, runs on
        hosts = {host: role["name"] for role in roles for host in hosts_of(role)}
        found = {node["spec"]["host"]: node for node in mine}
        if set(found) != set(hosts):
            yield f"it has nodes {sorted(found)}, and should have {sorted(hosts)}"
            return
        update = spec.get("update") or {}
        policy = update.get("policy", "Recreate")
        down = sum(1 for node in mine if not is_true(node, "Ready"))
        # an update that rolls stops where nodes do not come up: those that run are not put at risk
        stops = policy == "RollingUpdate" and down >= update.get("maxUnavailable", 1)
        for host, node in found.items():
            if node["spec"]["role"] != hosts[host]:
                yield f"{host} plays {node['spec']['role']}, not {hosts[host]}"
            if not is_true(obj, "ImageReady"):
                continue  # what runs, runs on
            if node["spec"]["testbed"] != held.get("testbed"):
                yield f"{host} is in another place than the deployment"
            if policy != "OnRequest" and not (stops and is_true(node, "Ready")):
                if node["spec"]["flavour"] != spec["flavour"]:
                    yield f"{host} is of another flavour"
                if node["spec"]["image"] != status.get("image"):
                    yield f"{host} has another image"
                if list(node["spec"].get("kernelParameters") or ()) != list(
                    spec.get("kernelParameters") or ()
                ):
                    yield f"{host} has other kernel parameters"
        machines = [node["spec"]["machine"] for node in mine]
        if len(set(machines)) != len(machines):
            yield f"two nodes share a machine: {machines}"
        if not set(machines) <= set(held.get("machines") or ()):
            yield f"nodes on {machines}, of which it holds {held.get('machines')}"
        if len(held.get("machines") or ()) != len(hosts):
            yield f"it holds {len(held.get('machines') or ())} machines for {len(hosts)} nodes"
        if spec.get("machines") and set(machines) != set(spec["machines"]):
            yield f"nodes on {machines}, asked for on {spec['machines']}"
        ready = {host for host, node in found.items() if is_true(node, "Ready")}
        counts = status.get("nodes") or {}
        if (counts.get("desired"), counts.get("ready")) != (len(hosts), len(ready)):
            yield f"it counts {counts.get('ready')}/{counts.get('desired')} ready; {len(ready)}/{len(hosts)} are"
        enough = all(
            len(ready & set(hosts_of(role)))
            >= min(role.get("minReady", len(hosts_of(role))), len(hosts_of(role)))
            for role in roles
        )
        if is_true(obj, "Ready") != enough:
            yield f"Ready is {why(obj, 'Ready')}, with nodes {sorted(ready)} ready"
        settled = enough and is_true(obj, "UpToDate") and is_true(obj, "ImageReady")
        if settled and (spec.get("test") or {}).get("run") == "OnReady":
            yield from self._tested(obj)

    def _tested(self, obj: Object) -> Iterator[str]:
        """It is Ready as it should be: its script was run, and its status says how that ended."""
        composition = self._compositions[obj["metadata"]["namespace"], obj["spec"]["compositionRef"]["name"]]
        asked = re.search(r"simulate: test=([a-z]+)", text_of(composition))
        test, reason = obj["status"].get("test") or {}, reason_of(obj, "Tested")
        if asked is None:
            if reason != "NoTestScript":
                yield f"there is no test script, and Tested is {why(obj, 'Tested')}"
            return
        if test.get("image") != obj["status"]["image"]:
            yield f"it was not tested with its image: {why(obj, 'Tested')}"
        wanted = {"pass": "Passed", "fail": "Failed", "hang": "Failed", "break": "BrokenByTestbed"}[asked[1]]
        if reason not in (wanted, "BrokenByController"):  # by operators that died again and again
            yield f"its test should have ended as {wanted}, and Tested is {why(obj, 'Tested')}"
        if reason.startswith("BrokenBy") and test.get("run") != RUNS:
            yield f"its test was given up after {test.get('run')} runs"

    # ------------------------------------------------------------ nodes

    def _node(self, obj: Object) -> Iterator[str]:
        meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
        if meta.get("deletionTimestamp"):
            return
        if status.get("observedGeneration") != meta["generation"]:
            yield f"generation {meta['generation']} was not observed"
            return
        asked = (meta.get("annotations") or {}).get(REQUESTED_AT, "")
        if status.get("lastHandledReconcileAt", "") != asked:
            yield f"it was asked to look again ({asked}) and has not"
        suspended = any(
            owned_by(obj, d["metadata"]["uid"]) and d["spec"].get("suspend") for d in self._deployments
        )
        world = self._worlds[spec["testbed"]]
        record = self._machines.get((spec["testbed"], meta["uid"]))
        alive = record is not None and record.alive(world.now())
        if not alive:
            if is_true(obj, "Ready"):
                yield "it is Ready, and has no machine"
            if not (is_true(obj, "Stalled") or suspended):
                yield f"it has no machine, and has not given up: {why(obj, 'Ready')}"
            return
        assert record is not None
        if any(moment > world.now() for moment in record.transitions()):
            yield "its machine is not yet what it will be"
        stands = machine(record, world.now())
        if status["attempt"] != record.order.key.attempt:
            return  # complained of already
        signals = {
            "Booted": stands.phase is Phase.RUNNING,
            "Informed": bool(stands.information) and stands.information == spec["information"],
            "Verified": stands.verified.ok is True,
            "Reachable": stands.reachable.ok is True,
            "Healthy": stands.healthy.ok is True,
        }
        if record.order.image != spec["image"] and not suspended:
            yield "its machine runs another image"
        for stage in STAGES:
            if is_true(obj, stage) != signals[stage] and not (suspended and stage == "Informed"):
                yield f"{stage} is {why(obj, stage)}, and in the world it is {signals[stage]}"
        if stands.phase is not Phase.RUNNING or not (signals["Informed"] or suspended):
            yield f"its machine is not up: {why(obj, 'Ready')}"
        elif not signals["Reachable"]:
            yield f"its machine cannot be reached: {why(obj, 'Ready')}"
        elif status.get("failures") and is_true(obj, "Ready"):
            yield f"{status['failures']} failures are not forgotten yet"
        if is_true(obj, "Ready") != all(is_true(obj, stage) for stage in STAGES):
            yield f"Ready is {why(obj, 'Ready')}, against its stages"

    # ------------------------------------------------------------ testbeds

    def _testbed(self, obj: Object) -> Iterator[str]:
        name, status = obj["metadata"]["name"], obj.get("status") or {}
        if obj["metadata"].get("deletionTimestamp") and not self._in_use(name):
            return  # complained of already
        if status.get("observedGeneration") != obj["metadata"]["generation"]:
            yield f"generation {obj['metadata']['generation']} was not observed"
            return
        held = [r for d in self._deployments if (r := held_by(d)).get("testbed") == name]
        nodes = sum(len(r["machines"]) for r in held) + sum(1 for _ in self._orphans(name))
        if (status.get("allocated") or {}).get("nodes") != nodes:
            yield f"allocated {status.get('allocated')}, held are {nodes} nodes"
        looked_at = {node["spec"]["flavour"] for node in self._nodes if node["spec"]["testbed"] == name}
        looked_at |= set(obj["spec"].get("flavours") or ("simulated", "simulated-fast"))
        seen = len(
            [1 for at, record in self._machines.items() if at[0] == name and record.flavour in looked_at]
        )
        if status.get("machines") != seen:
            yield f"counts {status.get('machines')} machines, there are {seen}"
        waiting = sum(1 for d in self._deployments if self._waits_for(d, name))
        if status.get("waiting") != waiting:
            yield f"counts {status.get('waiting')} waiting, there are {waiting}"
        if is_true(obj, "Ready") == bool(obj["spec"].get("suspend")):
            yield f"Ready is {why(obj, 'Ready')}"

    def _waits_for(self, obj: Object, testbed: str) -> bool:
        if reason_of(obj, "Admitted") != "WaitingForCapacity" or not (obj["status"].get("queue") or {}):
            return False
        named = (obj["spec"].get("testbedRef") or {}).get("name") or held_by(obj).get("testbed")
        if named:
            return bool(named == testbed)
        fit = [
            t for t in self._testbeds.values() if t["spec"].get("default") and not self._rights.unfit(obj, t)
        ]
        return bool(fit) and min(str(t["metadata"]["name"]) for t in fit) == testbed

    def _orphans(self, testbed: str) -> Iterator[Object]:
        owners = {d["metadata"]["uid"] for d in self._deployments}
        holders = {key_of(d) for d in self._deployments if held_by(d)}
        for node in self._nodes:
            owned = any(owner["uid"] in owners for owner in node["metadata"].get("ownerReferences") or ())
            adopted = (node["metadata"]["namespace"], node["spec"]["deployment"]) in holders
            if node["spec"]["testbed"] == testbed and not owned and not adopted:
                yield node
