"""The course of a piece of work: known already? else wait for a turn, evaluate, build, read, record."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from controller.build.api import BuildContext
from controller.build.engine import Engine
from controller.build.records import Record, Records
from controller.build.retention import Retention
from controller.build.slots import Slots
from controller.build.work import Work
from controller.model.composition import ImageState
from controller.model.errors import Blame, NxcError, UserError
from controller.plan.build import retry_after

logger = logging.getLogger(__name__)

LOOKS = 4
"""How many records are compared with the store at a time."""
EVALUATION_LIMIT = 300.0
"""Seconds for one evaluation, whatever the composition gives itself; a whole NixOS takes ten."""
BUILD_LIMIT = 7 * 86400.0
"""The same for a build: it is ended by its work's own limit, which moves as requesters come and go."""
ROLES = 256
"""Roles that the schema of the status accepts."""
_ROLE = re.compile(r"[a-z0-9]([-a-z0-9]{0,57}[a-z0-9])?")
TAIL = 1500
"""Bytes of a log's end that are shown."""


class Repinned(Exception):
    """The packages are other ones than those that the work is for: this work is nobody's any more."""


class Stir(Protocol):
    """Tells those who want a work that it changed."""

    def __call__(self, work: Work, *, now: bool = False) -> None: ...


class Course:
    """Takes works from where they are to an image, or to a failure that is told."""

    def __init__(
        self,
        engine: Engine,
        records: Records,
        slots: Slots,
        retention: Retention,
        context: BuildContext,
        stir: Stir,
        repin: Callable[[Work], Awaitable[None]],
        *,
        logs: Path,
        offload: Callable[..., Awaitable[Any]],
    ) -> None:
        self._engine, self._records, self._slots, self._retention = engine, records, slots, retention
        self._context, self._metrics, self._stir, self._repin = context, context.metrics, stir, repin
        self._logs, self._offload = logs, offload
        self._looks = asyncio.Semaphore(LOOKS)

    def wants_check(self, work: Work) -> bool:
        """Whether somebody asks if an image is reproducible, and nobody has looked."""
        return (
            work.check
            and not work.checked
            and work.state is ImageState.READY
            and work.record is not None
            and work.record.reproducible is None
        )

    async def run(self, work: Work) -> None:
        """Until it has an image or has failed for good; what is not its fault is tried again."""
        while True:
            try:
                await self._try(work)
                break
            except Repinned:
                work.failures += 1
            except UserError as error:
                self._fail(work, error)
                return
            except NxcError as error:
                self._fail(work, error)
            except Exception as error:
                logger.exception("a bug in the controller while building %s", work.name)
                what = f"a bug in the controller: {type(error).__name__}: {error}"
                self._fail(work, NxcError("BuilderFailed", what))
            await asyncio.sleep(retry_after(work.failures) * self._context.rng.uniform(0.9, 1.1))
        if self.wants_check(work):
            await self._check(work)

    async def _try(self, work: Work) -> None:
        """Once; where the packages turned out to be other ones, those are known then."""
        try:
            await self._once(work)
        except Repinned:
            work.turn(ImageState.PENDING)
            await self._repin(work)  # by which its requesters turn to another work, and this one is cancelled
            raise

    def _fail(self, work: Work, error: NxcError) -> None:
        work.failures += 1
        if error.blame is not Blame.USER:
            again = retry_after(work.failures)
            error = NxcError(
                error.reason, f"{error.message} (tried again in {again:.0f} s)", blame=error.blame
            )
            logger.warning("%s of %s: %s", error.reason, work.name, error.message)
        work.fail(error)
        self._metrics.builds.labels(work.flavour, error.reason).inc()
        self._stir(work, now=True)

    async def _once(self, work: Work) -> None:
        if await self._known(work):
            return
        work.turn(ImageState.PENDING)
        queued = self._now()
        self._stir(work, now=True)
        async with self._slots.slot(work):
            self._metrics.build_seconds.labels("queue").observe(self._now() - queued)
            work.given, work.started = work.timeout, self._now()
            try:
                async with asyncio.timeout_at(work.started + work.given.total_seconds()) as work.limit:
                    await self._build(work)
            except TimeoutError:
                raise await self._too_long(work) from None
            finally:
                work.limit = None

    async def _known(self, work: Work) -> bool:
        """Whether the image was built before, and is still there."""
        record = self._records.get(work.content, work.flavour)
        if record is None:
            return False
        async with self._looks:
            if not await self._engine.valid(record.output):
                await self._offload(self._records.remove, record)
                return False
        self._done(work, record)
        self._metrics.builds.labels(work.flavour, "Known").inc()
        return True

    async def _build(self, work: Work) -> None:
        await self._retention.make_room()
        begun = self._now()
        work.turn(ImageState.EVALUATING)
        self._stir(work, now=True)
        evaluated = await self._engine.evaluate(work.order, min(EVALUATION_LIMIT, self._left(work)))
        _check_roles(evaluated.roles)
        between = self._now()
        self._metrics.build_seconds.labels("evaluate").observe(between - begun)
        work.roles, work.warnings, work.evaluated = evaluated.roles, evaluated.warnings, True
        work.output = evaluated.output
        self._engine.keep(evaluated.output)
        work.turn(ImageState.BUILDING, "bringing packages")
        self._stir(work, now=True)
        if await self._engine.provide(work.order, evaluated) != work.order.pin:
            raise Repinned

        def progress(text: str) -> None:
            if text != work.progress:
                work.progress = text
                self._stir(work)

        await self._engine.build(evaluated, BUILD_LIMIT, self._logs / f"{work.name}.log", progress)
        produced = await self._engine.inspect(evaluated, work.flavour)
        ended = self._now()
        self._metrics.build_seconds.labels("build").observe(ended - between)
        record = Record(
            content=work.content,
            flavour=work.flavour,
            digest=produced.digest,
            output=evaluated.output,
            drv=evaluated.drv,
            roles=evaluated.roles,
            warnings=evaluated.warnings,
            store_paths=produced.store_paths,
            size=produced.size,
            closure_size=produced.closure_size,
            eval_seconds=round(evaluated.seconds, 3),
            build_seconds=round(ended - between, 3),
            package_source=work.order.packages.name,
            pin=work.order.pin,
            test_script=produced.test_script,
            limitations=produced.limitations,
        )
        await self._offload(self._records.put, record)
        self._done(work, record)
        self._metrics.builds.labels(work.flavour, "Built").inc()

    def _done(self, work: Work, record: Record) -> None:
        work.record, work.output = record, record.output
        work.roles, work.warnings, work.evaluated, work.failures = record.roles, record.warnings, True, 0
        self._engine.keep(record.output)
        work.turn(ImageState.READY)
        self._stir(work, now=True)

    async def _check(self, work: Work) -> None:
        """Build it once more. What that shows stands beside the image; a failure of ours shows nothing."""
        record = work.record
        assert record is not None
        work.checked = True
        try:
            async with self._slots.slot(work), asyncio.timeout(work.timeout.total_seconds()):
                begun = self._now()
                log = self._logs / f"{work.name}.check.log"
                differs = await self._engine.check(record.drv, work.timeout.total_seconds(), log)
        except (NxcError, TimeoutError) as error:
            logger.warning("%s could not be built a second time: %s", work.name, error)
            return
        self._metrics.build_seconds.labels("check").observe(self._now() - begun)
        record = replace(record, reproducible=not differs, differs=differs[:2000])
        await self._offload(self._records.put, record)
        work.record = record
        self._stir(work, now=True)

    async def _too_long(self, work: Work) -> UserError:
        doing = f"building ({work.progress or 'nothing built yet'})" if work.evaluated else "evaluating"
        tail = await self._offload(_tail, self._logs / f"{work.name}.log") if work.evaluated else ""
        shown = (
            f"; the log ends with:\n{tail}\n(whole log: {self._logs / f'{work.name}.log'})" if tail else ""
        )
        return UserError(
            "BuildTimeout" if work.evaluated else "EvaluationTimeout",
            f"not done within spec.build.timeout ({work.given}), still {doing}: "
            f"give it more time, or find what hangs{shown}",
        )

    def _left(self, work: Work) -> float:
        return max(1.0, work.started + work.timeout.total_seconds() - self._now())

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _check_roles(roles: tuple[str, ...]) -> None:
    """What the status cannot hold, nobody can deploy."""
    if len(roles) > ROLES:
        raise UserError("TooManyRoles", f"the composition has {len(roles)} roles, and may have {ROLES}")
    if not roles:
        raise UserError("NoRoles", "the composition has no roles: give it some in `roles = { … }`")
    for role in roles:
        if _ROLE.fullmatch(role) is None:
            raise UserError("RoleName", f"the role {role[:80]!r} is no DNS label of at most 59 characters")


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            return file.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
