"""`nxc-controller isolation`: how well this host isolates compositions, and what it lacks."""

from __future__ import annotations

import argparse
import asyncio

from controller.build.isolation import Isolation, probe
from controller.build.system import HOST
from controller.model.errors import NxcError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing to be said."""
    parser.epilog = (
        "Exit status: 0 if compositions may be hostile, 1 if they must be trusted, 2 if Nix cannot run."
    )


def run(_: argparse.Namespace) -> int:
    """Try it, and print what was found."""
    try:
        nix = HOST.tool("nix-store")
        found = asyncio.run(probe(HOST))
    except NxcError as error:
        print(error)
        return 2
    print("\n".join(describe(found, nix)))
    return 0 if found.full else 1


def describe(found: Isolation, nix: str) -> list[str]:
    """What the probe found, a line each."""
    user = f"{found.user[0]}, its own" if found.user else "the controller's own"
    limits = (
        f"control groups, version {found.groups.version}" if found.groups.parents else "for each process only"
    )
    missing = f" ({found.groups.unavailable})" if found.groups.unavailable else ""
    lines = [
        f"Nix         {nix}",
        f"user        {user}",
        "namespaces  mount, PID, network, IPC, UTS and control group: each process its own",
        f"sandbox     {'each builder its own, in user namespaces' if found.sandbox else 'none'}",
        f"limits      {limits}{missing}",
        *(f"lacks       {lack}" for lack in found.lacks),
    ]
    verdict = (
        "compositions may be hostile" if found.full else "compositions must be trusted (--trust-compositions)"
    )
    return [*lines, f"verdict     {verdict}"]
