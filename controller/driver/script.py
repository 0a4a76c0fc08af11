"""A test script: what it may name, how it is run, and what came of it."""

from __future__ import annotations

import keyword
import linecache
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any
from unittest import TestCase

from controller.driver.faults import NodeFailed, NoSuchMethod, NotSupported, ScriptFailed, TimeIsUp
from controller.driver.journal import Journal
from controller.driver.machine import Machine, retry
from controller.driver.polling import polling_condition
from controller.model.errors import Blame
from controller.model.quantity import counted

NAME = "<testScript>"
"""What tracebacks call the script."""


class Verdict(StrEnum):
    """What came of a test. BROKEN: it could not be run to its end, and says nothing of the system under test."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "could not be run"


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict, with what a person needs: `line` is the script's, from 1; 0 where none is known.

    `broken_by`: whose fault it is that a test could not be run, where that is known.
    """

    verdict: Verdict
    message: str = ""
    fault: str = ""
    line: int = 0
    output: str = ""
    broken_by: Blame | None = None

    @property
    def blame(self) -> Blame | None:
        """Whose fault it is; `None` where it passed, and where nobody knows."""
        return Blame.USER if self.verdict is Verdict.FAILED else self.broken_by


def symbols(
    machines: Sequence[tuple[Machine, str, Sequence[str]]], journal: Journal, *, start_all: Callable[[], None]
) -> dict[str, Any]:
    """The names that a script may use. `machines`: each with its role and its other names.

    Hosts as in NixOS' driver, with `-` as `_`; beside them other names of hosts, and a role's name for its
    first node where no host is called so. `machine` where there is but one. `roles` has all nodes by role.
    """
    found: dict[str, Any] = {}
    for machine, role, aliases in reversed(machines):
        for name in (role, *aliases):
            found[variable(name)] = machine
    for machine, _, _ in machines:
        found[variable(machine.name)] = machine
    everyone = [machine for machine, _, _ in machines]
    roles: dict[str, list[Machine]] = {}
    for machine, role, _ in machines:
        roles.setdefault(role, []).append(machine)
    if len(everyone) == 1:
        found.setdefault("machine", everyone[0])

    def join_all() -> None:
        for machine in everyone:
            machine.wait_for_shutdown()

    general: dict[str, Any] = {
        "start_all": start_all,
        "join_all": join_all,
        "machines": everyone,
        "roles": roles,
        "vlans": [],
        "subtest": journal.subtest,
        "retry": retry,
        "log": Log(journal),
        "polling_condition": lambda *args, **kwargs: polling_condition(everyone, *args, **kwargs),
        "serial_stdout_on": lambda: None,
        "serial_stdout_off": lambda: None,
        "os": os,
        "Machine": Machine,
        "t": TestCase(),
    }
    return {"__name__": "__main__", **general, **found}


class Log:
    """The script's `log`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def info(self, message: object, *_: object) -> None:
        """A line in the test's log."""
        self._journal.log(str(message))

    log = warning = error = debug = info

    @contextmanager
    def nested(self, message: str, attributes: Mapping[str, str] | None = None) -> Iterator[None]:
        """A step."""
        del attributes
        with self._journal.step(message):
            yield


def variable(name: str) -> str:
    """A host's or role's name as one of Python's."""
    name = name.replace("-", "_").replace(".", "_")
    return f"_{name}" if name[:1].isdigit() or keyword.iskeyword(name) else name


def run(text: str, names: dict[str, Any], journal: Journal) -> Result:
    """Run a script to its end. `KeyboardInterrupt` goes through."""
    linecache.cache[NAME] = (len(text), None, text.splitlines(keepends=True), NAME)
    try:
        code = compile(text, NAME, "exec")
    except (SyntaxError, ValueError) as error:
        line = (error.lineno or 0) if isinstance(error, SyntaxError) else 0
        return Result(Verdict.FAILED, f"the script is no Python: {error}", SCRIPT, line)

    def execute() -> None:
        exec(code, names)  # noqa: S102 - it is what the caller asked for; docs/access.md says whose code it is

    names["test_script"] = execute
    try:
        execute()
    except SystemExit as error:
        if error.code in (None, 0):
            return Result(Verdict.PASSED)
        return Result(
            Verdict.FAILED, f"the script ended itself with {error.code}", COMPOSITION, line_of(error)
        )
    except Exception as error:
        return judge(error, journal)
    return Result(Verdict.PASSED)


