"""Deployment: the roles of a composition on nodes, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from controller.model.conditions import NO_CONDITIONS, Conditions
from controller.model.meta import Meta, Object
from controller.model.names import host_aliases, host_names
from controller.model.quantity import (
    format_precise,
    format_time,
    parse_duration,
    parse_quantity,
    parse_time,
)
from controller.model.trial import Trial

DEFAULT_MEMORY = 256 * 2**20
DEFAULT_ATTEMPTS = 3


class UpdatePolicy(StrEnum):
    """What happens to running nodes when what they boot changes."""

    RECREATE = "Recreate"
    ROLLING = "RollingUpdate"
    ON_REQUEST = "OnRequest"


@dataclass(frozen=True, slots=True)
class Resources:
    """What one node takes: memory in bytes, and processors."""

    memory: int = DEFAULT_MEMORY
    cpus: int = 1

    @classmethod
    def parse(cls, value: Mapping[str, Any] | None) -> Resources:
        """Read `resources`; absent parts take their defaults."""
        value = value or {}
        memory = value.get("memory")
        return cls(parse_quantity(memory) if memory is not None else DEFAULT_MEMORY, value.get("cpus", 1))


DEFAULT_RESOURCES = Resources()


@dataclass(frozen=True, slots=True)
class Role:
    """A role with the hosts that play it, in order."""

    name: str
    hosts: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    resources: Resources = DEFAULT_RESOURCES
    min_ready: int | None = None

    @property
    def needed(self) -> int:
        """How many nodes must be ready for the role to count as ready."""
        return len(self.hosts) if self.min_ready is None else min(self.min_ready, len(self.hosts))

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Role:
        """Read an item of `spec.roles`."""
        hostnames = item.get("hostnames")
        count = 0 if hostnames else item.get("count", 1)
        return cls(
            name=item["name"],
            hosts=tuple(hostnames) if hostnames else host_names(item["name"], count),
            aliases=host_aliases(item["name"], count),
            resources=Resources.parse(item.get("resources")),
            min_ready=item.get("minReady"),
        )

    @classmethod
    def single(cls, name: str) -> Role:
        """One node of a role: what a deployment gets that lists no roles."""
        return cls(name=name, hosts=host_names(name, 1), aliases=host_aliases(name, 1))


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a deployment holds of a testbed: machines by name, and memory in bytes.

    `flavour`: that of the nodes on it, by which what they share is taken away when the spec says another.
    """

    testbed: str
    machines: tuple[str, ...]
    memory: int
    admitted: datetime | None = None
    flavour: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As `status.reservation` has it."""
        return {
            "testbed": self.testbed,
            "machines": list(self.machines),
            "memoryBytes": self.memory,
            "admittedAt": format_precise(self.admitted),
            **({"flavour": self.flavour} if self.flavour else {}),
        }

    @classmethod
    def parse(cls, value: Mapping[str, Any] | None) -> Reservation | None:
        """Read `status.reservation`."""
        if not value:
            return None
        return cls(
            value["testbed"],
            tuple(value.get("machines") or ()),
            value.get("memoryBytes", 0),
            parse_time(value.get("admittedAt")),
            value.get("flavour", ""),
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """Nodes of a deployment, counted."""

    desired: int = 0
    ready: int = 0
    up_to_date: int = 0
    failed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As `status.nodes` has it, with the summary that `kubectl get` prints."""
        return {
            "desired": self.desired,
            "ready": self.ready,
            "upToDate": self.up_to_date,
            "failed": self.failed,
            "summary": f"{self.ready}/{self.desired}",
        }


