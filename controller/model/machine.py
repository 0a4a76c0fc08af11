"""Machines as they stand in the world, and orders for new ones: what a backend and a decision share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from controller.model.deployment import Resources
from controller.model.errors import Blame
from controller.model.kinds import Key


class MachineKey(NamedTuple):
    """The name of one boot of one node: installation, the node's uid, the attempt."""

    installation: str
    node: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.installation}/{self.node}/{self.attempt}"


class Phase(StrEnum):
    """How a machine stands. GONE: it ended or vanished; only its record is left."""

    STARTING = "Starting"
    RUNNING = "Running"
    GONE = "Gone"


@dataclass(frozen=True, slots=True)
class Order:
    """A machine to boot. `owner` names the DeployedNode, `deployment` is its Deployment's uid."""

    key: MachineKey
    owner: Key
    deployment: str
    digest: str
    machine: str
    role: str
    host: str
    image: str
    resources: Resources
    kernel_parameters: tuple[str, ...]
    information: str


@dataclass(frozen=True, slots=True)
class Signal:
    """What is known of one stage of a machine. `ok` None: not known yet."""

    ok: bool | None = None
    reason: str = ""
    message: str = ""


UNSEEN = Signal()


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as it stands in the world.

    `address` is where its SSH server answers (see `controller.model.address`); `host_key` is the SSH host key
    that it reported; `information` is the digest of the deployment information it holds; all are empty before.
    `ended` says why a GONE machine is gone; `evidence` is the tail of its console; `since` is when the backend
    took the order.
    """

    key: MachineKey
    owner: Key
    deployment: str
    machine: str
    digest: str
    phase: Phase
    address: str = ""
    host_key: str = ""
    information: str = ""
    verified: Signal = UNSEEN
    reachable: Signal = UNSEEN
    healthy: Signal = UNSEEN
    ended: str = ""
    blame: Blame = Blame.TESTBED
    evidence: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything in a testbed that carries our installation's id."""

    machines: tuple[Machine, ...] = ()
    networks: tuple[str, ...] = ()
