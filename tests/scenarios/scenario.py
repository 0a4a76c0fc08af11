"""One scenario: a cluster, worlds, operators and a story, from one seed."""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial

from controller.app import Operator, Settings
from controller.model.kinds import COMPOSITION, NAMESPACE, WATCHED
from controller.runtime.leader import LeaseTimes
from nxc_simulators.builder import SimulatedBuilders, Store
from nxc_simulators.flavour import SimulatedFlavour
from nxc_simulators.policy import Policy
from nxc_simulators.sandbox import Scripts, simulated_sandbox
from nxc_simulators.world import World
from tests.scenarios.clock import LIFE, Life, VirtualLoop, Wall
from tests.scenarios.hostile import HostileFlavour
from tests.scenarios.invariants import Invariants, Violation
from tests.scenarios.kopf import Watcher
from tests.scenarios.outcome import Outcome
from tests.scenarios.server import Cluster, SimApi
from tests.scenarios.story import TESTBEDS, Story
from tests.scenarios.trace import Trace
from tests.scenarios.weather import Dice, Weather, storm

CONVERGENCE = 9000.0
"""Seconds of virtual time within which everything must be as wished, once all is calm: three attempts that
hang until their limit, the back-offs between them, and a resync."""
LOOK = 15.0
UP_AGAIN = 100.0
"""Seconds after an operator died or was cut off until one leads again: it is started again, and the lease
expires."""
PROMPT = 45.0
"""Seconds of virtual time within which every change is seen to, when no news is lost: before the operator
would look again without news."""
QUIET = 700.0
"""Seconds of virtual time in which a converged operator must write nothing: more than a resync."""
HOME = "nxc-system"


@dataclass(slots=True)
class Result:
    """What came of a scenario."""

    seed: int
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    fingerprint: str = ""
    trace: Trace | None = None