PHASES = ("requestedAt", "admittedAt", "imageReadyAt", "provisionedAt", "readyAt")
"""The moments of a deployment's way, in order (the phases of the paper's Figure 8)."""


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """The status of a Deployment as the operator last wrote it, or is about to."""

    observed_generation: int = 0
    conditions: Conditions = NO_CONDITIONS
    counts: Counts = Counts()
    testbed: str = ""
    reservation: Reservation | None = None
    queue_position: int | None = None
    image: str = ""
    lease_start: datetime | None = None
    lease_end: datetime | None = None
    timings: Mapping[str, datetime] = field(default_factory=dict)
    last_handled: str = ""
    trial: Trial | None = None

    def to_dict(self) -> dict[str, Any]:
        """As the API has it; what is unset is left out."""
        status: dict[str, Any] = {
            "observedGeneration": self.observed_generation,
            "conditions": self.conditions.to_list(),
            "nodes": self.counts.to_dict(),
        }
        if self.testbed:
            status["testbed"] = self.testbed
        if self.reservation is not None:
            status["reservation"] = self.reservation.to_dict()
        if self.queue_position is not None:
            status["queue"] = {"position": self.queue_position}
        if self.image:
            status["image"] = self.image
        if self.lease_start is not None:
            status["lease"] = {
                "startedAt": format_time(self.lease_start),
                "endsAt": format_time(self.lease_end),
            }
        if self.timings:
            status["timings"] = {name: format_precise(time) for name, time in self.timings.items()}
        if self.last_handled:
            status["lastHandledReconcileAt"] = self.last_handled
        if self.trial is not None:
            status["test"] = self.trial.to_dict()
        return status

    @classmethod
    def parse(cls, status: Mapping[str, Any] | None) -> DeploymentStatus:
        """Read what an earlier reconcile wrote."""
        status = status or {}
        lease = status.get("lease") or {}
        nodes = status.get("nodes") or {}
        timings = {
            name: time
            for name in PHASES
            if (time := parse_time((status.get("timings") or {}).get(name))) is not None
        }
        return cls(
            observed_generation=status.get("observedGeneration", 0),
            conditions=Conditions.parse(status.get("conditions")),
            counts=Counts(
                nodes.get("desired", 0),
                nodes.get("ready", 0),
                nodes.get("upToDate", 0),
                nodes.get("failed", 0),
            ),
            testbed=status.get("testbed", ""),
            reservation=Reservation.parse(status.get("reservation")),
            queue_position=(status.get("queue") or {}).get("position"),
            image=status.get("image", ""),
            lease_start=parse_time(lease.get("startedAt")),
            lease_end=parse_time(lease.get("endsAt")),
            timings=timings,
            last_handled=status.get("lastHandledReconcileAt", ""),
            trial=Trial.parse(status.get("test")),
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Deployment as decisions see it."""

    meta: Meta
    composition: str
    flavour: str
    roles: tuple[Role, ...]
    testbed: str
    machines: tuple[str, ...]
    lease: timedelta | None
    policy: UpdatePolicy
    max_unavailable: int
    attempts: int
    authorized_keys: tuple[str, ...]
    kernel_parameters: tuple[str, ...]
    test: str
    suspend: bool
    status: DeploymentStatus

    @classmethod
    def parse(cls, obj: Object) -> Deployment:
        """Read a Deployment that the API server has validated."""
        spec = obj.get("spec") or {}
        update = spec.get("update") or {}
        duration = (spec.get("lease") or {}).get("duration")
        return cls(
            meta=Meta.of(obj),
            composition=(spec.get("compositionRef") or {}).get("name", ""),
            flavour=spec.get("flavour", ""),
            roles=tuple(Role.parse(item) for item in spec.get("roles") or ()),
            testbed=(spec.get("testbedRef") or {}).get("name", ""),
            machines=tuple(spec.get("machines") or ()),
            lease=parse_duration(duration) if duration else None,
            policy=UpdatePolicy(update.get("policy", UpdatePolicy.RECREATE)),
            max_unavailable=update.get("maxUnavailable", 1),
            attempts=(spec.get("retry") or {}).get("attempts", DEFAULT_ATTEMPTS),
            authorized_keys=tuple(spec.get("authorizedKeys") or ()),
            kernel_parameters=tuple(spec.get("kernelParameters") or ()),
            test=(spec.get("test") or {}).get("run", "Never"),
            suspend=bool(spec.get("suspend", False)),
            status=DeploymentStatus.parse(obj.get("status")),
        )
