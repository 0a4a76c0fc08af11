"""How much an evaluation or a build may use. Sizes are bytes, times seconds of the wall clock."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class EvalLimits:
    """One evaluation. `output` bounds what it prints: its result, and its warnings and traces."""

    seconds: float = 120
    memory: int = 4 * GIB
    output: int = 16 * MIB


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """One realisation: a derivation and all it needs that is not in the store yet.

    `log` and `disk` count everything that this realisation builds together: what builders print, and what
    they have written at one moment (build directories and new outputs). `free` is what must stay free on
    the store's file system. `file` bounds a single file. `memory` and `processes` need a control group to
    hold for all builders together; without one they hold for each process, and for the Nix user, alone.
    `closure` bounds what the result needs at run time. `jobs` derivations at once, `cores` for each.
    """

    seconds: float = 3600
    silent: float = 900
    log: int = 64 * MIB
    disk: int = 16 * GIB
    free: int = 1 * GIB
    file: int = 8 * GIB
    memory: int = 8 * GIB
    processes: int = 1024
    closure: int = 16 * GIB
    jobs: int = 2
    cores: int = 2


def size(number: float) -> str:
    """A size for people: `512 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB".replace(".0 ", " ")


def duration(seconds: float) -> str:
    """A time for people: `90 s`, `15 min`, `2 h`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length or seconds == length:
            return f"{seconds / length:.1f} {unit}".replace(".0 ", " ")
    return f"{seconds:.1f} s".replace(".0 ", " ")
