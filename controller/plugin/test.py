"""`kubectl nxc test NXD`: gather the script and the nodes, run it, tell what came of it."""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from controller.driver import script as scripts
from controller.driver.background import Background
from controller.driver.course import Subject, limit, run
from controller.driver.fleet import NodeFleet
from controller.driver.journal import Journal
from controller.driver.script import Verdict
from controller.driver.target import target_of
from controller.model.composition import ImageState
from controller.model.deployment import Deployment
from controller.model.errors import TestbedError, UserError
from controller.model.quantity import counted
from controller.plugin import openssh
from controller.plugin.access import Access
from controller.plugin.commands import reach

EXIT = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.BROKEN: 2}


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
            with limit(args.timeout):
                result = run(subject, text, background, journal, args.output)
        finally:
            background.call(gathered.held.aclose())
    print(scripts.report(result, text, journal), flush=True)
    return EXIT[result.verdict]


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
        about = f"nxd/{args.deployment} ({deployment.flavour}, {counted(len(nodes), 'node')}) with {origin}"
        subject = Subject(nodes, NodeFleet(partial(access.node, args.deployment)), identity, args.via)
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
