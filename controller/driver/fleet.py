"""The nodes as their objects show them: where each answers now, and why one broke."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from controller.driver.faults import NodeFailed
from controller.driver.target import Target, attempt_of, boot_of, target_of, why_not
from controller.model.errors import Blame, NxcError
from controller.model.node import Node

LOOK_EVERY = 0.5
BOOT_LIMIT = 900.0
"""Seconds that a node may take until it answers; NixOS' driver gives machines as long."""
NOTICE_LIMIT = 5.0
"""Seconds that the controller may take to write down that a machine is gone."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the status says of a node that broke."""

    message: str
    blame: Blame | None = None


class Fleet(Protocol):
    """Where nodes answer."""

    async def find(self, host: str, *, not_boot: str, tell: Callable[[str], None]) -> Target:
        """Wait until a node can be logged in to, in another boot than `not_boot`; `tell` what it waits for.

        Raises `NodeFailed`.
        """

    async def diagnose(self, target: Target) -> Diagnosis:
        """Why a node that answered does so no longer."""


@dataclass(frozen=True, slots=True)
class NodeFleet:
    """By DeployedNodes. `look` gives that of a host as it stands; raises `NxcError` where nobody can be asked."""

    look: Callable[[str], Awaitable[Node | None]]

    async def find(self, host: str, *, not_boot: str, tell: Callable[[str], None]) -> Target:
        """See `Fleet.find`."""
        why, told = "it is not there", ""
        try:
            async with asyncio.timeout(BOOT_LIMIT):
                while True:
                    node = await self._node(host)
                    if node is not None:
                        why = why_not(node)
                        found = self._judge(node, not_boot)
                        if found is not None:
                            return found
                    if why != told:
                        tell(f"{host} is waited for: {why}")
                        told = why
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            raise NodeFailed(host, f"cannot be logged in to after {BOOT_LIMIT:.0f} s: {why}") from None

    def _judge(self, node: Node, not_boot: str) -> Target | None:
        host = node.spec.host
        if node.stalled:
            failure = node.status.last_failure
            raise NodeFailed(host, why_not(node), blame=failure.blame if failure is not None else None)
        ready = node.status.conditions["Booted"]
        if ready is not None and ready.reason == "Suspended":
            raise NodeFailed(host, ready.message, blame=Blame.USER)
        if boot_of(node) == not_boot or not node.status.host_key or not node.status.address:
            return None
        try:
            return target_of(node)
        except NxcError as error:
            raise NodeFailed(host, error.message, blame=error.blame) from None

    async def diagnose(self, target: Target) -> Diagnosis:
        """Waits a little: a machine is gone before the controller says so."""
        deadline = asyncio.get_running_loop().time() + NOTICE_LIMIT
        while True:
            try:
                node = await self.look(target.host)
            except NxcError as error:
                return Diagnosis(f"and nobody can be asked why: {error.message}", Blame.CONTROLLER)
            if node is None:
                return Diagnosis("its DeployedNode was deleted", Blame.USER)
            if node.meta.deleting:
                return Diagnosis(
                    "its DeployedNode is being deleted: by the deployment's spec, or by hand", Blame.USER
                )
            failure = node.status.last_failure
            if failure is not None and failure.attempt >= target.attempt:
                tail = (
                    f"\nthe end of its console:\n{node.status.evidence[-1500:]}"
                    if node.status.evidence
                    else ""
                )
                return Diagnosis(f"{failure.reason}: {failure.message}{tail}", failure.blame)
            if attempt_of(node) == target.attempt and boot_of(node) != target.boot:
                return Diagnosis("it restarted itself", Blame.USER)
            if boot_of(node) != target.boot:
                return Diagnosis("the controller restarted it: what it boots has changed", Blame.USER)
            if asyncio.get_running_loop().time() > deadline:
                ready = node.status.conditions["Ready"]
                how = "Ready" if ready is not None and ready.holds else f"not Ready ({why_not(node)})"
                return Diagnosis(f"the controller sees it {how}")
            await asyncio.sleep(LOOK_EVERY)

    async def _node(self, host: str) -> Node | None:
        try:
            return await self.look(host)
        except NxcError as error:
            raise NodeFailed(host, f"cannot be looked up: {error.message}", blame=Blame.CONTROLLER) from None
