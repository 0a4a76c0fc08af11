"""A stage for the build service in virtual time: a builder that only waits, requesters, and a cluster's files."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.build.api import BuildContext, BuildState
from controller.build.engine import Evaluated, Facts, Order, Produced
from controller.build.service import BuildService
from controller.build.settings import BuildSettings, PackageSource
from controller.kube.api import Unreachable
from controller.model.composition import Composition, Image, ImageState
from controller.model.errors import NxcError, UserError
from controller.model.kinds import COMPOSITION, Key, Kind
from controller.model.manifest import Manifest
from controller.model.meta import Object
from controller.model.names import digest
from tests.scenarios.clock import EPOCH, VirtualLoop

EVALUATION, BUILD, CHECK = 5.0, 30.0, 20.0
GIB = 2**30


@dataclass
class World:
    """What outlives the service: the store, its roots, and the disk."""

    valid: set[str] = field(default_factory=set)
    roots: set[str] = field(default_factory=set)
    free: int = 100 * GIB
    image_bytes: int = GIB
    evaluations: Counter[str] = field(default_factory=Counter)
    builds: Counter[str] = field(default_factory=Counter)
    at_work: Counter[str] = field(default_factory=Counter)
    most: int = 0
    """The most that were built at one moment."""
    order: list[str] = field(default_factory=list)
    """The texts that were evaluated, in this order."""

    def collect(self) -> int:
        """Delete what no root keeps."""
        gone = self.valid - self.roots
        self.valid &= self.roots
        self.free += len(gone) * self.image_bytes
        return len(gone) * self.image_bytes


class WaitingEngine:
    """Evaluates and builds by waiting; the text of a composition says what goes wrong.

    `eval-fails`, `build-fails`, `forged`: the composition's fault. `hangs`: never ends. `ours=2`: fails twice,
    by our fault. `differs`: a second build does. `warns`: the evaluation warns.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.missing = False
        self.lacks: tuple[str, ...] = ()
        self.packages = "pin-1"
        self.renewed = ""
        self.unreadable_pins = 0
        """How often it fails from now on to say what the packages are."""
        self.unreadable_after_renewal = 0
        self.failures: Counter[str] = Counter()
        self.text: dict[str, str] = {}

    async def open(self) -> Facts:
        await asyncio.sleep(0.1)
        if self.missing:
            raise NxcError("NixMissing", "there is no Nix; install it")
        return Facts("test", self.lacks)

    async def pin(self, packages: PackageSource) -> str:
        await asyncio.sleep(0.01)
        if self.unreadable_pins:
            self.unreadable_pins -= 1
            raise NxcError("LockUnreadable", "the lock cannot be read just now")
        return self.packages

    def note(self, packages: PackageSource) -> str:
        return "" if self.packages == "pin-1" else "the packages are newer ones"

    async def evaluate(self, order: Order, seconds: float) -> Evaluated:
        text = (order.tree / order.entry).read_text()
        self.world.order.append(text)
        self.world.evaluations[text] += 1
        await asyncio.sleep(EVALUATION)
        if "eval-fails" in text:
            raise UserError("EvaluationFailed", "undefined variable at composition.nix:1:1")
        name = digest([text, order.flavour, order.pin])[7:39]
        output = f"/nix/store/{name}-image"
        self.text[output] = text
        roles = tuple(f"r{n}" for n in range(300)) if "many-roles" in text else ("client", "server")
        return Evaluated(
            f"/nix/store/{name}-image.drv",
            output,
            roles,
            ("take care",) * ("warns" in text),
            EVALUATION,
        )

    async def provide(self, order: Order, evaluated: Evaluated) -> str:
        await asyncio.sleep(0.1)
        if self.renewed:
            self.packages, self.renewed = self.renewed, ""
            self.unreadable_pins = self.unreadable_after_renewal
        return self.packages

    async def build(
        self, evaluated: Evaluated, seconds: float, log: Path, progress: Callable[[str], None]
    ) -> None:
        output, world = evaluated.output, self.world
        text = self.text[output]
        world.at_work[output] += 1
        assert world.at_work[output] == 1, f"{output} is built twice at a time"
        world.most = max(world.most, world.at_work.total())
        world.builds[output] += 1
        log.write_text("one\ntwo\n")  # noqa: ASYNC240
        try:
            for step in range(10):
                progress(f"{step}/10 built")
                await asyncio.sleep(BUILD / 10)
            while "hangs" in text:
                await asyncio.sleep(1000)
            if "build-fails" in text:
                raise UserError("BuildFailed", "exit code 1")
            if self.failures[text] < (2 if "ours=2" in text else 0):
                self.failures[text] += 1
                raise NxcError("NixFailed", "the disk is full")
            world.valid.add(output)
            world.free -= world.image_bytes
        finally:
            world.at_work[output] -= 1

    async def inspect(self, evaluated: Evaluated, flavour: str) -> Produced:
        await asyncio.sleep(0.1)
        assert evaluated.output in self.world.valid
        if "forged" in self.text[evaluated.output]:
            raise UserError("ForgedManifest", "the manifest is not usable")
        return Produced(digest(evaluated.output), (evaluated.output,), 10, 100)

    async def manifest(self, output: str) -> tuple[str, Manifest, dict[str, int]]:
        return digest(output), Manifest("vm-ramdisk", "x86_64-linux", {}, frozenset({output})), {output: 100}

    async def check(self, drv: str, seconds: float, log: Path) -> str:
        await asyncio.sleep(CHECK)
        return "the time in /etc/issue" if "differs" in self.text[drv.removesuffix(".drv")] else ""

    def keep(self, output: str) -> None:
        self.world.roots.add(output)

    def let_go(self, output: str) -> None:
        self.world.roots.discard(output)

    def kept(self) -> frozenset[str]:
        return frozenset(self.world.roots)

    async def valid(self, output: str) -> bool:
        await asyncio.sleep(0.01)
        return output in self.world.valid

    async def free(self) -> int:
        return self.world.free

    async def used(self) -> int:
        return 0

    async def collect(self, amount: int) -> int:
        await asyncio.sleep(1.0)
        return self.world.collect()

    def root(self) -> Path:
        return Path("/nowhere")


