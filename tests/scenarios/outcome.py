"""How things must stand in the end: worked out from the wish and the world, not by the operator's own code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NAMESPACE, NODE, SECRET, TESTBED
from controller.model.machine import Phase
from controller.model.quantity import parse_duration, parse_quantity, parse_time
from nxc_simulators.builder import attributes
from nxc_simulators.life import NEVER, Record, machine
from nxc_simulators.world import World
from tests.scenarios.server import Cluster

Object = Mapping[str, Any]
ROLES = ("client", "server")
DEFAULT_MEMORY = 256 * 2**20
STAGES = ("Booted", "Informed", "Verified", "Reachable", "Healthy")


class Outcome:
    """Complaints about how things stand; none when the world is as it was wished."""

    def __init__(self, cluster: Cluster, worlds: Mapping[str, World], clock: Callable[[], datetime]) -> None:
        self._cluster, self._worlds, self._clock = cluster, worlds, clock

    def complaints(self) -> Iterator[str]:
        """What is not yet, or never will be, as it should."""
        self._nodes = self._cluster.all(NODE)
        self._deployments = self._cluster.all(DEPLOYMENT)
        self._testbeds = {obj["metadata"]["name"]: obj for obj in self._cluster.all(TESTBED)}
        self._compositions = {_key(obj): obj for obj in self._cluster.all(COMPOSITION)}
        self._machines = {
            (name, record.order.key.node): record
            for name, world in self._worlds.items()
            for record in world.records()
        }
        yield from self._nothing_half_gone()
        yield from self._world_has_owners()
        for composition in self._compositions.values():
            yield from self._composition(composition)
        for deployment in self._deployments:
            for complaint in self._deployment(deployment):
                yield f"deployment {'/'.join(_key(deployment))}: {complaint}"
        for node in self._nodes:
            for complaint in self._node(node):
                yield f"node {'/'.join(_key(node))}: {complaint}"
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
                    yield f"{kind.kind} {'/'.join(_key(obj))}: generation {meta['generation']}, seen is {seen}"
        for obj in self._cluster.all(DEPLOYMENT):
            mine = [n for n in nodes if _named_by(n, obj)]
            if not all(_owned_by(n, obj["metadata"]["uid"]) for n in mine):
                continue  # orphans are counted as they will be once it takes them up
            roles = _roles(obj["spec"], self._known_roles(obj))
            wanted = {host for role in roles for host in _hosts(role)}
            standing = [n for n in mine if not n["metadata"].get("deletionTimestamp")]
            ready = sum(1 for n in standing if _is(n, "Ready") and n["spec"]["host"] in wanted)
            counted = ((obj.get("status") or {}).get("nodes") or {}).get("ready", 0)
            if ready != counted and not obj["metadata"].get("deletionTimestamp"):
                yield f"Deployment {'/'.join(_key(obj))}: {ready} nodes are ready, {counted} are counted"

    # ------------------------------------------------------------ what is gone is gone

    def _nothing_half_gone(self) -> Iterator[str]:
        for kind in (NAMESPACE, COMPOSITION, DEPLOYMENT, NODE, TESTBED):
            for obj in self._cluster.all(kind):
                if not obj["metadata"].get("deletionTimestamp"):
                    continue
                if kind is TESTBED and self._in_use(obj["metadata"]["name"]):
                    continue
                yield f"{kind.kind} {'/'.join(_key(obj))} is still being deleted"
        for node in self._nodes:
            for owner in node["metadata"].get("ownerReferences") or ():
                if owner["uid"] not in {d["metadata"]["uid"] for d in self._deployments}:
                    yield f"node {node['metadata']['name']} outlives its Deployment"

    def _in_use(self, testbed: str) -> bool:
        return any(node["spec"]["testbed"] == testbed for node in self._nodes) or any(
            _reservation(deployment).get("testbed") == testbed for deployment in self._deployments
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
                elif not _reservation(owner):
                    yield f"the network of {owner['metadata']['name']} is there, and it holds nothing"

    # ------------------------------------------------------------ compositions

    def _composition(self, obj: Object) -> Iterator[str]:
        name = "/".join(_key(obj))
        status, generation = obj.get("status") or {}, obj["metadata"]["generation"]
        if status.get("observedGeneration") != generation:
            yield f"composition {name}: generation {generation} was not observed"
            return
        if obj["spec"].get("suspend"):
            return
        wanted = set(obj["spec"].get("flavours") or ()) | {
            d["spec"]["flavour"] for d in self._users_of(obj) if not d["metadata"].get("deletionTimestamp")
        }
        failing = next((w for w in ("evaluation-fails", "build-fails") if w in _text(obj)), "")
        ready = _is(obj, "Ready")
        if wanted and ready != (not failing):
            yield f"composition {name}: Ready is {_why(obj, 'Ready')}, and its text says {failing or 'it builds'}"
        built = {image["flavour"] for image in status.get("images") or () if image["state"] == "Ready"}
        if not failing and not wanted <= built:
            yield f"composition {name}: {', '.join(sorted(wanted - built))} is not built"
        if wanted != {image["flavour"] for image in status.get("images") or ()}:
            yield f"composition {name}: its images are not those that are asked for"

    def _users_of(self, composition: Object) -> list[Object]:
        namespace, name = _key(composition)
        return [
            d
            for d in self._deployments
            if d["metadata"]["namespace"] == namespace and d["spec"]["compositionRef"]["name"] == name
        ]

    # ------------------------------------------------------------ deployments

    def _deployment(self, obj: Object) -> Iterator[str]:
        meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
        if meta.get("deletionTimestamp"):
            return  # complained of already
        if status.get("observedGeneration") != meta["generation"]:
            yield f"generation {meta['generation']} was not observed"
            return
        mine = [node for node in self._nodes if _owned_by(node, meta["uid"])]
        end = parse_time((status.get("lease") or {}).get("endsAt"))
        if end is not None and end > self._clock() and (end - self._clock()).total_seconds() < 1800:
            yield f"its lease will end at {end}"
            return
        if _is(obj, "Expired") or (end is not None and end <= self._clock()):
            if not _is(obj, "Expired"):
                yield f"its lease ended at {end}, and it does not say so"
            if mine or _reservation(obj):
                yield "its lease has ended, and it still holds nodes"
            return
        composition = self._compositions.get((meta["namespace"], spec["compositionRef"]["name"]))
        if composition is None and _reason(obj, "ImageReady") != "CompositionNotFound":
            yield f"there is no composition, and ImageReady is {_why(obj, 'ImageReady')}"
        if spec.get("suspend"):
            return
        refusal = self._refusal(obj)
        if refusal:
            if _is(obj, "Admitted"):
                yield f"it is admitted, though it should be refused ({refusal})"
            elif (reason := _reason(obj, "Admitted")) not in refusal:
                yield f"Admitted is False for {reason}, not for {' or '.join(refusal)}"
            return
        buildable = composition is not None and not any(w in _text(composition) for w in ("-fails\n",))
        if composition is not None and composition["spec"].get("suspend"):
            buildable = False
        if buildable and not _is(obj, "ImageReady"):
            yield f"its image is built, and ImageReady is {_why(obj, 'ImageReady')}"
        if not status.get("image") or (not mine and not _is(obj, "ImageReady")):
            if buildable:
                yield "its image is built, and it has none"
            return  # nothing to boot
        if not _is(obj, "Admitted"):
            yield from self._may_wait(obj)
            return
        yield from self._running(obj, mine)

    def _refusal(self, obj: Object) -> tuple[str, ...]:
        """The reasons for which a deployment may be refused; none if it must be let in, or wait."""
        meta, spec = obj["metadata"], obj["spec"]
        held = _reservation(obj)
        named = (spec.get("testbedRef") or {}).get("name")
        if named:
            testbed = self._testbeds.get(named)
            if testbed is None:
                return ("TestbedNotFound",)
            why = self._unfit(obj, testbed)
        else:
            fit = [t for t in self._testbeds.values() if not self._unfit(obj, t)]
            if not any(t["spec"].get("default") or t["metadata"]["name"] == held.get("testbed") for t in fit):
                return ("NoTestbed",)
            name = held.get("testbed")
            testbed = next((t for t in fit if t["metadata"]["name"] == name), None) or min(
                (t for t in fit if t["spec"].get("default")), key=lambda t: str(t["metadata"]["name"])
            )
            why = ""
        if why:
            return (why,)
        if not held:
            if testbed["spec"].get("suspend"):
                return ("TestbedSuspended",)
            credentials = testbed["spec"].get("credentials") or {}
            if credentials.get("mode") == "PerNamespace":
                secrets = {_key(secret) for secret in self._cluster.all(SECRET)}
                if (meta["namespace"], credentials["secretRef"]["name"]) not in secrets:
                    return ("CredentialsMissing",)
        roles = _roles(spec, self._known_roles(obj))
        hosts = [host for role in roles for host in _hosts(role)]
        found = []
        aliases = [f"{r['name']}1" for r in roles if "hostnames" not in r and r.get("count", 1) == 1]
        if len(set(hosts)) != len(hosts) or set(aliases) & set(hosts):
            found.append("DuplicateHost")
        if {role["name"] for role in roles} - set(ROLES):
            found.append("UnknownRole")
            if not self._known_roles(obj):
                return ()
        machines = spec.get("machines")
        if machines and len(machines) != len(hosts):
            found.append("MachineCount")
        longest = (testbed["spec"].get("lease") or {}).get("maximum")
        asked = (spec.get("lease") or {}).get("duration")
        if longest and asked and parse_duration(asked) > parse_duration(longest):
            found.append("LeaseTooLong")
        if found:
            return tuple(found)
        return ()

    def _impossible(self, obj: Object, testbed: Object) -> bool:
        spec = obj["spec"]
        nodes, memory = _need(spec, self._known_roles(obj))
        capacity = testbed["spec"].get("capacity") or {}
        if capacity.get("nodes") is not None:
            numbers = [int(name.rsplit("-", 1)[1]) for name in spec.get("machines") or ()]
            if nodes > capacity["nodes"] or any(number > capacity["nodes"] for number in numbers):
                return True
        if any(not m.startswith(testbed["metadata"]["name"] + "-") for m in spec.get("machines") or ()):
            return True
        return capacity.get("memory") is not None and memory > parse_quantity(capacity["memory"])

    def _known_roles(self, obj: Object) -> list[str]:
        composition = self._compositions.get(
            (obj["metadata"]["namespace"], obj["spec"]["compositionRef"]["name"])
        )
        known = ((composition or {}).get("status") or {}).get("roles")
        if known:
            return list(known)
        standing = [
            n for n in self._nodes if _named_by(n, obj) and not n["metadata"].get("deletionTimestamp")
        ]
        return sorted({node["spec"]["role"] for node in standing})

    def _unfit(self, obj: Object, testbed: Object) -> str:
        spec, name = testbed["spec"], testbed["metadata"]["name"]
        allowed = spec.get("allowedNamespaces") or {}
        match allowed.get("from", "None"):
            case "None":
                return "NotAllowed"
            case "Selector":
                labels = (allowed.get("selector") or {}).get("matchLabels") or {}
                if labels.get("team") != obj["metadata"]["namespace"]:
                    return "NotAllowed"
        if spec.get("flavours") and obj["spec"]["flavour"] not in spec["flavours"]:
            return "FlavourNotServed"
        if testbed["metadata"].get("deletionTimestamp") and _reservation(obj).get("testbed") != name:
            return "TestbedLeaving"
        return ""

    def _may_wait(self, obj: Object) -> Iterator[str]:
        """It is not admitted: that must be for want of room."""
        reason = _reason(obj, "Admitted")
        named = (obj["spec"].get("testbedRef") or {}).get("name")
        testbeds = [t for name, t in self._testbeds.items() if named in (None, "", name)]
        if reason == "ExceedsCapacity":
            if not any(self._impossible(obj, testbed) for testbed in testbeds):
                yield f"it would fit: {_why(obj, 'Admitted')}"
            return
        if reason != "WaitingForCapacity":
            yield f"it is not admitted: {_why(obj, 'Admitted')}"
            return
        position = (obj["status"].get("queue") or {}).get("position")
        if position is None:
            yield "it waits, and has no place in the queue"
        elif position == 1 and not any(self._full_for(obj, testbed) for testbed in testbeds):
            yield f"it waits first in the queue, and would fit: {_why(obj, 'Admitted')}"

    def _full_for(self, obj: Object, testbed: Object) -> bool:
        name = testbed["metadata"]["name"]
        capacity = testbed["spec"].get("capacity") or {}
        uid = obj["metadata"]["uid"]
        others = [d for d in self._deployments if d["metadata"]["uid"] != uid]
        held = [r for d in others if (r := _reservation(d)).get("testbed") == name]
        owners = {d["metadata"]["uid"] for d in self._deployments}
        orphans = [
            n
            for n in self._nodes
            if n["spec"]["testbed"] == name and not any(_owned_by(n, owner) for owner in owners)
        ]
        taken = {m for r in held for m in r["machines"]} | {n["spec"]["machine"] for n in orphans}
        memory = sum(r["memoryBytes"] for r in held)
        memory += sum(parse_quantity(n["spec"]["resources"]["memory"]) for n in orphans)
        wants_nodes, wants_memory = _need(obj["spec"], self._known_roles(obj))
        mine = _reservation(obj)
        if mine.get("testbed") == name:
            wants_nodes = max(wants_nodes, len(mine["machines"]))
            wants_memory = max(wants_memory, mine["memoryBytes"])
        if set(obj["spec"].get("machines") or ()) & taken:
            return True
        listed = len(set(obj["spec"].get("machines") or ()) - set(mine.get("machines") or ()))
        wants_nodes = max(wants_nodes, len(mine.get("machines") or ()) + listed)
        if capacity.get("nodes") is not None and wants_nodes + len(taken) > capacity["nodes"]:
            return True
        return capacity.get("memory") is not None and wants_memory + memory > parse_quantity(
            capacity["memory"]
        )

    def _running(self, obj: Object, mine: list[Object]) -> Iterator[str]:
        spec, status, held = obj["spec"], obj["status"], _reservation(obj)
        roles = _roles(spec, self._known_roles(obj))
        if not roles:
            return  # its roles stand in a composition that is gone
        hosts = {host: role["name"] for role in roles for host in _hosts(role)}
        found = {node["spec"]["host"]: node for node in mine}
        if set(found) != set(hosts):
            yield f"it has nodes {sorted(found)}, and should have {sorted(hosts)}"
            return
        for host, node in found.items():
            if node["spec"]["role"] != hosts[host]:
                yield f"{host} plays {node['spec']['role']}, not {hosts[host]}"
            if not _is(obj, "ImageReady"):
                continue  # what runs, runs on
            if node["spec"]["flavour"] != spec["flavour"] or node["spec"]["testbed"] != held.get("testbed"):
                yield f"{host} is in another place than the deployment"
            policy = (spec.get("update") or {}).get("policy", "Recreate")
            # an update that rolls stops where a node gave up: the others are not put at risk
            stuck = policy == "RollingUpdate" and any(_is(one, "Stalled") for one in mine)
            if policy != "OnRequest" and not stuck:
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
        ready = {host for host, node in found.items() if _is(node, "Ready")}
        counts = status.get("nodes") or {}
        if (counts.get("desired"), counts.get("ready")) != (len(hosts), len(ready)):
            yield f"it counts {counts.get('ready')}/{counts.get('desired')} ready; {len(ready)}/{len(hosts)} are"
        enough = all(
            len(ready & set(_hosts(role))) >= min(role.get("minReady", len(_hosts(role))), len(_hosts(role)))
            for role in roles
        )
        if _is(obj, "Ready") != enough:
            yield f"Ready is {_why(obj, 'Ready')}, with nodes {sorted(ready)} ready"

    # ------------------------------------------------------------ nodes

    def _node(self, obj: Object) -> Iterator[str]:
        meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
        if meta.get("deletionTimestamp"):
            return
        if status.get("observedGeneration") != meta["generation"]:
            yield f"generation {meta['generation']} was not observed"
            return
        suspended = any(
            _owned_by(obj, d["metadata"]["uid"]) and d["spec"].get("suspend") for d in self._deployments
        )
        world = self._worlds[spec["testbed"]]
        record = self._machines.get((spec["testbed"], meta["uid"]))
        alive = record is not None and record.alive(world.now())
        if not alive:
            if _is(obj, "Ready"):
                yield "it is Ready, and has no machine"
            if not (_is(obj, "Stalled") or suspended):
                yield f"it has no machine, and has not given up: {_why(obj, 'Ready')}"
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
            if _is(obj, stage) != signals[stage] and not (suspended and stage == "Informed"):
                yield f"{stage} is {_why(obj, stage)}, and in the world it is {signals[stage]}"
        if stands.phase is not Phase.RUNNING or not (signals["Informed"] or suspended):
            yield f"its machine is not up: {_why(obj, 'Ready')}"
        elif not signals["Reachable"]:
            yield f"its machine cannot be reached: {_why(obj, 'Ready')}"
        elif status.get("failures") and _is(obj, "Ready"):
            yield f"{status['failures']} failures are not forgotten yet"
        if _is(obj, "Ready") != all(_is(obj, stage) for stage in STAGES):
            yield f"Ready is {_why(obj, 'Ready')}, against its stages"

    # ------------------------------------------------------------ testbeds

    def _testbed(self, obj: Object) -> Iterator[str]:
        name, status = obj["metadata"]["name"], obj.get("status") or {}
        if obj["metadata"].get("deletionTimestamp"):
            return
        if status.get("observedGeneration") != obj["metadata"]["generation"]:
            yield f"generation {obj['metadata']['generation']} was not observed"
            return
        held = [r for d in self._deployments if (r := _reservation(d)).get("testbed") == name]
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
        if _is(obj, "Ready") == bool(obj["spec"].get("suspend")):
            yield f"Ready is {_why(obj, 'Ready')}"

    def _waits_for(self, obj: Object, testbed: str) -> bool:
        if _reason(obj, "Admitted") != "WaitingForCapacity" or not (obj["status"].get("queue") or {}):
            return False
        named = (obj["spec"].get("testbedRef") or {}).get("name") or _reservation(obj).get("testbed")
        if named:
            return bool(named == testbed)
        fit = [t for t in self._testbeds.values() if t["spec"].get("default") and not self._unfit(obj, t)]
        return bool(fit) and min(str(t["metadata"]["name"]) for t in fit) == testbed

    def _orphans(self, testbed: str) -> Iterator[Object]:
        owners = {d["metadata"]["uid"] for d in self._deployments}
        holders = {_key(d) for d in self._deployments if _reservation(d)}
        for node in self._nodes:
            owned = any(owner["uid"] in owners for owner in node["metadata"].get("ownerReferences") or ())
            adopted = (node["metadata"]["namespace"], node["spec"]["deployment"]) in holders
            if node["spec"]["testbed"] == testbed and not owned and not adopted:
                yield node


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]


def _reservation(obj: Object) -> Mapping[str, Any]:
    return (obj.get("status") or {}).get("reservation") or {}


def _condition(obj: Object, type: str) -> Mapping[str, Any]:
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((c for c in found if c["type"] == type), {})


def _is(obj: Object, type: str) -> bool:
    return _condition(obj, type).get("status") == "True"


def _reason(obj: Object, type: str) -> str:
    return str(_condition(obj, type).get("reason", "nothing"))


def _why(obj: Object, type: str) -> str:
    condition = _condition(obj, type)
    if not condition:
        return "not there"
    return f"{condition['status']} ({condition['reason']}: {condition.get('message', '')})"


def _owned_by(obj: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences") or ())


def _named_by(node: Object, deployment: Object) -> bool:
    """Whether a node is a deployment's, or an orphan that it will take up if it can."""
    namespace, name = _key(deployment)
    return (_key(node)[0], node["spec"]["deployment"]) == (namespace, name)


def _text(composition: Object) -> str:
    return str((composition["spec"].get("source") or {}).get("inline") or "")


def _roles(spec: Object, known: list[str]) -> list[Any]:
    listed = list(spec.get("roles") or ())
    names = {role["name"] for role in listed}
    return listed + [{"name": name} for name in sorted(known) if name not in names]


def _hosts(role: Object) -> list[str]:
    if role.get("hostnames"):
        return list(role["hostnames"])
    count = role.get("count", 1)
    return [role["name"]] if count == 1 else [f"{role['name']}{i}" for i in range(1, count + 1)]


def _need(spec: Object, known: list[str]) -> tuple[int, int]:
    nodes = memory = 0
    for role in _roles(spec, known):
        asked = (role.get("resources") or {}).get("memory")
        each = DEFAULT_MEMORY if asked is None else parse_quantity(asked)
        nodes += len(_hosts(role))
        memory += len(_hosts(role)) * each
    return nodes, memory


__all__ = ["Outcome", "attributes"]
