"""Whether a node that can be reached does its job: one script asks everything, one function reads the answer.

Healthy means that no unit failed or is still starting, and that the role's readiness commands pass; a role
without any is ready when its open TCP ports accept.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from controller.model.machine import Signal

CHECK_SECONDS = 20
_MARK = "nxc-health:"
_LISTEN = "0A"
"""TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h)."""


def script(readiness: Sequence[str]) -> str:
    """A POSIX shell script that prints what `judge` reads."""
    lines = [
        f"echo {_MARK}units",
        "systemctl list-units --state=failed,activating --plain --no-legend --no-pager 2>&1",
        f"echo {_MARK}ports",
        "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null",
    ]
    for index, command in enumerate(readiness):
        lines += [
            f"said=$(timeout {CHECK_SECONDS} sh -c {shlex.quote(command)} </dev/null 2>&1); code=$?",
            f'echo {_MARK}check {index} $code; printf %s "$said" | tail -c 300 | tr "\\n" " "; echo',
        ]
    lines.append(f"echo {_MARK}end")
    return "\n".join(lines)


def time_limit(readiness: Sequence[str]) -> float:
    """Seconds that the script may take."""
    return 20.0 + (CHECK_SECONDS + 1) * len(readiness)


def judge(output: str, readiness: Sequence[str], ports: Sequence[int]) -> Signal:
    """The condition Healthy, from what the script printed. `ports`: of TCP, asked for without readiness commands."""
    sections = list(_sections(output))
    if not sections or sections[-1][0] != "end":
        return Signal(False, "NoAnswer", "the node did not finish telling how it is")
    units = next((lines for title, lines in sections if title == "units"), [])
    if (bad := _bad_unit(units)) is not None:
        return bad
    checks = [(title.split(), lines) for title, lines in sections if title.startswith("check ")]
    for (_, index, code), lines in checks:
        if code != "0":
            said = " ".join(" ".join(lines).split())[-300:]
            why = f"took longer than {CHECK_SECONDS} s" if code in ("124", "143") else f"ended with {code}"
            command = readiness[int(index)] if int(index) < len(readiness) else ""
            return Signal(
                False,
                "NotReadyYet",
                f"the readiness command {_short(command)!r} {why}{': ' if said else ''}{said}",
            )
    if not readiness and ports:
        open_ports = _listening(next((lines for title, lines in sections if title == "ports"), []))
        if missing := [port for port in ports if port not in open_ports]:
            return Signal(False, "PortClosed", f"nothing listens on TCP port {missing[0]} yet")
    return Signal(True, "Healthy", "no unit failed, and it is ready")


def _sections(output: str) -> Iterator[tuple[str, list[str]]]:
    title, lines = "", list[str]()
    for line in output.splitlines():
        if line.startswith(_MARK):
            if title:
                yield title, lines
            title, lines = line.removeprefix(_MARK).strip(), []
        elif title:
            lines.append(line)
    if title:
        yield title, lines


def _bad_unit(lines: Sequence[str]) -> Signal | None:
    """systemctl(1): UNIT LOAD ACTIVE SUB DESCRIPTION; failed ones weigh more than those that start."""
    failed: list[str] = []
    starting: list[str] = []
    for line in lines:
        words = line.removeprefix("●").split()
        if len(words) < 4 or "." not in words[0]:
            if line.strip():
                return Signal(False, "UnitsUnknown", f"its units cannot be listed: {_short(line.strip())}")
            continue
        (failed if "failed" in words[2:4] else starting).append(words[0])
    if failed:
        return Signal(False, "UnitFailed", f"failed: {', '.join(failed[:5])}")
    if starting:
        return Signal(False, "UnitStarting", f"still starting: {', '.join(starting[:5])}")
    return None


def _listening(lines: Sequence[str]) -> set[int]:
    """proc(5): `sl local_address rem_address st …`, the port in hex after the colon."""
    ports: set[int] = set()
    for line in lines:
        words = line.split()
        if len(words) > 3 and words[3] == _LISTEN and ":" in words[1]:
            ports.add(int(words[1].rpartition(":")[2], 16))
    return ports


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."
