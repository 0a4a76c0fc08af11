"""The command line of builds, shared by `run` and `up`."""

from __future__ import annotations

import argparse
from pathlib import Path

from controller.build.settings import BuildSettings, default_state, read_package_sources
from controller.model.quantity import parse_quantity

_DEFAULTS = BuildSettings()


def add_build_arguments(parser: argparse.ArgumentParser, *, state_default: str = "") -> None:
    """`state_default`: how help names the default of --build-state."""
    group = parser.add_argument_group("builds")
    group.add_argument(
        "--build-state",
        type=Path,
        metavar="DIR",
        help=f"the Nix store, logs and records of builds ({state_default or default_state()})",
    )
    group.add_argument(
        "--build-jobs",
        type=int,
        default=_DEFAULTS.jobs,
        metavar="N",
        help="evaluations and builds at a time (%(default)s)",
    )
    group.add_argument(
        "--build-min-free",
        type=_size,
        default="2Gi",
        metavar="SIZE",
        help="with less room than this on its disk the store is cleared of what nobody uses, "
        "until there is twice as much (%(default)s)",
    )
    group.add_argument(
        "--trust-compositions",
        action="store_true",
        help="build also where Nix cannot be isolated from this machine: on one's own machine alone",
    )
    group.add_argument(
        "--nix-system",
        type=Path,
        metavar="DIR",
        help="where Nix is, if not on this host's PATH: the root of a system, such as an unpacked Debian "
        "with nix-bin",
    )
    group.add_argument(
        "--package-source",
        default=_DEFAULTS.package_source,
        metavar="NAME",
        help="the package source of compositions that name none (%(default)s)",
    )
    group.add_argument(
        "--package-sources",
        type=Path,
        metavar="FILE",
        help="more package sources: YAML, a list of {name, kind: seed|nixpkgs, path, pin, allowImportFromDerivation}",
    )


def _size(text: str) -> str:
    """A size that can be read, as it is written."""
    try:
        parse_quantity(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def build_settings(args: argparse.Namespace) -> BuildSettings:
    """What the command line asks for. Raises `NxcError` for what cannot be."""
    return BuildSettings(
        state=(args.build_state or default_state()).expanduser().absolute(),
        trusted=args.trust_compositions,
        jobs=args.build_jobs,
        min_free=parse_quantity(args.build_min_free),
        enough_free=2 * parse_quantity(args.build_min_free),
        nix_system=args.nix_system.expanduser().absolute() if args.nix_system else None,
        package_source=args.package_source,
        package_sources=read_package_sources(args.package_sources) if args.package_sources else {},
    )


def build_arguments(args: argparse.Namespace) -> list[str]:
    """The same again, as a command line for another process."""
    words = ["--build-jobs", str(args.build_jobs), "--build-min-free", args.build_min_free]
    words += ["--package-source", args.package_source]
    if args.build_state:
        words += ["--build-state", str(args.build_state.expanduser().absolute())]
    if args.nix_system:
        words += ["--nix-system", str(args.nix_system.expanduser().absolute())]
    if args.package_sources:
        words += ["--package-sources", str(args.package_sources.expanduser().absolute())]
    if args.trust_compositions:
        words.append("--trust-compositions")
    return words
