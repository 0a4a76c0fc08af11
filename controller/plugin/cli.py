"""`kubectl-nxc`: kubectl finds it on the PATH and runs it as `kubectl nxc`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from controller.kube.client import Client
from controller.kube.config import default_namespace, load
from controller.model.deployment import Deployment
from controller.model.errors import NxcError
from controller.model.kinds import DEPLOYMENT, NODE, Key
from controller.model.node import Node
from controller.plugin.status import render

WATCH_EVERY = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    parser = argparse.ArgumentParser(prog="kubectl nxc", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="how far a deployment is, node by node, and why")
    status.add_argument("deployment", metavar="NXD", help="a Deployment of nxc.dev")
    status.add_argument("-w", "--watch", action="store_true", help="go on until every node is ready")
    for command in (status,):
        command.add_argument("-n", "--namespace", help="default: that of the context")
        command.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG or ~/.kube/config")
        command.add_argument("--context", help="a context of the kubeconfig")
    args = parser.parse_args(argv)
    try:
        return asyncio.run(_status(args))
    except NxcError as error:
        print(f"kubectl nxc: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


async def _status(args: argparse.Namespace) -> int:
    client = Client(await load(args.kubeconfig, context=args.context))
    key = Key(DEPLOYMENT, args.namespace or default_namespace(args.kubeconfig, args.context), args.deployment)
    try:
        shown = ""
        while True:
            deployment = Deployment.parse(await client.get(DEPLOYMENT, key.namespace, key.name))
            listing = await client.list(NODE, namespace=key.namespace)
            nodes = [Node.parse(obj) for obj in listing.items]
            page = render(deployment, [node for node in nodes if node.spec.deployment == key.name])
            if page != shown:
                print(page if not shown else f"\n{page}", flush=True)
                shown = page
            if not args.watch or deployment.status.conditions.is_true("Ready"):
                return 0
            await asyncio.sleep(WATCH_EVERY)
    finally:
        await client.aclose()
