"""Whose fault it is when a container does not start, or ends: from the engine's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from controller.model.errors import Blame, NxcError
from controller.testbeds.engine import Ending

_AWAY = (
    "cannot connect to the docker daemon|connection refused|error during connect|connect: no such file"
    "|unexpected eof|connection reset by peer"
)
_RULES: Sequence[tuple[str, str, Blame, str]] = (
    (r"port is already allocated|address already in use|bind for \S+ failed", "PortInUse", Blame.USER,
     "a port that dockerPorts publishes is taken on the host"),
    (r"cannot assign requested address", "AddressNotHere", Blame.TESTBED,
     "an address that dockerPorts publishes on is not one of the host's"),
    (r"no space left on device|disk quota exceeded", "EngineDiskFull", Blame.TESTBED,
     "the engine's disk is full"),
    (r"bind source path does not exist|bind mount source path does not exist", "StoreNotShared", Blame.TESTBED,
     "the engine does not see the store of this host: is it on another one?"),
    (_AWAY, "EngineAway", Blame.TESTBED,
     "the Docker engine went away"),
    (r"no such image|image .* not found|unable to find image", "BaseImageMissing", Blame.TESTBED,
     "the empty base image is gone; it is made again"),
    (r"pool overlaps|could not find an available.* address pool", "NetworkOverlaps", Blame.TESTBED,
     "the network's addresses are taken by another network of the host"),
    (r"network .* (was found but|not found)|network with name .* already exists", "NetworkNameTaken", Blame.TESTBED,
     "the deployment's network is gone, or its name is taken"),
    (r"address already in use|no available ip|is already in use by container|conflict\. the container name",
     "NameTaken", Blame.TESTBED, "the container's name or address is taken"),
    (r"cannot allocate memory|minimum memory limit|oom", "TooLittleMemory", Blame.USER,
     "its memory is too small, or the host's is used up"),
    (r"cpu.* exceeds|range of cpus", "TooManyProcessors", Blame.USER,
     "it asks for more processors than the host has"),
    (r"operation not permitted|permission denied|no such file or directory.*init", "RuntimeRefused", Blame.TESTBED,
     "the host's container runtime refused"),
)  # fmt: skip
_TRANSIENT = frozenset({"EngineAway", "BaseImageMissing"})


def refusal(said: str) -> NxcError:
    """What docker compose's last words mean."""
    words = " ".join(said.split())
    lower = words.lower()
    for pattern, reason, blame, sentence in _RULES:
        if re.search(pattern, lower) is not None:
            return NxcError(reason, f"{sentence}: {words[-400:]}", blame=blame)
    return NxcError(
        "EngineRefused", f"the container could not be started: {words[-500:]}", blame=Blame.TESTBED
    )


def transient(error: NxcError) -> bool:
    """Whether the same order can succeed in a moment, with nothing changed."""
    return error.reason in _TRANSIENT


def ending(end: Ending, *, while_away: bool) -> tuple[str, Blame]:
    """Why a container ended, and who can mend that. `while_away`: nobody could ask the engine when it did."""
    if end.out_of_memory:
        return "its memory is too small: the kernel ended it (out of memory)", Blame.USER
    if while_away:
        return "it ended while the Docker engine was away or restarted", Blame.TESTBED
    if end.error:
        return f"the engine says: {end.error[:300]}", Blame.TESTBED
    if end.code == 0:
        return "the container shut down by itself", Blame.USER
    if end.code > 128:
        return f"its PID 1 was ended by signal {end.code - 128}", Blame.TESTBED
    return f"its PID 1 ended with {end.code}", Blame.USER