class Stage:
    """One service, its requesters, and their statuses, as the composition reconciler keeps them."""

    def __init__(
        self, state: Path, world: World | None = None, *, seed: int | None = 0, **settings: Any
    ) -> None:
        self.loop = VirtualLoop(random.Random(seed) if seed is not None else None)
        self.world = world or World()
        self.engine = WaitingEngine(self.world)
        self.settings = BuildSettings(state=state, **settings)
        self.objects: dict[tuple[str, str, str], Object] = {}
        """What `read` finds: by kind, namespace and name."""
        self.unreachable = False
        self.compositions: dict[Key, Composition] = {}
        self.images: dict[Key, dict[str, Image]] = {}
        """The statuses."""
        self.told: dict[Key, list[Image]] = {}
        self.deployed: set[str] = set()
        """Images that deployments use."""
        self.wakes: Counter[Key] = Counter()
        self.service: BuildService

    def play(self, script: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a script with a fresh service."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._play(script))
            left = asyncio.all_tasks(self.loop)
            assert not left, f"the service left tasks behind: {left}"
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    async def _play(self, script: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.open()
        try:
            await script()
        finally:
            await self.service.aclose()

    def open(self) -> None:
        """Start a service."""
        context = BuildContext(
            wake=self.wake,
            clock=lambda: EPOCH,
            read=self._read,
            in_use=self.in_use,
            settings=self.settings,
            rng=random.Random(1),
        )
        self.service = BuildService(context, self.engine, offload=_inline)

    def before_each_step(self, hook: Callable[[], None]) -> None:
        """Have a function called before whatever is ready at one moment runs."""
        once = self.loop._run_once

        def step() -> None:
            hook()
            once()

        self.loop._run_once = step  # type: ignore[method-assign]

    async def _read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        await asyncio.sleep(0.01)
        if self.unreachable:
            raise Unreachable("no answer")
        return self.objects.get((kind.kind, namespace, name))

    def in_use(self) -> frozenset[str]:
        named = {image.image for images in self.images.values() for image in images.values()}
        return frozenset((named | self.deployed) - {""})

    def wake(self, key: Key) -> None:
        self.wakes[key] += 1
        self.loop.call_soon(self.look, key)

    def look(self, key: Key) -> None:
        """A reconcile."""
        composition = self.compositions.get(key)
        if composition is None:
            return
        self.service.leave(key, but=composition.flavours)
        for flavour in composition.flavours:
            image = self.service.want(key, composition, flavour, "seed").image
            mine = self.images.setdefault(key, {})
            if mine.get(flavour) != image:
                mine[flavour] = image
                self.told.setdefault(key, []).append(image)

    def apply(
        self,
        text: str = "",
        *,
        namespace: str = "lab",
        name: str = "web",
        flavours: tuple[str, ...] = ("vm-ramdisk",),
        source: dict[str, Any] | None = None,
        requested: str = "",
        **build: Any,
    ) -> Key:
        """A user applies a composition."""
        key = Key(COMPOSITION, namespace, name)
        self.compositions[key] = Composition.parse(
            {
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "annotations": {"nxc.dev/requestedAt": requested} if requested else {},
                },
                "spec": {"source": source or {"inline": text}, "flavours": list(flavours), "build": build},
            }
        )
        self.look(key)
        return key

    def delete(self, key: Key) -> None:
        """A user deletes it."""
        del self.compositions[key]
        self.images.pop(key, None)
        self.service.leave(key)

    def state(self, key: Key, flavour: str = "vm-ramdisk") -> BuildState:
        """What the service says now."""
        return self.service.want(key, self.compositions[key], flavour, "seed")

    def image(self, key: Key, flavour: str = "vm-ramdisk") -> Image:
        return self.state(key, flavour).image

    async def until(
        self, state: ImageState, *keys: Key, flavour: str = "vm-ramdisk", seconds: float = 1000
    ) -> None:
        """Until all these have an image in a state."""
        async with asyncio.timeout(seconds):
            while any(self.image(key, flavour).state is not state for key in keys):
                await asyncio.sleep(0.5)


async def _inline(function: Callable[..., Any], *arguments: Any) -> Any:
    await asyncio.sleep(0)
    return function(*arguments)


Script = Callable[[Stage], Awaitable[None]]
READY, FAILED = ImageState.READY, ImageState.FAILED

Play = Callable[[Script], Stage]
"""Runs a script on a stage with two places."""
