"""`kubectl nxc test NXD`: gather the script and the nodes, run it, tell what came of it."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from controller.model.composition import ImageState
from controller.model.deployment import Deployment
from controller.model.errors import NxcError, TestbedError, UserError
from controller.model.node import Node
from controller.plugin import openssh
from controller.plugin.access import Access
from controller.plugin.commands import reach
from controller.plugin.driver import script as scripts
from controller.plugin.driver.background import Background
from controller.plugin.driver.faults import NodeFailed, TimeIsUp
from controller.plugin.driver.fleet import ApiFleet, Fleet
from controller.plugin.driver.journal import Journal
from controller.plugin.driver.link import Link
from controller.plugin.driver.machine import Machine
from controller.plugin.driver.script import Result, Verdict
from controller.plugin.keyring import Identity
from controller.plugin.target import target_of

EXIT = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.BROKEN: 2}
CLOSE_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Subject:
    """What a test is about: the nodes, by role and host, and the way to log in to them."""

    nodes: Sequence[Node]
    fleet: Fleet
    identity: Identity
    via: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """`subject` is None where the script is only to be shown. `held`: to be closed at the end."""

    subject: Subject | None
    text: str
    about: str
    held: AsyncExitStack


def test(args: argparse.Namespace) -> int:
    """See the module; the exit code."""
    with Background() as background:
        gathered = background.call(_gather(args))
        subject, text = gathered.subject, gathered.text
        try:
            if subject is None:
                print(text, end="" if text.endswith("\n") else "\n")
                return 0
            print(f"testing {gathered.about}", flush=True)
            journal = Journal(lambda line: print(line, flush=True), quiet=args.quiet)
            with _limit(args.timeout):
                result = run(subject, text, background, journal, args.output)
        finally:
            background.call(gathered.held.aclose())
    print(scripts.report(result, text, journal), flush=True)
    return EXIT[result.verdict]


def run(subject: Subject, text: str, background: Background, journal: Journal, output: Path) -> Result:
    """Run a script against nodes; whatever happens, the sessions are closed."""
    links = [
        Link(node.spec.host, subject.fleet, subject.identity, subject.via, journal.log)
        for node in subject.nodes
    ]
    machines = [Machine(link, background, journal, output) for link in links]

    def start_all() -> None:
        with journal.step("waiting for all nodes to answer"):
            for machine in machines:
                machine.start()
            background.call(_all(links))

    described = [
        (machine, node.spec.role, node.spec.aliases)
        for machine, node in zip(machines, subject.nodes, strict=True)
    ]
    names = scripts.symbols(described, journal, start_all=start_all)
    try:
        return scripts.run(text, names, journal)
    except TimeIsUp as error:
        return scripts.judge(error, journal)
    finally:
        with suppress(TimeoutError):
            background.call(_close(links))


async def _all(links: Sequence[Link]) -> None:
    """All at once; the first that fails is told."""
    done = await asyncio.gather(*(link.session() for link in links), return_exceptions=True)
    for outcome in done:
        if isinstance(outcome, NodeFailed):
            raise outcome
        if isinstance(outcome, NxcError):
            raise NodeFailed("a node", outcome.message, blame=outcome.blame)
        if isinstance(outcome, BaseException):
            raise outcome


async def _close(links: Sequence[Link]) -> None:
    async with asyncio.timeout(CLOSE_LIMIT):
        await asyncio.gather(*(link.aclose() for link in links))


async def _gather(args: argparse.Namespace) -> Gathered:
    async with AsyncExitStack() as stack:
        access = await stack.enter_async_context(reach(args))
        deployment = await access.deployment(args.deployment)
        text, origin = await _script(access, deployment, args.script)
        if args.print:
            return Gathered(None, text, origin, stack.pop_all())
        nodes = await access.nodes(args.deployment)
        if not nodes:
            raise TestbedError("NoNodes", await access.no_nodes(deployment))
        identity = await access.identity(
            args.deployment, user=openssh.checked_user(args.user), file=args.identity
        )
        known = []
        for node in nodes:
            with suppress(TestbedError):
                known.append(target_of(node))
        await access.look_around(deployment, known, via=args.via)
        about = f"nxd/{args.deployment} ({deployment.flavour}, {len(nodes)} nodes) with {origin}"
        subject = Subject(nodes, ApiFleet(access, args.deployment), identity, args.via)
        return Gathered(subject, text, about, stack.pop_all())


async def _script(access: Access, deployment: Deployment, file: Path | None) -> tuple[str, str]:
    """The text of the script, and where it is from. Raises `UserError` where there is none."""
    if file is not None:
        return _read(file), str(file)
    composition = await access.composition(deployment)
    name, flavour = composition.meta.name, deployment.flavour
    image = composition.image_for(flavour)
    if image is None or image.state is not ImageState.READY:
        how = (
            f"is {image.state.value}{f': {image.message}' if image.message else ''}"
            if image
            else "does not exist"
        )
        raise UserError(
            "ImageNotReady",
            f"the image of composition {name} for {flavour} {how}; its test script comes with it "
            f"(or name one with --script FILE)",
        )
    text = (image.details or {}).get("testScript", "")
    if not text:
        raise UserError(
            "NoScript",
            f"composition {name} has no testScript (or one longer than 65536 characters): name one with --script FILE",
        )
    wanted = deployment.status.image
    if wanted and image.image != wanted:
        raise UserError(
            "OtherImage",
            f"composition {name} has changed since nxd/{deployment.meta.name} was started: the script is of image "
            f"{image.image[:19]}, the nodes run {wanted[:19]}; wait for the update, or name a script with --script",
        )
    return text, f"the test script of composition {name}"


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("NoScript", f"--script: {file} cannot be read: {error}") from None


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Ends the script, wherever it is, once its time is up."""

    def ring(signum: int, frame: object) -> None:
        del signum, frame
        raise TimeIsUp(f"the test took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
