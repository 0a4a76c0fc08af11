"""`nxc-controller backup FILE`: the whole state in one file, while the control plane runs.

To go back: stop it, copy the file to `state.db` in the state directory, remove `state.db-wal` and
`state.db-shm`, start it. Keys and certificates stand beside it in the same directory and are not in the file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.local.errors import LocalError
from controller.local.sqlite import back_up
from controller.local.state import default_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `nxc-controller backup`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist yet")
    parser.add_argument(
        "--state", type=Path, default=default_directory(), metavar="DIR", help="of `up` (%(default)s)"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run `backup` with these arguments; the exit code."""
    parser = argparse.ArgumentParser(
        prog="nxc-controller backup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """0, or 1 with a sentence on standard error."""
    try:
        back_up(args.state.expanduser().absolute(), args.file.expanduser().absolute())
    except LocalError as error:
        print(f"nxc-controller backup: {error}", file=sys.stderr)
        return 1
    print(f"The state is in {args.file} ({args.file.stat().st_size} bytes).")
    return 0
