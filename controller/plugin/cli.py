"""`kubectl-nxc`: kubectl finds it on the PATH and runs it as `kubectl nxc`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.model.errors import NxcError
from controller.plugin import commands
from controller.plugin.inventory import FORMATS


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    words, command = _parted(words)
    args = _parser().parse_args(words)
    args.argv = command
    try:
        run: commands.Run | commands.Work = args.run
        result = run(args)
        return result if isinstance(result, int) else asyncio.run(result)
    except NxcError as error:
        print(f"kubectl nxc: {error.message}", file=sys.stderr)
        return 2 if args.command == "test" else 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `kubectl nxc … | head`
        sys.stderr.close()
        return 128 + signal.SIGPIPE


def _parted(words: list[str]) -> tuple[list[str], list[str] | None]:
    """Our words, and those after `--`, which are the nodes'."""
    if "--" not in words:
        return words, None
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kubectl nxc", description="Deployments of nxc.dev: how they are, and the way to their nodes."
    )
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    status = _verb(verbs, "status", "how far a deployment is, node by node, and why", commands.status)
    status.add_argument("-w", "--watch", action="store_true", help="go on until it is Ready, or has given up")

    connect = _verb(verbs, "connect", "log in: to one node by ssh, to several by tmux", commands.connect)
    connect.add_argument("node", nargs="*", metavar="NODE", help="hosts (default: every node)")
    _role(connect)
    connect.add_argument(
        "--together", action="store_true", help="what is typed goes to all panes of a window"
    )
    _login(connect)

    run = _verb(verbs, "run", "run a command on many nodes at once: run NXD -- CMD…", commands.run)
    _role(run)
    run.add_argument("--node", action="append", default=[], metavar="NODE", help="a host; may be repeated")
    run.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="for each node (default: none)")
    run.add_argument("--parallel", type=_count, default=32, metavar="N", help="at a time (%(default)s)")
    run.add_argument("--bare", action="store_true", help="no host names before the lines")
    _login(run)

    console = _verb(verbs, "console", "what a node's console said", commands.console)
    console.add_argument("node", metavar="NODE", help="a host")
    _login(console)

    logs = _verb(verbs, "logs", "of the build; with NODE: of the units of a node", commands.logs)
    logs.add_argument("node", nargs="?", metavar="NODE", help="a host")
    logs.add_argument("unit", nargs="*", metavar="UNIT", help="units of systemd (default: all)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it is written")
    logs.add_argument("--lines", type=_count, metavar="N", help="the last N only")
    _login(logs)

    config = _verb(verbs, "ssh-config", "an OpenSSH configuration for the nodes", commands.ssh_config)
    _files(config)
    _login(config)

    inventory = _verb(verbs, "inventory", "the nodes, for Ansible or EnOSlib", commands.inventory)
    inventory.add_argument("--format", choices=FORMATS, default="ansible", help="(default: %(default)s)")
    _files(inventory)
    _login(inventory)

    test = _verb(verbs, "test", "run the composition's test script from here", commands.test)
    test.add_argument("--script", type=Path, metavar="FILE", help="another script than the composition's")
    test.add_argument("--print", action="store_true", help="show the script and run nothing")
    test.add_argument("--timeout", type=_seconds, default=3600.0, metavar="SECONDS", help="(%(default)s)")
    test.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="for copy_from_machine (default: here)"
    )
    test.add_argument("-q", "--quiet", action="store_true", help="only what failed, and the end")
    _login(test)

    move = _verb(
        verbs, "transpose", "move a deployment to another flavour, or copy it there", commands.transpose
    )
    move.add_argument("--to", required=True, metavar="FLAVOUR", help="the new flavour")
    move.add_argument("--as", dest="copy_as", default="", metavar="NAME", help="leave it, and make another")
    move.add_argument("--testbed", metavar="NAME", help="another testbed; '' for the flavour's default")

    diff = verbs.add_parser(
        "diff",
        help="what differs between two deployments, or two flavours of a composition",
        description="What differs between two deployments, or with --composition two of its flavours.",
    )
    diff.set_defaults(run=commands.diff)
    diff.add_argument("first", metavar="A", help="a Deployment of nxc.dev; with --composition a flavour")
    diff.add_argument("second", metavar="B", help="another")
    diff.add_argument("--composition", default="", metavar="NXCOMP", help="compare two flavours of it")
    diff.add_argument("-o", "--output", choices=("table", "json"), default="table", help="(%(default)s)")
    diff.add_argument(
        "--no-services", dest="services", action="store_false", help="do not ask nodes what runs there"
    )
    diff.add_argument("-l", "--user", default="root", help="to log in as (%(default)s)")
    diff.add_argument("--via", default="", metavar="HOST", help="jump over the controller's host")
    _cluster(diff)

    init = verbs.add_parser("init", help="begin a composition from an example")
    init.set_defaults(run=commands.init)
    init.add_argument("template", nargs="?", metavar="TEMPLATE", help="(default: list them)")
    init.add_argument("directory", nargs="?", type=Path, metavar="DIR", help="(default: the template's name)")

    come = verbs.add_parser("import", help="make manifests of a project of nixos-compose")
    come.set_defaults(run=commands.import_project)
    come.add_argument("directory", type=Path, metavar="DIR", help="with nxc.json or composition.nix")
    come.add_argument("-o", "--output", type=Path, metavar="DIR", help="a new folder (default: stdout)")
    come.add_argument("--name", default="", help="of the objects (default: the folder's)")
    come.add_argument("-f", "--flavour", default="", help="of the Deployment (default: the project's)")
    come.add_argument("-s", "--setup", default="", metavar="VARIANT", help="of setup.toml")
    come.add_argument("--select", default="", metavar="COMPOSITION", help="of several (default: all of them)")
    come.add_argument(
        "--deployment", type=Path, action="append", default=[], metavar="FILE", help="nodes by role"
    )
    come.add_argument(
        "--package-source", default="nixpkgs", metavar="NAME", help="(%(default)s; empty: the controller's)"
    )
    come.add_argument("--git", default="", metavar="URL", help="take the source from there, not from here")
    come.add_argument("--ref", default="", help="a branch, tag or commit (with --git)")
    come.add_argument("--path", default="", help="the project's folder in the repository (with --git)")
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    about: str,
    run: commands.Run | commands.Work,
) -> argparse.ArgumentParser:
    """A command about a deployment."""
    verb = verbs.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    verb.set_defaults(run=run)
    verb.add_argument("deployment", metavar="NXD", help="a Deployment of nxc.dev")
    _cluster(verb)
    return verb


def _cluster(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-n", "--namespace", help="default: that of the context")
    verb.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG or ~/.kube/config")
    verb.add_argument("--context", help="a context of the kubeconfig")


def _role(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--role", action="append", default=[], metavar="ROLE", help="all nodes of a role")


def _login(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-l", "--user", default="root", help="to log in as (%(default)s)")
    verb.add_argument(
        "-i",
        "--identity",
        type=Path,
        metavar="FILE",
        help="a private key of yours (default: the deployment's)",
    )
    verb.add_argument(
        "--via", default="", metavar="HOST", help="jump over the controller's host, as ssh reaches it"
    )


def _files(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--dir", type=Path, help="for the key and its files (default: ~/.local/state/nxc/ssh/…)"
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
