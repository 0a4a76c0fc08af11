"""What must hold at every moment: checked at each write to the API, and at each deed in the world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from controller.local.core.storage import Change
from controller.model.kinds import (
    DEPLOYMENT,
    IN_USE_FINALIZER,
    LEASE,
    MACHINE_FINALIZER,
    NODE,
    REQUESTED_AT,
    RESERVATION_FINALIZER,
    TESTBED,
    Kind,
)
from controller.model.machine import Order
from controller.model.quantity import parse_quantity, parse_time
from nxc_simulators.life import Record, machine
from nxc_simulators.sandbox import Running, Scripts
from nxc_simulators.world import World
from tests.scenarios.server import Cluster

SPELL = 10.0
CALLS_IN_A_SPELL = 120
"""Calls with one label that an operator may make within a spell: news comes in bursts, retries do not."""
NOTICE = 200.0
"""Seconds by which what the operator writes may be behind the world: its calls have limits, and may be slow."""
OUTSIDERS = ("user", "server")
BOOTED_WITH = ("flavour", "image", "role", "machine", "resources", "kernelParameters")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be."""

    time: float
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.time:.3f} s: {self.rule}: {self.what}"


class Invariants:
    """The judge of a scenario."""

    def __init__(self, now: Callable[[], float], worlds: Mapping[str, World]) -> None:
        self._now = now
        self.violations: list[Violation] = []
        self.writes = 0
        """Writes of operators to objects of our kinds."""
        self.clock: Callable[[], datetime] | None = None
        """The operators' clock, where it can be relied on."""
        self.quiet = False
        """Whether everything has converged, so that nothing should be written."""
        self.cluster: Cluster
        self.scripts = Scripts()
        self.on_broken: Callable[[Violation], None] = lambda violation: None
        self._spell = 0
        self._calls: Counter[str] = Counter()
        self._capacity: dict[tuple[str, str], list[tuple[float, int | None]]] = {}
        self._informed: dict[str, tuple[float, int]] = {}
        self._worlds: Mapping[str, World] = {}
        self.attend(worlds)

    def attend(self, worlds: Mapping[str, World]) -> None:
        """Watch these worlds."""
        self._worlds = worlds
        for name, world in worlds.items():
            world.listeners.append(self._look)
            world.on_breach = partial(self.broken, f"contract of backends: {name}")
            world.on_collision = self._collide

    def broken(self, rule: str, what: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(self._now(), rule, what))
        self.on_broken(self.violations[-1])

    # ------------------------------------------------------------ in the API

    def judge(self, writer: str, change: Change) -> None:
        """A change is about to be stored."""
        group, plural = change.storage
        obj, old = change.object, change.previous
        if (group, plural) == (TESTBED.group, TESTBED.plural):
            self._remember_capacity(change)
        if writer in OUTSIDERS:
            return
        if group != NODE.group:
            return
        self.writes += 1
        if self.quiet:
            what = f"{writer} writes {plural} {change.namespace}/{change.name}"
            self.broken("quiet", f"{what} without need: {'; '.join(differences(old or {}, obj))}")
        self._check_leader(writer, f"writes {plural} {change.namespace}/{change.name}")
        if plural == NODE.plural and (old is None or old.get("spec") != obj.get("spec")):
            self._check_suspended(change)
        if plural == NODE.plural and old is not None:
            self._check_tested(writer, change, old)
        if old is None:
            return
        if old.get("status") == obj.get("status"):
            left = () if change.type == "DELETED" else obj["metadata"].get("finalizers") or ()
            self._check_finalizers(plural, old, set(left))
        if change.type == "DELETED":
            return
        before, after = old.get("status") or {}, obj.get("status") or {}
        if before != after:
            self._check_status(change, before, after)
            if plural == NODE.plural:
                self._check_node(change, before, after)
            if plural == DEPLOYMENT.plural:
                self._check_deployment(change, before, after)

    def called(self, label: str) -> None:
        """An operator calls somebody: it may not do so without end."""
        moment = int(self._now() / SPELL)
        if moment != self._spell:
            self._spell, self._calls = moment, Counter()
        self._calls[label] += 1
        if self._calls[label] == CALLS_IN_A_SPELL:
            self.broken("no hot loop", f"{label}: {CALLS_IN_A_SPELL} times within {SPELL:g} s")

    def deed(self, writer: str, what: str) -> None:
        """An operator does something to the world."""
        self._check_leader(writer, what)

    def script_begins(self, script: Running) -> None:
        """A test script begins: of a deployment that says it is Ready, and no other one is at work on it."""
        self._check_leader(script.operator, f"tests {script.key}")
        if (other := self.scripts.of(script.uid)) is not None:
            self.broken("one script at a time", f"{script.key}: of {other.operator} and {script.operator}")
        for deployment in self.cluster.all(DEPLOYMENT):
            if deployment["metadata"]["uid"] == script.uid:
                status = deployment.get("status") or {}
                ready, test = _condition(status, "Ready"), status.get("test") or {}
                if (test.get("digest"), test.get("state")) != (script.digest, "Running"):
                    self.broken(
                        "scripts are on record", f"{script.key} is tested, and its status says {test}"
                    )
                elif ready is None or ready["status"] != "True":
                    self.broken("ready before it is tested", f"{script.key} is tested, and Ready is {ready}")

    def _check_leader(self, writer: str, what: str) -> None:
        leases = self.cluster.all(LEASE)
        holder = leases[0]["spec"].get("holderIdentity") if leases else None
        if leases and holder != writer:
            self.broken("one leader", f"{writer} {what}, while {holder or 'nobody'} holds the lease")

    def _check_status(self, change: Change, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        what = f"{change.storage[1]} {change.namespace}/{change.name}"
        was, now = before.get("observedGeneration", 0), after.get("observedGeneration", 0)
        generation = change.object["metadata"]["generation"]
        if now < was:
            self.broken("status goes forward", f"{what}: observedGeneration from {was} to {now}")
        if now > generation:
            self.broken("status goes forward", f"{what}: observedGeneration {now} of {generation}")
        old = {c["type"]: c for c in before.get("conditions") or ()}
        for condition in after.get("conditions") or ():
            earlier = old.get(condition["type"])
            if earlier is None:
                continue
            turned = earlier["status"] != condition["status"]
            moved = earlier["lastTransitionTime"] != condition["lastTransitionTime"]
            if moved and not turned:
                self.broken("transition times", f"{what}: {condition['type']} moved without a turn")
            if condition["observedGeneration"] < earlier["observedGeneration"]:
                self.broken("status goes forward", f"{what}: {condition['type']} of an older generation")

    def _check_node(self, change: Change, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        what, meta = f"node {change.namespace}/{change.name}", change.object["metadata"]
        was, now = before.get("attempt", 0), after.get("attempt", 0)
        if now < was:
            self.broken("attempts grow", f"{what}: attempt from {was} to {now}")
        if now > was + 1:
            self.broken("attempts grow", f"{what}: attempt from {was} to {now} at once")
        failed, fails = before.get("failures", 0), after.get("failures", 0)
        if fails > failed + 1 or (0 < fails < failed):
            self.broken("failures are counted", f"{what}: failures from {failed} to {fails}")
        if now == was and fails > failed and (before.get("machine") or {}).get("state") == "Failed":
            self.broken("failures are counted", f"{what}: attempt {now} failed twice")
        due = parse_time(before.get("nextAttemptAt"))
        if now == was + 1 and due is not None and self.clock is not None and due > self.clock():
            told = change.object["metadata"].get("annotations", {}).get(REQUESTED_AT, "")
            changed = before.get("observedGeneration") != after.get("observedGeneration")
            if not changed and told == before.get("lastHandledReconcileAt", ""):
                self.broken("attempts wait", f"{what}: attempt {now} before {before['nextAttemptAt']}")
        ready = _condition(after, "Ready")
        if ready is not None and ready["status"] == "True":
            self._check_ready(what, meta["uid"], change.object, after)

    def _check_ready(self, what: str, uid: str, obj: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        seen = self._informed.get(f"{uid}/{status['attempt']}/{obj['spec']['information']}")
        now = self._now()
        record = self._record(uid, status["attempt"])
        if record is not None:
            self._look(record)
            seen = self._informed.get(f"{uid}/{status['attempt']}/{obj['spec']['information']}")
        if seen is None or now - seen[0] > NOTICE:
            since = "never was" if seen is None else f"was last {now - seen[0]:.0f} s ago"
            self.broken("Ready is true", f"{what}: Ready, but its machine {since} healthy and informed")

    def _check_finalizers(self, plural: str, old: Mapping[str, Any], left: set[str]) -> None:
        meta = old["metadata"]
        gone = set(meta.get("finalizers") or ()) - left
        what = f"{plural} {meta.get('namespace', '')}/{meta['name']}"
        if gone and not meta.get("deletionTimestamp") and plural != TESTBED.plural:
            self.broken("finalizers stay", f"{what} lost {', '.join(gone)} and is not being deleted")
        if MACHINE_FINALIZER in gone:
            for record in self._records():
                if record.order.key.node == meta["uid"]:
                    self.broken(
                        "finalizers hold", f"{what} was let go while machine {record.order.key} is there"
                    )
        if RESERVATION_FINALIZER in gone:
            owned = [n for n in self.cluster.all(NODE) if _owned_by(n, meta["uid"])]
            orphaning = "orphan" in (meta.get("finalizers") or ())
            if owned and not orphaning:
                self.broken(
                    "finalizers hold", f"{what} was let go while it owns {owned[0]['metadata']['name']}"
                )

    def _check_deployment(self, change: Change, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        what = f"deployment {change.namespace}/{change.name}"
        had, has = before.get("reservation") or {}, after.get("reservation") or {}
        if not has or has == had:
            return
        names = has.get("machines") or []
        if len(set(names)) != len(names):
            self.broken("one machine once", f"{what} holds a machine twice: {names}")
        others = [
            d
            for d in self.cluster.all(DEPLOYMENT)
            if d["metadata"]["uid"] != change.object["metadata"]["uid"]
            and ((d.get("status") or {}).get("reservation") or {}).get("testbed") == has["testbed"]
        ]
        for other in others:
            shared = set(names) & set(other["status"]["reservation"].get("machines") or ())
            if shared:
                self.broken("one machine once", f"{what} and {other['metadata']['name']} both hold {shared}")
        same = had.get("testbed") == has["testbed"]
        for testbed in self.cluster.all(TESTBED):
            held = IN_USE_FINALIZER in (testbed["metadata"].get("finalizers") or ())
            if not same and testbed["metadata"]["name"] == has["testbed"] and not held:
                self.broken(
                    "finalizers hold", f"{what} is let in on {has['testbed']}, which may go at any moment"
                )
        for unit, size in (("nodes", _nodes), ("memory", _memory)):
            # orphans of its name took their machines before; it takes them up, however small the testbed is now
            if size(has) <= size(had if same else self._standing(change, has["testbed"])):
                continue
            total = size(has) + sum(size(other["status"]["reservation"]) for other in others)
            limit = self._most_capacity(has["testbed"], unit)
            if limit is not None and total > limit:
                self.broken("capacity", f"{what}: {total} {unit} of {has['testbed']} held, there are {limit}")

    def _standing(self, change: Change, testbed: str) -> Mapping[str, Any]:
        """What nodes that bear a deployment's name stand on, as a reservation has it."""
        place = (change.namespace, change.name, testbed)
        specs = [
            node["spec"]
            for node in self.cluster.all(NODE)
            if (node["metadata"]["namespace"], node["spec"]["deployment"], node["spec"]["testbed"]) == place
        ]
        memory = sum(parse_quantity(spec["resources"]["memory"]) for spec in specs)
        return {"machines": [spec["machine"] for spec in specs], "memoryBytes": memory}

    def _check_suspended(self, change: Change) -> None:
        owners = [owner["uid"] for owner in change.object["metadata"].get("ownerReferences") or ()]
        for deployment in self.cluster.all(DEPLOYMENT) if owners else ():
            meta, status = deployment["metadata"], deployment.get("status") or {}
            known = status.get("observedGeneration") == meta["generation"]
            if meta["uid"] in owners and deployment["spec"].get("suspend") and known:
                self.broken(
                    "suspended means still", f"node {change.name} of a suspended deployment was changed"
                )

    def _check_tested(self, writer: str, change: Change, old: Mapping[str, Any]) -> None:
        """No node is rebooted or taken away while its deployment's test script is at work."""
        before, after = old["metadata"], change.object["metadata"]
        sent_away = bool(after.get("deletionTimestamp")) and not before.get("deletionTimestamp")
        rebooted = any(old["spec"].get(name) != change.object["spec"].get(name) for name in BOOTED_WITH)
        if not (sent_away or rebooted):
            return
        for owner in before.get("ownerReferences") or ():
            if self.scripts.of(owner["uid"]) is not None:
                what = "sends away" if sent_away else "updates"
                self.broken("no update in a test", f"{writer} {what} node {change.namespace}/{change.name}")

    def _remember_capacity(self, change: Change) -> None:
        capacity = change.object["spec"].get("capacity") or {}
        memory = capacity.get("memory")
        for unit, amount in (
            ("nodes", capacity.get("nodes")),
            ("memory", None if memory is None else parse_quantity(memory)),
        ):
            known = self._capacity.setdefault((change.name, unit), [])
            if not known or known[-1][1] != amount:
                known.append((self._now(), amount))

    def _most_capacity(self, testbed: str, unit: str) -> int | None:
        """The most that the operator may believe the testbed to have: news takes its time."""
        known = self._capacity.get((testbed, unit), [])
        recent: list[int | None] = []
        for index, (_, amount) in enumerate(known):
            ended = known[index + 1][0] if index + 1 < len(known) else self._now()
            if ended >= self._now() - NOTICE:
                recent.append(amount)
        return None if None in recent else max((n for n in recent if n is not None), default=None)

    # ------------------------------------------------------------ in the world

    def _look(self, record: Record) -> None:
        """Remember until when a machine was in order, with which information."""
        key = record.order.key
        now = self._now()
        healthy = record.born + record.fate.healthy
        if record.fate.wrong or healthy >= record.ends or healthy > now:
            return
        for information in {record.order.information, record.pushed} - {""}:
            name = f"{key.node}/{key.attempt}/{information}"
            current = information == (record.pushed or record.order.information)
            if current:
                self._informed[name] = (min(now, record.ends), key.attempt)

    def _collide(self, order: Order, other: Record) -> None:
        if any(node["metadata"]["uid"] == other.order.key.node for node in self.cluster.all(NODE)):
            what = f"{order.owner.name} was booted on {order.machine}, where {other.order.owner.name} is"
            self.broken("one machine once", what)

    def _record(self, node: str, attempt: int) -> Record | None:
        for record in self._records():
            if record.order.key.node == node and record.order.key.attempt == attempt:
                return record
        return None

    def _records(self) -> list[Record]:
        return [record for world in self._worlds.values() for record in world.records()]


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What differs between two values, but for times of writing."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after} - {"managedFields", "resourceVersion"}):
            yield from differences(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before!r} -> {after!r}"


def _condition(status: Mapping[str, Any], type: str) -> Mapping[str, Any] | None:
    return next((c for c in status.get("conditions") or () if c["type"] == type), None)


def _owned_by(obj: Mapping[str, Any], uid: str) -> bool:
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences") or ())


def _nodes(reservation: Mapping[str, Any]) -> int:
    return len(reservation.get("machines") or ())


def _memory(reservation: Mapping[str, Any]) -> int:
    return int(reservation.get("memoryBytes") or 0)


__all__ = ["Invariants", "Kind", "Violation", "machine"]
