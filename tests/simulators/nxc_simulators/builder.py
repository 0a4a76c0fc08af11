"""A builder that builds nothing: it reads what a composition asks of the simulation, and waits.

In the composition's text, each on a line of its own:

| comment | meaning |
|---|---|
| `# simulate: roles=server,client` | the roles; else the attributes of `roles = {…}` or `nodes = {…}` |
| `# simulate: evaluation-fails` | a Nix error, with file, line and column |
| `# simulate: build-fails` | a build error, the composition's fault |
| `# simulate: builder-fails=2` | the first two builds fail, not by the composition's fault |
| `# simulate: time=30` | evaluation and build take 30 s each |
| `# simulate: test=pass:5` | it has a test script; see `sandbox` |
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from controller.build.api import BuildContext, BuildState
from controller.build.image import BuiltImage
from controller.model.composition import Composition, Image, ImageState
from controller.model.errors import Blame
from controller.model.kinds import Key
from controller.model.names import digest

_DIRECTIVE = re.compile(r"^\s*#\s*simulate:\s*([a-z-]+)(?:=(\S+))?\s*$", re.MULTILINE)
_ROLES = re.compile(
    r"""(?P<skip>\#[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|''.*?'')|(?P<roles>\b(?:roles|nodes)\s*=\s*\{)""",
    re.DOTALL,
)
_PART = re.compile(
    r"""(?P<skip>\#[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|''.*?'')|(?P<open>[{(\[])|(?P<close>[})\]])
    |(?P<name>[A-Za-z_][\w'-]*)\s*(?=[=.])|(?P<end>;)""",
    re.VERBOSE | re.DOTALL,
)
FLAVOURS = frozenset({"simulated", "simulated-fast", "vm-ramdisk"})
DEFAULT_ROLES = ("node",)
TRY_AGAIN = 10.0
"""Seconds after a failure that is not the composition's."""


@dataclass(slots=True)
class Store:
    """The images there are, apart from the life of any builder: by source digest and flavour."""

    images: dict[tuple[str, str], str] = field(default_factory=dict)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(slots=True)
class _Work:
    """A build under way or ended, for those who want it."""

    source: str
    flavour: str
    asked: Mapping[str, str]
    roles: tuple[str, ...]
    state: ImageState = ImageState.PENDING
    reason: str = ""
    message: str = ""
    blame: Blame = Blame.USER
    requesters: dict[Key, None] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None