SCRIPT = "the test script's: it asks for something that cannot be"
COMPOSITION = (
    "the composition's, or its test script's: the nodes answered, and did not do what the script asks"
)
_BY_BLAME = {
    Blame.USER: "the composition's: its node ended by itself, or was taken away (see above)",
    Blame.TESTBED: "the testbed's, or that of the way to it: not the composition's",
    Blame.CONTROLLER: "the controller's: not the composition's",
    None: "nobody knows: the node, or the way to it, broke; the composition may have caused it",
}


def judge(error: Exception, journal: Journal) -> Result:
    """What a script's exception says, and whose fault that is."""
    line = line_of(error)
    match error:
        case TimeIsUp():
            doing = f", while {journal.doing[-1]}" if journal.doing else ""
            return Result(Verdict.FAILED, f"{error}{doing}", COMPOSITION, line)
        case NotSupported() | NoSuchMethod():
            return Result(Verdict.FAILED, str(error), SCRIPT, line)
        case ScriptFailed():
            return Result(Verdict.FAILED, str(error), COMPOSITION, line, error.output)
        case NodeFailed():
            fault = _BY_BLAME[error.blame]
            return Result(Verdict.BROKEN, str(error), fault, line, broken_by=error.blame)
        case AssertionError():
            why = str(error) or "an assertion does not hold"
            return Result(Verdict.FAILED, why, COMPOSITION, line)
    told = "".join(traceback.format_exception_only(error)).strip()
    if not _ours(error.__traceback__):
        return Result(Verdict.FAILED, told, SCRIPT, line)
    where = "".join(traceback.format_tb(error.__traceback__)[-3:])
    return Result(
        Verdict.BROKEN,
        f"{told}\n{where}",
        "ours: this is a bug of the test driver, please report it",
        line,
        broken_by=Blame.CONTROLLER,
    )


def line_of(error: BaseException) -> int:
    """The line of the script where an exception came from: the innermost one; 0 where there is none."""
    lines = [number for frame, number in traceback.walk_tb(error.__traceback__) if _name(frame) == NAME]
    return lines[-1] if lines else 0


def _ours(trace: TracebackType | None) -> bool:
    """Whether an exception came up in this package, below the script's last line."""
    names = [_name(frame) for frame, _ in traceback.walk_tb(trace)]
    after = names[len(names) - names[::-1].index(NAME) :] if NAME in names else names
    return any(name.startswith(os.path.dirname(__file__)) for name in after)


def _name(frame: Any) -> str:
    return str(frame.f_code.co_filename)


def report(result: Result, text: str, journal: Journal) -> str:
    """The end of a test, for people."""
    passed = sum(1 for part in journal.subtests if part.passed)
    parts = f"{passed} of {len(journal.subtests)} subtests, " if journal.subtests else ""
    heading = f"{result.verdict.value}: {parts}{counted(journal.steps, 'step')} in {journal.seconds:.1f} s"
    lines = [heading]
    if result.verdict is Verdict.PASSED:
        return heading
    lines += [f"  failed subtest: {part.name}" for part in journal.subtests if part.passed is False]
    lines += _excerpt(text, result.line)
    lines.append(f"  {result.message}")
    if result.output.strip():
        lines += ["  its output:", *(f"    {line}" for line in result.output.rstrip().splitlines())]
    if journal.complaints:
        lines += ["  its error output:", *(f"    {line}" for line in journal.complaints)]
    lines.append(f"  whose fault: {result.fault}")
    return "\n".join(lines)


def _excerpt(text: str, line: int) -> list[str]:
    """The line of the script, between its neighbours."""
    lines = text.splitlines()
    if not 0 < line <= len(lines):
        return []
    width = len(str(line + 1))
    return [
        f"  {'>' if number == line else ' '} {number:>{width}} | {lines[number - 1]}"
        for number in range(max(1, line - 1), min(len(lines), line + 1) + 1)
    ]
