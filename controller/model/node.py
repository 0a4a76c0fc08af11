"""DeployedNode: one machine of a deployment, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.model.conditions import NO_CONDITIONS, Conditions
from controller.model.deployment import DEFAULT_ATTEMPTS, DEFAULT_RESOURCES, Resources
from controller.model.errors import Blame
from controller.model.kinds import NETWORK_LABEL
from controller.model.meta import Meta, Object
from controller.model.names import digest
from controller.model.quantity import format_bytes, format_precise, parse_time

EVIDENCE_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """What one node should be. Written by the Deployment's reconciler alone.

    `information` is the digest of the deployment information that the node should hold (hosts,
    authorized keys, parameters); it is pushed to a running node and so is no part of `boot_digest`.
    """

    deployment: str
    role: str
    host: str
    machine: str
    testbed: str
    flavour: str
    image: str
    aliases: tuple[str, ...] = ()
    resources: Resources = DEFAULT_RESOURCES
    kernel_parameters: tuple[str, ...] = ()
    information: str = ""
    attempts: int = DEFAULT_ATTEMPTS

    @property
    def boot_digest(self) -> str:
        """Digest of exactly the inputs that need a new boot when they change."""
        return digest(
            [
                self.flavour,
                self.image,
                self.role,
                self.host,
                self.machine,
                self.resources.memory,
                self.resources.cpus,
                list(self.kernel_parameters),
            ]
        )

    @property
    def place(self) -> tuple[str, ...]:
        """What a node cannot change and stay the same node: another place is another node."""
        return (self.deployment, self.role, self.host, self.machine, self.testbed, self.flavour)

    def to_dict(self) -> dict[str, Any]:
        """As `spec` has it."""
        return {
            "deployment": self.deployment,
            "role": self.role,
            "host": self.host,
            "aliases": list(self.aliases),
            "machine": self.machine,
            "testbed": self.testbed,
            "flavour": self.flavour,
            "image": self.image,
            "resources": {"memory": format_bytes(self.resources.memory), "cpus": self.resources.cpus},
            "kernelParameters": list(self.kernel_parameters),
            "information": self.information,
            "retry": {"attempts": self.attempts},
        }

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> NodeSpec:
        """Read `spec`."""
        return cls(
            deployment=spec.get("deployment", ""),
            role=spec.get("role", ""),
            host=spec.get("host", ""),
            machine=spec.get("machine", ""),
            testbed=spec.get("testbed", ""),
            flavour=spec.get("flavour", ""),
            image=spec.get("image", ""),
            aliases=tuple(spec.get("aliases") or ()),
            resources=Resources.parse(spec.get("resources")),
            kernel_parameters=tuple(spec.get("kernelParameters") or ()),
            information=spec.get("information", ""),
            attempts=(spec.get("retry") or {}).get("attempts", DEFAULT_ATTEMPTS),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed, and who can mend it."""

    reason: str
    message: str
    blame: Blame
    attempt: int
    time: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `status.lastFailure` has it."""
        return {
            "reason": self.reason,
            "message": self.message[:EVIDENCE_LIMIT],
            "blame": self.blame.value,
            "attempt": self.attempt,
            "time": format_precise(self.time),
        }

    @classmethod
    def parse(cls, value: Mapping[str, Any] | None) -> Failure | None:
        """Read `status.lastFailure`."""
        if not value:
            return None
        return cls(
            value.get("reason", ""),
            value.get("message", ""),
            Blame(value.get("blame", Blame.CONTROLLER)),
            value.get("attempt", 0),
            parse_time(value.get("time")),
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One boot of a node, as recorded before the action runs.

    `number` only grows. `digest` is the `boot_digest` it was started for. `seen` says that the machine
    was observed, so that its absence from then on means that it is gone and not that it is yet to come.
    `since` is the backend's word for when the boot began that the timings are of; None: not running yet.
    """

    number: int
    digest: str
    image: str
    started: datetime
    seen: bool = False
    failed: bool = False
    since: datetime | None = None


