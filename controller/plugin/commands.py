"""The commands: each gathers through the API, and hands over to the module of its name."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from controller.driver.target import Identity, Target, target_of
from controller.kube.client import Client
from controller.kube.config import default_namespace, load
from controller.model.deployment import Deployment
from controller.model.errors import TestbedError, UserError
from controller.plugin import keyring, openssh, templates
from controller.plugin import logs as said
from controller.plugin.access import Access
from controller.plugin.choice import choose

Work = Callable[[argparse.Namespace], Coroutine[Any, Any, int]]
Run = Callable[[argparse.Namespace], int]

PAUSE = 1.0
"""Seconds between two looks."""
CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Of a terminal (ECMA-48)."""


@asynccontextmanager
async def reach(args: argparse.Namespace) -> AsyncIterator[Access]:
    """The API server and namespace that the command line names."""
    client = Client(await load(args.kubeconfig, context=args.context))
    try:
        yield Access(client, args.namespace or default_namespace(args.kubeconfig, args.context))
    finally:
        await client.aclose()


async def status(args: argparse.Namespace) -> int:
    """`status NXD [--watch]`. 0: it is Ready, or was only looked at; 1: it has given up."""
    from controller.plugin.status import render

    live = args.watch and sys.stdout.isatty()
    async with reach(args) as access:
        shown = ""
        while True:
            deployment = await access.deployment(args.deployment)
            nodes = await access.nodes(args.deployment)
            image = None
            if not deployment.status.conditions.is_true("ImageReady"):
                image = (await access.composition(deployment)).image_for(deployment.flavour)
            page = render(deployment, nodes, image)
            if page != shown:
                print(f"{CLEAR}{page}" if live else page if not shown else f"\n{page}", flush=True)
                shown = page
            conditions = deployment.status.conditions
            if not args.watch or conditions.is_true("Ready"):
                return 0
            if conditions.is_true("Stalled") or conditions.is_true("Expired"):
                return 1
            await asyncio.sleep(PAUSE)


def connect(args: argparse.Namespace) -> int:
    """`connect NXD [NODE…]`."""
    from controller.plugin.connect import ssh, tmux

    if args.argv is not None:
        raise UserError("BadCommand", "connect takes no command; that is `kubectl nxc run NXD -- CMD`")
    namespace, targets, identity = asyncio.run(_way_in(args))
    if len(targets) == 1:
        return ssh(targets[0], identity, via=args.via)
    panes = [(target.host, _again(args, namespace, target.host)) for target in targets]
    return tmux(f"nxc-{args.deployment}", panes, together=args.together)


async def _way_in(args: argparse.Namespace) -> tuple[str, list[Target], Identity]:
    async with reach(args) as access:
        targets, identity = await _targets(access, args, args.node)
        return access.namespace, targets, identity


def _again(args: argparse.Namespace, namespace: str, host: str) -> list[str]:
    """The command that connects to one of the nodes."""
    command = [
        sys.executable,
        "-m",
        "controller.plugin.cli",
        "connect",
        args.deployment,
        host,
        "-n",
        namespace,
    ]
    options = (("--kubeconfig", args.kubeconfig), ("--context", args.context), ("--via", args.via))
    for option, value in (*options, ("--user", args.user), ("--identity", args.identity)):
        if value:
            command += [option, str(Path(value).absolute()) if option == "--identity" else str(value)]
    return command


async def run(args: argparse.Namespace) -> int:
    """`run NXD -- CMD…`: one word is a text for the node's shell, several are a command and its arguments."""
    from controller.plugin.run import on_all, prefixer, summary, worst

    if not args.argv:
        raise UserError("NoCommand", "which command? kubectl nxc run NXD [--role R] [--node N] -- CMD…")
    command = args.argv[0] if len(args.argv) == 1 else shlex.join(args.argv)
    async with reach(args) as access:
        targets, identity = await _targets(access, args, args.node)
    ended = await on_all(
        targets,
        identity,
        command,
        via=args.via,
        at_once=args.parallel,
        seconds=args.timeout,
        say=prefixer(targets, bare=args.bare),
    )
    for line in summary(ended):
        print(f"kubectl nxc: {line}", file=sys.stderr)
    return worst(ended)


async def console(args: argparse.Namespace) -> int:
    """`console NXD NODE`: the end of the console of a node that is not ready; else its kernel's messages."""
    async with reach(args) as access:
        deployment = await access.deployment(args.deployment)
        node = choose(await _nodes(access, deployment), names=[args.node])[0]
        if (text := said.console(node)) is not None:
            print(text)
            return 0
        targets = await access.targets(deployment, [node], via=args.via)
        identity = await _identity(access, args)
    print(f"{node.spec.host} is up; of its console, what the kernel said:", file=sys.stderr)
    return await _bare(targets, identity, said.KERNEL_LOG, args.via)


async def logs(args: argparse.Namespace) -> int:
    """`logs NXD` of the build, `logs NXD NODE [UNIT…]` of a node."""
    async with reach(args) as access:
        deployment = await access.deployment(args.deployment)
        if args.node is None:
            if args.follow:
                raise UserError("BadCommand", "the build is followed by: kubectl nxc status NXD --watch")
            print(said.build(await access.composition(deployment), deployment))
            return 0
        node = choose(await _nodes(access, deployment), names=[args.node])[0]
        targets = await access.targets(deployment, [node], via=args.via)
        identity = await _identity(access, args)
    return await _bare(
        targets, identity, said.journal(args.unit, follow=args.follow, lines=args.lines), args.via
    )


