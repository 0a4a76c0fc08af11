"""Who must be let in, who must wait, and who must be refused: worked out anew, not by the operator's own code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from controller.model.quantity import parse_duration, parse_quantity
from tests.scenarios.objects import (
    DEFAULT_MEMORY,
    Object,
    held_by,
    hosts_of,
    key_of,
    named_by,
    need_of,
    owned_by,
    reason_of,
    roles_of,
    why,
)

ROLES = ("client", "server")
"""Those of every composition of a story."""


class Rights:
    """What deployments may expect, as things stand."""

    def __init__(
        self,
        *,
        deployments: Sequence[Object],
        nodes: Sequence[Object],
        testbeds: Mapping[str, Object],
        compositions: Mapping[tuple[str, str], Object],
        secrets: Sequence[Object],
    ) -> None:
        self._deployments, self._nodes, self._testbeds = deployments, nodes, testbeds
        self._compositions, self._secrets = compositions, secrets

    def refusal(self, obj: Object) -> tuple[str, ...]:
        """The reasons for which a deployment may be refused; none if it must be let in, or wait."""
        meta, spec = obj["metadata"], obj["spec"]
        held = held_by(obj)
        named = (spec.get("testbedRef") or {}).get("name")
        if named:
            testbed = self._testbeds.get(named)
            if testbed is None:
                return ("TestbedNotFound",)
            why = self.unfit(obj, testbed)
        else:
            fit = [t for t in self._testbeds.values() if not self.unfit(obj, t)]
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
                secrets = {key_of(secret) for secret in self._secrets}
                if (meta["namespace"], credentials["secretRef"]["name"]) not in secrets:
                    return ("CredentialsMissing",)
        roles = roles_of(spec, self.known_roles(obj))
        hosts = [host for role in roles for host in hosts_of(role)]
        found = []
        aliases = [f"{r['name']}1" for r in roles if "hostnames" not in r and r.get("count", 1) == 1]
        if len(set(hosts)) != len(hosts) or set(aliases) & set(hosts):
            found.append("DuplicateHost")
        if {role["name"] for role in roles} - set(ROLES):
            found.append("UnknownRole")
            if not self.known_roles(obj):
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
        nodes, memory = self._need(obj)
        capacity = testbed["spec"].get("capacity") or {}
        if capacity.get("nodes") is not None:
            numbers = [int(name.rsplit("-", 1)[1]) for name in spec.get("machines") or ()]
            if nodes > capacity["nodes"] or any(number > capacity["nodes"] for number in numbers):
                return True
        if any(not m.startswith(testbed["metadata"]["name"] + "-") for m in spec.get("machines") or ()):
            return True
        return capacity.get("memory") is not None and memory > parse_quantity(capacity["memory"])

    def known_roles(self, obj: Object) -> list[str]:
        """The roles that its composition is known to have."""
        composition = self._compositions.get(
            (obj["metadata"]["namespace"], obj["spec"]["compositionRef"]["name"])
        )
        known = ((composition or {}).get("status") or {}).get("roles")
        if known:
            return list(known)
        standing = [n for n in self._nodes if named_by(n, obj) and not n["metadata"].get("deletionTimestamp")]
        return sorted({node["spec"]["role"] for node in standing})

    def _need(self, obj: Object) -> tuple[int, int]:
        """Nodes and memory; where changes wait for a request, nodes that are there keep their size."""
        nodes, memory = need_of(obj["spec"], self.known_roles(obj))
        if (obj["spec"].get("update") or {}).get("policy") != "OnRequest":
            return nodes, memory
        sizes = {n["spec"]["host"]: n["spec"]["resources"]["memory"] for n in self._nodes if named_by(n, obj)}
        for role in roles_of(obj["spec"], self.known_roles(obj)):
            each = parse_quantity((role.get("resources") or {}).get("memory", DEFAULT_MEMORY))
            for host in hosts_of(role):
                memory += max(0, parse_quantity(sizes[host]) - each) if host in sizes else 0
        return nodes, memory

    def unfit(self, obj: Object, testbed: Object) -> str:
        """Why a testbed cannot be a deployment's; empty where it can."""
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
        if testbed["metadata"].get("deletionTimestamp") and held_by(obj).get("testbed") != name:
            return "TestbedLeaving"
        return ""

    def may_wait(self, obj: Object) -> Iterator[str]:
        """It is not admitted: that must be for want of room."""
        reason = reason_of(obj, "Admitted")
        named = (obj["spec"].get("testbedRef") or {}).get("name")
        testbeds = [t for name, t in self._testbeds.items() if named in (None, "", name)]
        if reason == "ExceedsCapacity":
            if not any(self._impossible(obj, testbed) for testbed in testbeds):
                yield f"it would fit: {why(obj, 'Admitted')}"
            return
        if reason != "WaitingForCapacity":
            yield f"it is not admitted: {why(obj, 'Admitted')}"
            return
        position = (obj["status"].get("queue") or {}).get("position")
        if position is None:
            yield "it waits, and has no place in the queue"
        elif position == 1 and not any(self._full_for(obj, testbed) for testbed in testbeds):
            yield f"it waits first in the queue, and would fit: {why(obj, 'Admitted')}"

    def _full_for(self, obj: Object, testbed: Object) -> bool:
        name = testbed["metadata"]["name"]
        capacity = testbed["spec"].get("capacity") or {}
        uid = obj["metadata"]["uid"]
        others = [d for d in self._deployments if d["metadata"]["uid"] != uid]
        held = [r for d in others if (r := held_by(d)).get("testbed") == name]
        owners = {d["metadata"]["uid"] for d in self._deployments}
        orphans = [
            n
            for n in self._nodes
            if n["spec"]["testbed"] == name and not any(owned_by(n, owner) for owner in owners)
        ]
        taken = {m for r in held for m in r["machines"]} | {n["spec"]["machine"] for n in orphans}
        memory = sum(r["memoryBytes"] for r in held)
        memory += sum(parse_quantity(n["spec"]["resources"]["memory"]) for n in orphans)
        wants_nodes, wants_memory = self._need(obj)
        mine = held_by(obj)
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