class SimulatedBuilder:
    """Builds by waiting. Finished images are in the store; work under way dies with the builder."""

    def __init__(self, context: BuildContext, store: Store, seconds: float) -> None:
        self._context = context
        self._store = store
        self._seconds = seconds
        self._works: dict[tuple[str, str], _Work] = {}

    def flavours(self, package_source: str) -> frozenset[str]:
        return FLAVOURS

    def want(
        self, requester: Key, composition: Composition, flavour: str, package_source: str = "simulated"
    ) -> BuildState:
        place = (composition.source_digest, flavour)
        work = self._works.get(place)
        if work is None:
            asked, roles = read(composition)
            known = composition.images.get(flavour)
            if known is not None and known.state is ImageState.READY and known.source == place[0]:
                # a store of images outlives the process that filled it
                self._store.images.setdefault(place, known.image)
            work = self._works[place] = _Work(*place, asked, roles)
            if place in self._store.images:
                work.state = ImageState.READY
            else:
                self._later(work, 0.0, self._evaluate)
        work.requesters[requester] = None
        return self._show(work)

    def leave(self, requester: Key, *, but: Collection[str] = ()) -> None:
        for place, work in list(self._works.items()):
            if place[1] in but:
                continue
            work.requesters.pop(requester, None)
            if not work.requesters:
                if work.timer is not None:
                    work.timer.cancel()
                del self._works[place]

    async def image(self, digest: str) -> BuiltImage | None:
        return None

    async def aclose(self) -> None:
        for work in self._works.values():
            if work.timer is not None:
                work.timer.cancel()
        self._works.clear()

    def _show(self, work: _Work) -> BuildState:
        ready = work.state is ImageState.READY
        evaluated = ready or work.state is ImageState.BUILDING or work.reason.startswith("Build")
        image = Image(
            flavour=work.flavour,
            state=work.state,
            image=self._store.images[work.source, work.flavour] if ready else "",
            source=work.source,
            reason=work.reason,
            message=work.message,
            blame=work.blame,
            evaluated=evaluated,
            details={"testScript": work.asked["test"].replace(":", " ")} if "test" in work.asked else None,
        )
        return BuildState(image, work.roles if evaluated else ())

    def _later(self, work: _Work, seconds: float, step: object) -> None:
        work.timer = asyncio.get_running_loop().call_later(seconds, step, work)  # type: ignore[arg-type]

    def _turn(self, work: _Work, state: ImageState, reason: str = "", message: str = "") -> None:
        work.state, work.reason, work.message = state, reason, message
        for requester in work.requesters:
            self._context.wake(requester)

    def _lasts(self, work: _Work) -> float:
        return float(work.asked.get("time", self._seconds))

    def _evaluate(self, work: _Work) -> None:
        self._turn(work, ImageState.EVALUATING)
        self._later(work, self._lasts(work), self._build)

    def _build(self, work: _Work) -> None:
        if "evaluation-fails" in work.asked:
            message = "error: undefined variable 'simulated' at composition.nix:1:1"
            self._turn(work, ImageState.FAILED, "EvaluationFailed", message)
            return
        self._turn(work, ImageState.BUILDING)
        self._later(work, self._lasts(work), self._finish)

    def _finish(self, work: _Work) -> None:
        place = (work.source, work.flavour)
        if "build-fails" in work.asked:
            self._turn(
                work, ImageState.FAILED, "BuildFailed", "builder for simulated.drv failed with exit code 1"
            )
        elif self._store.failures[place] < int(work.asked.get("builder-fails", "0")):
            self._store.failures[place] += 1
            work.blame = Blame.CONTROLLER
            self._turn(work, ImageState.FAILED, "BuilderFailed", "the builder ran out of disk (simulated)")
            self._later(work, TRY_AGAIN, self._evaluate)
        else:
            self._store.images[place] = digest(["simulated image", *place])
            self._turn(work, ImageState.READY)


@dataclass(frozen=True, slots=True)
class SimulatedBuilders:
    """What the entry points name. Builders of one process share their store, as they would a Nix store."""

    store: Store = field(default_factory=Store)
    seconds: float = 0.2

    def __call__(self, context: BuildContext) -> SimulatedBuilder:
        return SimulatedBuilder(context, self.store, self.seconds)


def read(composition: Composition) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """What a composition asks of the simulation, and its roles."""
    text = composition.source.get("inline") or ""
    asked = {name: value or "" for name, value in _DIRECTIVE.findall(text)}
    if "roles" in asked:
        return asked, tuple(asked["roles"].split(","))
    found = next((part for part in _ROLES.finditer(text) if part["roles"]), None)
    return asked, attributes(text, found.end()) if found else DEFAULT_ROLES


def attributes(text: str, start: int) -> tuple[str, ...]:
    """The names bound in the Nix attribute set whose `{` ends at `start`: a glance, not a parser."""
    names: dict[str, None] = {}
    depth, awaiting = 0, True
    for part in _PART.finditer(text, start):
        match part.lastgroup:
            case "open":
                depth += 1
            case "close":
                depth -= 1
                if depth < 0:
                    break
            case "end" if depth == 0:
                awaiting = True
            case "name" if depth == 0 and awaiting:
                names[part["name"]] = None
                awaiting = False
    return tuple(names) or DEFAULT_ROLES


simulated = SimulatedBuilders()