async def ssh_config(args: argparse.Namespace) -> int:
    """`ssh-config NXD`: on stdout; the key and known_hosts that it names stand in --dir."""
    written, _ = await _written(args)
    print(written.config.read_text(), end="")
    return 0


async def inventory(args: argparse.Namespace) -> int:
    """`inventory NXD`: on stdout."""
    from controller.plugin.inventory import ansible, enoslib

    written, targets = await _written(args)
    if args.format == "enoslib":
        text = enoslib(targets, user=args.user, identity=written.identity, config_file=written.config)
    else:
        text = ansible(targets, user=args.user, config_file=written.config)
    print(text, end="")
    return 0


async def transpose(args: argparse.Namespace) -> int:
    """`transpose NXD --to FLAVOUR [--as NAME]`. 0: it is on its way; 1: it was refused."""
    from controller.plugin import transposition

    async with reach(args) as access:
        return await transposition.transpose(
            access, args.deployment, args.to, copy_as=args.copy_as, testbed=args.testbed, say=_say
        )


async def diff(args: argparse.Namespace) -> int:
    """`diff A B`: two deployments; with --composition two flavours of it."""
    from controller.plugin import difference, transposition

    async with reach(args) as access:
        if args.composition:
            of = await transposition.composition(access, args.composition)
            sides = [await transposition.flavour_side(access, of, name) for name in (args.first, args.second)]
        else:
            user = openssh.checked_user(args.user)
            names = [name.removeprefix("nxd/") for name in (args.first, args.second)]
            sides = [
                await transposition.deployment_side(
                    access, name, look=args.services, user=user, say=_say, via=args.via
                )
                for name in names
            ]
    found = difference.compare(*sides)
    if args.output == "json":
        print(json.dumps(difference.to_dict(found), indent=2))
    else:
        print(difference.render(found))
    return 0


def _say(text: str) -> None:
    print(f"kubectl nxc: {text}", file=sys.stderr)


def init(args: argparse.Namespace) -> int:
    """`init [TEMPLATE [DIR]]`."""
    if args.template is None:
        print(templates.listing())
        return 0
    for line in templates.init(args.template, args.directory or Path(args.template)):
        print(line)
    return 0


def import_project(args: argparse.Namespace) -> int:
    """`import DIR`: manifests on stdout or in a new folder; what is not the same after the move on stderr."""
    from controller.plugin import migration, project

    found = project.read(args.directory, deployments=args.deployment)
    name = args.name or migration.dns_label(args.directory.resolve().name)
    if name != migration.dns_label(name):
        raise UserError("BadName", f"--name: {name!r} must be a DNS label of at most 40 characters")
    migrated = migration.migrate(
        found,
        migration.Wanted(
            name,
            flavour=args.flavour,
            variant=args.setup,
            select=args.select,
            package_source=args.package_source,
            git_url=args.git,
            git_ref=args.ref,
            git_path=args.path,
        ),
    )
    if args.output is None:
        print(migration.rendered(migrated.manifests), end="")
    else:
        templates.write(args.output, migration.folder(migrated, found))
        print(f"kubectl apply -k {args.output}")
    for note in migrated.notes:
        print(note, file=sys.stderr)
    return 0


def test(args: argparse.Namespace) -> int:
    """`test NXD`. 0: passed; 1: the script failed; 2: it could not be run to its end."""
    from controller.plugin.test import test as run_test

    return run_test(args)


async def _targets(
    access: Access, args: argparse.Namespace, names: Sequence[str]
) -> tuple[list[Target], Identity]:
    deployment = await access.deployment(args.deployment)
    nodes = choose(await _nodes(access, deployment), names=names, roles=args.role)
    return await access.targets(deployment, nodes, via=args.via), await _identity(access, args)


async def _nodes(access: Access, deployment: Deployment) -> list[Any]:
    nodes = await access.nodes(deployment.meta.name)
    if not nodes:
        raise TestbedError("NoNodes", await access.no_nodes(deployment))
    return nodes


async def _identity(access: Access, args: argparse.Namespace) -> Identity:
    return await access.identity(args.deployment, user=openssh.checked_user(args.user), file=args.identity)


async def _bare(targets: Sequence[Target], identity: Identity, command: str, via: str) -> int:
    """One node's output as it is."""
    from controller.plugin.run import on_all, prefixer, summary, worst

    ended = await on_all(targets, identity, command, via=via, say=prefixer(targets, bare=True))
    for line in summary(ended):
        print(f"kubectl nxc: {line}", file=sys.stderr)
    return worst(ended)


async def _written(args: argparse.Namespace) -> tuple[keyring.Keyring, list[Target]]:
    """Files that last, for the nodes that can be logged in to; the others are named on stderr."""
    async with reach(args) as access:
        deployment = await access.deployment(args.deployment)
        targets, missing = [], []
        for node in await _nodes(access, deployment):
            try:
                targets.append(target_of(node))
            except TestbedError as error:
                missing.append(error)
        if not targets:
            raise missing[0]
        await access.look_around(deployment, targets, via=args.via)
        identity = await _identity(access, args)
        directory = args.dir or keyring.lasting(access.namespace, args.deployment)
    for why in missing:
        print(f"kubectl nxc: left out: {why.message}", file=sys.stderr)
    return keyring.write(directory.absolute(), targets, identity, via=args.via), targets
