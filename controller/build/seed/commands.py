"""`nxc-controller seed`: the lock of the seed's packages, and their files."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.build.seed.lock import Locked, differences
from controller.build.seed.pool import Gone
from controller.build.seed.seed import Seed
from controller.build.settings import default_state
from controller.model.errors import NxcError
from controller.shipped import folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `nxc-controller seed`."""
    commands = parser.add_subparsers(dest="seed_command", required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="which lock is in force, and what of it is fetched")
    fetch = commands.add_parser("fetch", help="fetch packages before they are needed, such as for a journey")
    fetch.add_argument("packages", nargs="*", metavar="PACKAGE", help="Debian's names (default: all)")
    update = commands.add_parser("update", help="renew the lock from apt's metadata")
    update.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the lock there; without it, it comes into force here, in the state directory",
    )
    update.add_argument(
        "--refresh",
        action="store_true",
        help="have apt fetch its metadata anew first (into our directory)",
    )
    for command in (status, fetch, update):
        command.add_argument(
            "--build-state", type=Path, metavar="DIR", help=f"as of run and up ({default_state()})"
        )
        command.add_argument("--lock", type=Path, metavar="FILE", help="a lock of your own")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `seed` with these arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="nxc-controller seed", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """0, or 1 with a sentence on standard error."""
    state = (args.build_state or default_state()).expanduser().absolute()
    try:
        seed = Seed(folder("nix"), state / "seed", lock=args.lock)
        if args.seed_command == "status":
            asyncio.run(_status(seed))
        elif args.seed_command == "fetch":
            asyncio.run(_fetch(seed, args.packages))
        else:
            asyncio.run(_update(seed, args.output, args.refresh))
    except (NxcError, OSError) as error:
        print(f"nxc-controller seed: {error}", file=sys.stderr)
        return 1
    return 0


async def _status(seed: Seed) -> None:
    lock = seed.status()
    packages = seed.lock.packages.values()
    lacking = await seed.pool.lacking(packages)
    print(f"lock: {lock.digest}, {len(packages)} packages of Debian {seed.lock.release}")
    if lock.differences:
        print(f"renewed here, as the mirrors no longer had all of it; {len(lock.differences)} differences:")
        for line in lock.differences:
            print(f"  {line}")
    have = len(packages) - len(lacking)
    print(f"fetched: {have} ({_size(sum(one.size for one in packages) - sum(one.size for one in lacking))})")
    print(
        f"not yet: {len(lacking)} ({_size(sum(one.size for one in lacking))}), fetched when a build needs them"
    )


async def _fetch(seed: Seed, names: Sequence[str]) -> None:
    known = seed.lock.packages
    if unknown := [name for name in names if name not in known]:
        raise NxcError("UnknownPackage", f"not in the lock: {', '.join(unknown)} (see nix/seed/lock.json)")
    wanted = _closure(seed, names) if names else list(known.values())
    lacking = await seed.pool.lacking(wanted)
    print(f"{len(lacking)} of {len(wanted)} packages to fetch, {_size(sum(one.size for one in lacking))}")
    try:
        await seed.fetch(lacking, arrived=lambda one: print(f"  {one.name} {one.version}", flush=True))
    except Gone as gone:
        print(f"{gone.message}; renewing the lock", file=sys.stderr)
        before = seed.lock
        await seed.renew(gone)
        print("\n".join(f"  {line}" for line in differences(before, seed.lock)))
        await _fetch(seed, [name for name in names if name in seed.lock.packages])


async def _update(seed: Seed, output: Path | None, refresh: bool) -> None:
    before = seed.lock
    if refresh:
        await seed.refresh()
    if output is None:
        await seed.renew()
        after, place = seed.lock, "in force"
    else:
        after = await seed.resolved()
        place = str(output)
        await asyncio.to_thread(output.write_text, after.text(), "utf-8")
    changes = differences(before, after)
    print("\n".join([*changes, f"{len(changes)} changes"]))
    size = _size(sum(one.size for one in after.packages.values()))
    print(f"{after.digest}: {len(after.packages)} packages, {size}; {place}")


def _closure(seed: Seed, names: Sequence[str]) -> list[Locked]:
    found: dict[str, Locked] = {}
    waiting = list(names)
    while waiting:
        one = seed.lock.packages[waiting.pop()]
        if one.name not in found:
            found[one.name] = one
            waiting += one.depends
    return [found[name] for name in sorted(found)]


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