NODE_PHASES = ("bootedAt", "informedAt", "reachableAt", "readyAt")


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The status of a DeployedNode as the operator last wrote it, or is about to."""

    observed_generation: int = 0
    conditions: Conditions = NO_CONDITIONS
    attempt: Attempt | None = None
    failures: int = 0
    next_attempt: datetime | None = None
    last_failure: Failure | None = None
    address: str = ""
    host_key: str = ""
    evidence: str = ""
    timings: Mapping[str, datetime] = field(default_factory=dict)
    last_handled: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As the API has it; what is unset is left out."""
        status: dict[str, Any] = {
            "observedGeneration": self.observed_generation,
            "conditions": self.conditions.to_list(),
            "attempt": self.attempt.number if self.attempt else 0,
            "failures": self.failures,
        }
        if self.attempt is not None:
            status["machine"] = {
                "digest": self.attempt.digest,
                "image": self.attempt.image,
                "startedAt": format_precise(self.attempt.started),
                "state": "Failed" if self.attempt.failed else "Seen" if self.attempt.seen else "Ordered",
            }
            if self.attempt.since is not None:
                status["machine"]["since"] = format_precise(self.attempt.since)
        if self.next_attempt is not None:
            status["nextAttemptAt"] = format_precise(self.next_attempt)
        if self.last_failure is not None:
            status["lastFailure"] = self.last_failure.to_dict()
        if self.address:
            status["address"] = self.address
        if self.host_key:
            status["hostKey"] = self.host_key
        if self.evidence:
            status["evidence"] = self.evidence[-EVIDENCE_LIMIT:]
        if self.timings:
            status["timings"] = {name: format_precise(time) for name, time in self.timings.items()}
        if self.last_handled:
            status["lastHandledReconcileAt"] = self.last_handled
        return status

    @classmethod
    def parse(cls, status: Mapping[str, Any] | None) -> NodeStatus:
        """Read what an earlier reconcile wrote."""
        status = status or {}
        machine = status.get("machine") or {}
        started = parse_time(machine.get("startedAt"))
        attempt = None
        if status.get("attempt") and started is not None:
            attempt = Attempt(
                number=status["attempt"],
                digest=machine.get("digest", ""),
                image=machine.get("image", ""),
                started=started,
                seen=machine.get("state") in ("Seen", "Failed"),
                failed=machine.get("state") == "Failed",
                since=parse_time(machine.get("since")),
            )
        timings = {
            name: time
            for name in NODE_PHASES
            if (time := parse_time((status.get("timings") or {}).get(name))) is not None
        }
        return cls(
            observed_generation=status.get("observedGeneration", 0),
            conditions=Conditions.parse(status.get("conditions")),
            attempt=attempt,
            failures=status.get("failures", 0),
            next_attempt=parse_time(status.get("nextAttemptAt")),
            last_failure=Failure.parse(status.get("lastFailure")),
            address=status.get("address", ""),
            host_key=status.get("hostKey", ""),
            evidence=status.get("evidence", ""),
            timings=timings,
            last_handled=status.get("lastHandledReconcileAt", ""),
        )


@dataclass(frozen=True, slots=True)
class Node:
    """A DeployedNode as decisions see it."""

    meta: Meta
    spec: NodeSpec
    status: NodeStatus

    @property
    def ready(self) -> bool:
        """Whether the node was Ready when last judged, by its present spec, and is not on its way out."""
        condition = self.status.conditions["Ready"]
        return (
            condition is not None
            and condition.holds
            and condition.generation == self.meta.generation
            and not self.meta.deleting
        )

    @property
    def network(self) -> str:
        """The uid of the Deployment on whose network it is: the one that made it, also when that is gone."""
        made_by = self.meta.labels.get(NETWORK_LABEL, "")
        return made_by or next((owner.uid for owner in self.meta.owners if owner.controller), "")

    @property
    def stalled(self) -> bool:
        """Whether the node gave up."""
        return self.status.conditions.is_true("Stalled")

    @classmethod
    def parse(cls, obj: Object) -> Node:
        """Read a DeployedNode."""
        return cls(Meta.of(obj), NodeSpec.parse(obj.get("spec") or {}), NodeStatus.parse(obj.get("status")))
