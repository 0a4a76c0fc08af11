"""`polling_condition`: what must stay true while a part of a script runs (NixOS manual, "Writing Tests")."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol

from controller.driver.faults import ScriptFailed


class Checked(Protocol):
    """What runs checks before each of its commands."""

    checks: list[Callable[[], None]]


class Condition:
    """Holds or not, looked at each `interval` seconds between the commands inside of `with`."""

    def __init__(
        self, machines: Sequence[Checked], holds: Callable[[], Any], interval: float, about: str
    ) -> None:
        self._machines, self._holds, self._interval, self._about = machines, holds, interval, about
        self._due = 0.0
        self._entered = 0

    def check(self) -> None:
        """Fail where it does not hold; a condition that gives nothing holds unless it raises."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._interval
        try:
            held = self._holds()
        except (ScriptFailed, AssertionError) as error:
            raise ScriptFailed(f"polling condition failed: {self._about}: {error}") from None
        if held is not None and not held:
            raise ScriptFailed(f"polling condition failed: {self._about}")

    def wait(self, timeout: float = 900) -> None:
        """Wait until it holds."""
        from controller.driver.machine import retry

        def holds(_: bool) -> bool:
            self._due = 0.0
            try:
                self.check()
            except ScriptFailed:
                return False
            return True

        retry(holds, timeout)

    def __enter__(self) -> None:
        self._entered += 1
        if self._entered == 1:
            for machine in self._machines:
                machine.checks.append(self.check)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered -= 1
        if self._entered == 0:
            for machine in self._machines:
                machine.checks.remove(self.check)


def polling_condition(
    machines: Sequence[Checked],
    fun: Callable[[], Any] | None = None,
    *,
    seconds_interval: float = 2.0,
    description: str | None = None,
) -> Any:
    """The decorator, with or without arguments."""

    def decorate(holds: Callable[[], Any]) -> Condition:
        about = description or (holds.__doc__ or "").strip() or holds.__name__
        return Condition(machines, holds, seconds_interval, about)

    return decorate if fun is None else decorate(fun)
