"""`nxc-controller`: the commands."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

Run = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. Each command imports only what it needs: the server none of kopf."""
    parser = argparse.ArgumentParser(
        prog="nxc-controller",
        description="NixOS Compose as a Kubernetes operator: compositions, deployments, testbeds.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    arguments = list(sys.argv[1:] if argv is None else argv)
    _operator(commands.add_parser("run", help="run the operator against the API server of a kubeconfig"))
    chosen = next((word for word in arguments if not word.startswith("-")), "")
    for name, module, help in (
        ("up", "controller.local.up", "start a control plane and the operator on this machine"),
        ("user", "controller.local.users", "give somebody access to the local control plane"),
        ("backup", "controller.local.backup", "copy the local control plane's state while it runs"),
        ("seed", "controller.build.seed.commands", "the packages of compositions: lock and files"),
        ("isolation", "controller.build.commands", "how well this machine isolates compositions"),
    ):
        command = commands.add_parser(name, help=help)
        if name == chosen:
            loaded = import_module(module)
            loaded.add_arguments(command)
            command.set_defaults(run=loaded.run)
            if name == "up":
                _builds(command, "in the state directory")
    args = parser.parse_args(arguments)
    if args.command == "up":
        from controller.build.options import build_arguments

        args.operator_arguments = build_arguments(args)
    run: Run = args.run
    try:
        return run(args)
    except KeyboardInterrupt:
        return 130


def _builds(parser: argparse.ArgumentParser, state_default: str = "") -> None:
    from controller.build.options import add_build_arguments

    add_build_arguments(parser, state_default=state_default)


def _operator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, the pod's, or ~/.kube/config"
    )
    parser.add_argument("--context", help="a context of the kubeconfig")
    parser.add_argument(
        "--namespace",
        default=os.environ.get("POD_NAMESPACE", "nxc-system"),
        help="the operator's own namespace, where its Lease is (%(default)s)",
    )
    parser.add_argument(
        "--identity",
        default=os.environ.get("POD_NAME", ""),
        help="its name in the Lease; a restart under the same name leads at once (default: a new one)",
    )
    parser.add_argument(
        "--workers", type=int, default=10, metavar="N", help="keys worked on at a time (%(default)s)"
    )
    parser.add_argument(
        "--resync",
        type=float,
        default=450.0,
        metavar="SECONDS",
        help="between two full listings (%(default)s)",
    )
    parser.add_argument(
        "--health",
        default="127.0.0.1:0",
        metavar="ADDR:PORT",
        help="/healthz, /readyz, /metrics (%(default)s)",
    )
    parser.add_argument(
        "--machine-state",
        type=Path,
        metavar="DIR",
        help="where machines on this host are on record (default: beside --build-state)",
    )
    parser.add_argument("--no-leader-election", action="store_true", help="lead without a Lease")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-format", default="text", choices=("text", "json"))
    _builds(parser)
    parser.set_defaults(run=run_operator)


def run_operator(args: argparse.Namespace) -> int:
    """`nxc-controller run`: until SIGTERM or SIGINT; 1 where it cannot even start."""
    from controller.app import Settings
    from controller.build.options import build_settings
    from controller.daemon import Daemon, Options
    from controller.model.errors import NxcError
    from controller.observe.logging import configure

    configure(level=args.log_level, style=args.log_format)
    address, _, port = args.health.rpartition(":")
    if not port.isdecimal() or args.workers < 1 or args.build_jobs < 1 or args.resync <= 0:
        print(
            "nxc-controller run: --health wants ADDR:PORT; --workers, --build-jobs and --resync more than 0",
            file=sys.stderr,
        )
        return 2
    try:
        build = build_settings(args)
    except NxcError as error:
        print(f"nxc-controller run: {error.message}", file=sys.stderr)
        return 2
    options = Options(
        kubeconfig=args.kubeconfig,
        context=args.context,
        health_address=address or "127.0.0.1",
        health_port=int(port),
        identity=args.identity,
        settings=Settings(
            namespace=args.namespace,
            workers=args.workers,
            resync=args.resync,
            leader_election=not args.no_leader_election,
            state=args.machine_state.expanduser().absolute() if args.machine_state is not None else None,
            build=build,
        ),
    )
    try:
        asyncio.run(Daemon(options).run())
    except NxcError as error:
        print(f"nxc-controller run: {error.message}", file=sys.stderr)
        return 1
    return 0


def _version() -> str:
    try:
        return version("nxc-controller")
    except PackageNotFoundError:
        return "unknown (not installed)"
