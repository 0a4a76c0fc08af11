"""What a test does, told as it happens: one line a step, with the seconds since the test began."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from controller.driver.terminal import printable

TAIL = 20
"""Lines of a node's error output that are kept for the report of a failure."""


@dataclass(slots=True)
class Subtest:
    """A part of a test that the script named. `passed` is None while it runs."""

    name: str
    began: float
    seconds: float = 0.0
    passed: bool | None = None


@dataclass(slots=True)
class Journal:
    """Collects and prints. `write` takes a line; `clock` gives seconds."""

    write: Callable[[str], None]
    quiet: bool = False
    clock: Callable[[], float] = time.monotonic
    steps: int = 0
    subtests: list[Subtest] = field(default_factory=list)
    doing: list[str] = field(default_factory=list)
    """What is under way, outermost first."""
    complaints: list[str] = field(default_factory=list)
    """The last lines that nodes wrote to their error output in this step."""
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def seconds(self) -> float:
        """Since the test began."""
        return self.clock() - self.began

    def log(self, message: str) -> None:
        """A line of the script's or the driver's."""
        if not self.quiet:
            indent = "  " * sum(1 for subtest in self.subtests if subtest.passed is None)
            self.write(f"{self.seconds:7.1f} s  {indent}{printable(message)}")

    def complain(self, host: str, line: str) -> None:
        """A line that a node wrote to its error output."""
        text = f"{host} # {printable(line.rpartition(chr(13))[2])}"  # of a progress bar its last state
        self.complaints = [*self.complaints[1 - TAIL :], text]
        if not self.quiet:
            self.write(f"{'':9}  {text}")

    @contextmanager
    def step(self, message: str) -> Iterator[None]:
        """Something that takes a while. What failed stays in `doing`."""
        self.log(message)
        self.steps += 1
        if not self.doing:
            self.complaints = []
        self.doing.append(message)
        yield
        self.doing.pop()

    @contextmanager
    def subtest(self, name: str) -> Iterator[None]:
        """A named part of a test; a failure in it goes on upwards."""
        self.log(f"subtest: {name}")
        part = Subtest(name, self.clock())
        self.subtests.append(part)
        try:
            yield
        except BaseException:
            part.passed = False
            raise
        else:
            part.passed = True
        finally:
            part.seconds = self.clock() - part.began
            self.log(f"{'passed' if part.passed else 'failed'}: {name} ({part.seconds:.1f} s)")
