"""One piece of work: the image of one content for one flavour, for everybody who wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from controller.build.engine import Order
from controller.build.records import Record
from controller.model.composition import TEST_SCRIPT_LIMIT, Image, ImageState
from controller.model.errors import Blame, NxcError
from controller.model.kinds import Key

PATH_LIMIT = 255
"""Characters of a path that the schema of the status accepts."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a requester asks of the work, beside its result."""

    timeout: timedelta
    check: bool = False


@dataclass(slots=True, eq=False)
class Work:
    """How far it is. `task` runs while something is to be done; `limit` ends it when its time is up."""

    content: str
    flavour: str
    tree: str
    order: Order
    arrival: int
    requesters: dict[Key, Terms] = field(default_factory=dict)
    state: ImageState = ImageState.PENDING
    progress: str = ""
    reason: str = ""
    message: str = ""
    blame: Blame = Blame.USER
    evaluated: bool = False
    roles: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    output: str = ""
    record: Record | None = None
    failures: int = 0
    checked: bool = False
    """Whether it was tried to build it a second time."""
    given: timedelta = timedelta(0)
    """The longest time that it was given so far."""
    task: asyncio.Task[None] | None = None
    limit: asyncio.Timeout | None = None
    started: float = 0.0
    woken: float = float("-inf")
    alarm: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """For people, logs and files: short, and hardly twice the same."""
        return f"{self.content.removeprefix('sha256:')[:16]}-{self.flavour}"

    @property
    def namespaces(self) -> frozenset[str]:
        """Of those who want it."""
        return frozenset(key.namespace for key in self.requesters)

    @property
    def timeout(self) -> timedelta:
        """The longest that a requester gives it."""
        return max((terms.timeout for terms in self.requesters.values()), default=timedelta(0))

    @property
    def check(self) -> bool:
        """Whether a requester wants to know if it is reproducible."""
        return any(terms.check for terms in self.requesters.values())

    def fail(self, error: NxcError) -> None:
        """It failed, for now or for good."""
        self.state, self.progress = ImageState.FAILED, ""
        self.output = ""
        self.reason, self.message, self.blame = error.reason, error.message, error.blame

    def turn(self, state: ImageState, progress: str = "") -> None:
        """It goes on."""
        self.state, self.progress, self.reason, self.message = state, progress, "", ""
        if state in (ImageState.PENDING, ImageState.EVALUATING):
            self.evaluated = False

    def image(self, source: str, progress: str) -> Image:
        """As a requester sees it whose spec has the digest `source`."""
        record = self.record
        ready = self.state is ImageState.READY and record is not None
        differs = record.differs if ready and record is not None else ""
        return Image(
            flavour=self.flavour,
            state=self.state,
            image=record.digest if ready and record is not None else "",
            source=source,
            progress=progress,
            reason="NotReproducible" if differs else self.reason,
            message=f"a second build differs: {differs}" if differs else self.message,
            blame=self.blame,
            evaluated=self.evaluated,
            details=self._details(record if ready else None),
        )

    def _details(self, record: Record | None) -> Mapping[str, Any]:
        details: dict[str, Any] = {"packageSource": self.order.packages.name, "pin": self.order.pin}
        if record is not None:
            details |= {
                "drv": record.drv,
                "manifest": f"{record.output}/manifest.json",
                "storePaths": [path for path in record.store_paths if len(path) <= PATH_LIMIT],
                "sizeBytes": record.size,
                "closureBytes": record.closure_size,
                "evalSeconds": record.eval_seconds,
                "buildSeconds": record.build_seconds,
            }
            if record.limitations:
                details["limitations"] = list(record.limitations)
            if record.reproducible is not None:
                details["reproducible"] = record.reproducible
            if 0 < len(record.test_script) <= TEST_SCRIPT_LIMIT:
                details["testScript"] = record.test_script
        return details