class Scenario:
    """The parts of one seed, and how they are run."""

    def __init__(self, seed: int, *, loop: VirtualLoop | None = None) -> None:
        self.seed = seed
        self.loop = loop or VirtualLoop(self._rng("loop"))
        self.trace = Trace(self.loop.time)
        rng = self._rng("setting")
        self.weather = storm(rng)
        self.wall = Wall(self.loop)
        server_wall = Wall(self.loop)
        self.worlds = {
            name: World(
                now=self.loop.time,
                policy=Policy(
                    seed=seed,
                    stage=rng.choice((0.1, 0.5, 3.0)),
                    trouble=rng.choice((0.0, 0.05, 0.2)),
                    vanishing=rng.choice((0.0, 0.1)),
                    ending=rng.choice((0.0, 0.0, 1.0, 20.0)),
                ),
            )
            for name in TESTBEDS
        }
        self.images = Store()
        self.scripts = Scripts()
        self.invariants = Invariants(self.loop.time, self.worlds)
        self.cluster = Cluster(
            self.loop,
            server_wall,
            self._rng("server"),
            self.trace,
            judge=self.invariants.judge,
            called=self.invariants.called,
        )
        self.invariants.cluster = self.cluster
        self.invariants.scripts = self.scripts
        self.scripts.on_begin = self.invariants.script_begins
        self.cluster.unguarded = partial(self.invariants.broken, "writes are guarded")
        self.story = Story(self.cluster, self.worlds, self.wall, self._rng("story"), self.trace)
        self.story.tests = self._rng("tests")
        if seed > 200:
            self.story.flavours = self._rng("flavours")
        if not self.story.jumps:
            self.invariants.clock = self.wall
        self.outcome = Outcome(self.cluster, self.worlds, self.wall, self.scripts)
        self.replicas = 2 if rng.random() < 0.3 else 1
        self.teardown = rng.random() < 0.4
        self.crashes = rng.choice((0, 0, 1, 3))
        self.settings = Settings(
            namespace=HOME,
            resync=rng.choice((60.0, 300.0)),
            workers=rng.choice((1, 4, 10)),
            leader_election=self.replicas > 1 or rng.random() < 0.3,
            lease_times=LeaseTimes(45.0, 30.0, 10.0),
            host="here",
        )
        self._chaos = self._rng("chaos")
        self._tasks: list[asyncio.Task[None]] = []
        self._lives: list[Life] = []
        self._lost = -UP_AGAIN
        """When an operator died or was cut off last."""
        self._log: logging.Handler | None = None

    def run(self) -> Result:
        """Play it to the end, or to the first violation."""
        asyncio.set_event_loop(self.loop)
        with _bugs_are_violations(self.invariants, self._log):
            try:
                self.loop.set_exception_handler(self._loop_complains)
                play = self.loop.create_task(self.play())
                self.invariants.on_broken = partial(self._broken, play)
                self.loop.run_until_complete(asyncio.wait({play}))
                if not play.cancelled():
                    play.result()
            except Exception as error:
                where = "".join(traceback.format_exception(error)[-3:])
                self.invariants.broken("no crash of the harness", f"{type(error).__name__}: {error}\n{where}")
            finally:
                self._bury()
                asyncio.set_event_loop(None)
                self.loop.close()
        self.trace.counts["boots"] = sum(
            1 for world in self.worlds.values() for deed in world.journal if deed.verb == "boot"
        )
        self.trace.counts["scripts"] = len(self.scripts.played)
        return Result(
            self.seed,
            self.invariants.violations,
            self.loop.time(),
            self.trace.counts,
            self.trace.fingerprint(),
            self.trace,
        )

    def _broken(self, play: asyncio.Task[None], violation: Violation) -> None:
        """The first violation ends the story."""
        self.trace("judge", "VIOLATION {}: {}", violation.rule, violation.what)
        play.cancel()

    def log(self) -> None:
        """Print what the operators log, with virtual times."""
        self._log = logging.StreamHandler()
        self._log.addFilter(self._stamp)
        self._log.setFormatter(
            logging.Formatter("%(virtual)10.3f  log         %(levelname)s %(name)s: %(message)s")
        )

    def _stamp(self, record: logging.LogRecord) -> bool:
        record.virtual = self.loop.time()
        return True

    def _rng(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{what}")

    def start(self) -> None:
        """Start the operators."""
        self.cluster.do("user", "create", NAMESPACE, body={"metadata": {"name": HOME}})
        for number in range(1, self.replicas + 1):
            self._later(self._supervise(f"operator-{number}"))

    async def play(self) -> None:
        """The course of things."""
        self.story.begin()
        self.start()
        self._later(self._kill_at_random())
        cutting = self._later(self._cut_off_at_random()) if self.replicas > 1 else None
        await self.story.run()
        if cutting is not None:
            cutting.cancel()
        self.good_weather()
        self.story.calm()
        await self.converge("calm", stay=self._chaos.random() < 0.4)
        await self._brisk()
        await self.converge("some more edits", stay=True)
        if self.teardown:
            self.story.tear_down()
            await self.converge("the end", stay=self._chaos.random() < 0.3)

    def _later(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self._tasks.append(task)
        return task

    def good_weather(self) -> None:
        """End every fault of networks and processes."""
        fine = Weather(latency=self.weather.latency)
        for name in Weather.__slots__:
            setattr(self.weather, name, getattr(fine, name))
        self.crashes = 0

    async def _brisk(self) -> None:
        """Users go on, calls fail now and then, but no news is lost: then everything is seen to soon."""
        await asyncio.sleep(max(0.0, self._lost + UP_AGAIN - self.loop.time()))
        self.trace("story", "users go on")
        self.weather.refused = self.weather.conflict = 0.1
        promptly = self._later(self._promptly())
        for _ in range(self._chaos.randint(2, 8)):
            self.story.nudge()
            await asyncio.sleep(self._chaos.expovariate(3.0))
        await asyncio.sleep(20.0)
        self.good_weather()
        await self.converge("some more edits", stay=False)
        promptly.cancel()

    async def _promptly(self) -> None:
        """See that nothing stays behind for long."""
        since: dict[str, float] = {}
        while True:
            now = self.loop.time()
            since = {what: since.get(what, now) for what in self.outcome.behind()}
            for what, start in since.items():
                if now - start > PROMPT:
                    self.invariants.broken("prompt", f"for {now - start:.0f} s: {what}")
            await asyncio.sleep(5.0)

    async def converge(self, after: str, *, stay: bool) -> None:
        """Wait until everything is as wished; `stay`: and see that nothing is written from then on."""
        deadline = self.loop.time() + CONVERGENCE
        while True:
            await asyncio.sleep(LOOK)
            complaint = next(self.outcome.complaints(), None) or self._to_be_built_again()
            if complaint is None:
                break
            if self.loop.time() > deadline:
                self.invariants.broken(f"convergence after {after}", complaint)
                return
        self.trace("story", "all is as wished")
        if not stay:
            return
        await asyncio.sleep(60.0)
        self.invariants.quiet = True
        await asyncio.sleep(QUIET)
        self.invariants.quiet = False
        if complaint := next(self.outcome.complaints(lasting=0.0), None):
            self.invariants.broken(f"convergence after {after}", f"undone later: {complaint}")

    def _to_be_built_again(self) -> str | None:
        """What an operator that is yet to take over will do anew, all being as wished: it tries what failed."""
        failed = any(
            image["state"] == "Failed"
            for composition in self.cluster.all(COMPOSITION)
            for image in (composition.get("status") or {}).get("images") or ()
        )
        return (
            "an operator is yet to take over" if failed and self.loop.time() < self._lost + UP_AGAIN else None
        )

    # ------------------------------------------------------------ operators

    async def _supervise(self, name: str) -> None:
        """Run an operator, and start it again when it has died."""
        run = 0
        while True:
            run += 1
            life = Life(f"{name}.{run}" if run > 1 else name)
            died = asyncio.Event()
            life.mourners.append(died.set)
            self._lives.append(life)
            self.trace(life.name, "starts")
            self.trace.count("starts")
            context = copy_context()
            context.run(LIFE.set, life)
            self._tasks.append(self.loop.create_task(self._operator(life), context=context))
            await died.wait()
            self.trace.count("crashes")
            self._lost = self.loop.time()
            await asyncio.sleep(self._chaos.choice((0.1, 2.0, 30.0)))

    async def _operator(self, life: Life) -> None:
        dice = self.dice(life)
        life.mourners.append(partial(self.scripts.died, life.name))
        api = SimApi(self.cluster, life, dice)
        flavours = {
            name: HostileFlavour(
                SimulatedFlavour(
                    name,
                    pace=pace,
                    shares_network=shared,
                    world=lambda testbed: self.worlds[testbed.meta.name],
                ),
                life,
                dice,
                self.trace,
                self.invariants.deed,
                self.invariants.called,
            )
            for name, pace, shared in (("simulated", 1.0, True), ("simulated-fast", 0.0, False))
        }
        operator = Operator(
            api=api,
            flavours=flavours,
            builders={"simulated": SimulatedBuilders(self.images, 0.5)},
            sandbox=simulated_sandbox(self.scripts, life.name),
            clock=self.wall,
            rng=self._rng(f"{life.name}/operator"),
            settings=self.settings,
            identity=life.name,
        )
        self.cluster.hearers = [operator.feed.on_event]
        watchers = [Watcher(self.cluster, kind, operator.feed.on_event, life, dice) for kind in WATCHED]
        try:
            async with asyncio.TaskGroup() as group:
                for watcher in watchers:
                    group.create_task(watcher.run())
                group.create_task(operator.run())
        except Exception as error:
            if not life.dead:
                where = "".join(traceback.format_exception(error))
                self.invariants.broken("the operator goes on", f"{life.name} ended: {where}")

    async def _kill_at_random(self) -> None:
        while True:
            await asyncio.sleep(self._chaos.uniform(5.0, 80.0))
            if self.crashes > 0:
                self.crashes -= 1
                alive = [life for life in self._lives if not life.dead]
                if alive:
                    life = self._chaos.choice(alive)
                    self.trace(life.name, "is killed")
                    life.kill()

    async def _cut_off_at_random(self) -> None:
        """Operators that run and cannot reach the API server; the testbeds they can."""
        while True:
            await asyncio.sleep(self._chaos.uniform(10.0, 120.0))
            for life in [life for life in self._lives if not life.dead][:1]:
                life.cut_off_until = self.loop.time() + self._chaos.choice((15.0, 50.0, 90.0))
                self._lost = self.loop.time()
                self.trace(life.name, "is cut off from the API server")

    # ------------------------------------------------------------ the end

    def kill_operators(self) -> None:
        """Every operator dies here and now; each is started again later."""
        for life in [life for life in self._lives if not life.dead]:
            self.trace(life.name, "is killed")
            life.kill()

    def dice(self, life: Life) -> Dice:
        """The dice of one process."""
        return Dice(self.weather, self._rng(f"{life.name}/dice"))

    def _loop_complains(self, _: object, context: dict[str, object]) -> None:
        error = context.get("exception")
        self.invariants.broken("no lost exception", f"{context.get('message')}: {error!r}")

    def _bury(self) -> None:
        """End every task, the dead ones' too, without further effect on anything."""
        for life in self._lives:
            life.kill()
        self.loop.burial = True
        for _ in range(20):
            pending = asyncio.all_tasks(self.loop)
            if not pending:
                break
            for task in pending:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(pending, timeout=100.0))


@contextmanager
def _bugs_are_violations(invariants: Invariants, log: logging.Handler | None) -> Iterator[None]:
    """What the operator logs as an error is a bug of it, and none of the faults that we make. `log` gets all."""
    logger = logging.getLogger("controller")
    handler = _Handler(invariants.broken)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    if log is not None:
        logger.addHandler(log)
        logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        if log is not None:
            logger.removeHandler(log)
        logger.level, logger.propagate = before


class _Handler(logging.Handler):
    def __init__(self, broken: Callable[[str, str], None]) -> None:
        super().__init__(logging.ERROR)
        self._broken = broken

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1])[-4:])
        self._broken("no bug", text)
