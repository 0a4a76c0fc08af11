"""`python -m tests.bench`: measure, and print one table."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import builds, containers, fleet, machines, planes, traffic
from tests.bench.process import load
from tests.bench.table import Table

SIZES = (250, 1000)
LARGE = 4000


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--large", action="store_true", help=f"{LARGE:,} deployments on the real control plane, too"
    )
    parser.add_argument("--only", choices=("real", "local"), help="one control plane alone")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="deployments (%(default)s)"
    )
    parser.add_argument("--builds", action="store_true", help="builds of compositions alone")
    parser.add_argument("--machines", action="store_true", help="nodes on real machines alone")
    parser.add_argument("--containers", action="store_true", help="nodes as containers alone")
    parser.add_argument(
        "--nodes",
        type=int,
        nargs="+",
        default=machines.SIZES,
        metavar="N",
        help="nodes on machines, and as containers (%(default)s)",
    )
    parser.add_argument("--no-traffic", action="store_true", help="no requests per second")
    args = parser.parse_args(argv)
    started = time.monotonic()
    table = Table(["real", "local"])
    notes: list[str] = []
    built: list[builds.Build] = []
    booted: list[machines.Run] = []
    contained: list[containers.Run] = []
    with tempfile.TemporaryDirectory(prefix="nxc-bench-") as name:
        everything = not args.builds and not args.machines and not args.containers
        if everything:
            _measure(args, Path(name), table, notes)
        if args.builds or everything:
            if shutil.which("nix"):
                built = asyncio.run(builds.measure(Path(name)))
            else:
                notes.append("builds: not measured, there is no Nix here")
        if args.machines or everything:
            if lacks := machines.lacking():
                notes.append(f"machines: not measured, there is no {lacks} here")
            else:
                booted = asyncio.run(machines.measure(Path(name), args.nodes, _say))
        if args.containers or everything:
            try:
                contained = asyncio.run(containers.measure(Path(name), args.nodes, _say))
            except containers.NoEngine as error:
                notes.append(f"containers: not measured: {error}")
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {time.monotonic() - started:.0f} s in all"
    )
    if table.rows:
        print(table)
        print()
    if built:
        builds.report(built, print)
        print()
    if booted:
        machines.report(booted, print)
        print()
    if contained:
        containers.report(contained, print)
        print()
    print("\n".join(notes))
    return 0


def _measure(args: argparse.Namespace, directory: Path, table: Table, notes: list[str]) -> None:
    runs: dict[str, list[fleet.Figures]] = {"real": [], "local": []}
    rates: dict[str, traffic.Rates] = {}
    start = None
    if args.only != "local":
        with planes.real(directory) as kubeconfig:
            if kubeconfig is None:
                notes.append("real: none here (NXC_TEST_KUBECONFIG is not set)")
            else:
                sizes = [*args.sizes, *([LARGE] if args.large else [])]
                runs["real"] = _fleets("real", kubeconfig, directory, sizes, notes)
                if not args.no_traffic:
                    rates["real"] = _traffic("real", kubeconfig, notes)
    if args.only != "real":
        start = planes.first_answer(directory / "first")
        _say(f"local: first answer after {start[0]:.1f} s")
        with planes.Local(directory / "local", "--no-operator") as local:
            runs["local"] = _fleets("local", local.kubeconfig, directory, args.sizes, notes)
            if not args.no_traffic:
                rates["local"] = _traffic("local", local.kubeconfig, notes)
            notes.append(f"local: the API server had {local.memory():.0f} MiB after all that")
    _report(table, runs, rates, start)


def _fleets(
    plane: str, kubeconfig: Path, directory: Path, sizes: Sequence[int], notes: list[str]
) -> list[fleet.Figures]:
    found = []
    for count in sizes:
        place = directory / f"{plane}-{count}"
        place.mkdir()
        before = load()
        figures = asyncio.run(fleet.measure(kubeconfig, place, count))
        _say(f"{plane}: {count} deployments Ready after {figures.ready:.1f} s")
        notes.append(
            f"{plane}, {count}: load {before} before, {load()} after; applied by {fleet.SIDE_BY_SIDE} creates at a "
            f"time within {figures.applied:.1f} s; operator {figures.cpu / count * 1000:.0f} ms of CPU a deployment; "
            f"writes {dict(sorted(figures.writes.items()))}"
        )
        found.append(figures)
    return found


def _traffic(plane: str, kubeconfig: Path, notes: list[str]) -> traffic.Rates:
    before = load()
    rates = asyncio.run(traffic.measure(kubeconfig))
    _say(f"{plane}: {rates.patch:.0f} status patches a second")
    notes.append(f"{plane}, requests: load {before} before, {load()} after")
    return rates


def _report(
    table: Table,
    runs: dict[str, list[fleet.Figures]],
    rates: dict[str, traffic.Rates],
    start: tuple[float, float] | None,
) -> None:
    for count in sorted({figures.count for found in runs.values() for figures in found}):
        of = [next((f for f in runs[plane] if f.count == count), None) for plane in ("real", "local")]
        aims = ("60 / 90 s", "8", "0", "3 s", "150 MiB") if count == 1000 else ("",) * 5

        def row(name: str, aim: str, form: str, *values: float | None) -> None:
            table.row(name, aim, *("" if value is None else format(value, form) for value in values))

        table.heading(f"{count:,} deployments of one simulated node each")
        row("  apply to all Ready, s", aims[0], ".1f", *(f and f.ready for f in of))
        row("  API writes a deployment and its node", aims[1], ".2f", *(f and f.per_deployment for f in of))
        row("  operator CPU until Ready, s", "", ".1f", *(f and f.cpu for f in of))
        row("  operator memory, most, MiB", aims[4], ".0f", *(f and f.peak for f in of))
        row(
            "  operator memory after restart and resync, most, MiB",
            "",
            ".0f",
            *(f and f.rest_rss for f in of),
        )
        row("  restart until all looked at, s", "", ".1f", *(f and f.restart for f in of))
        row("  writes after a restart", "0", ".0f", *(f and f.restart_writes for f in of))
        row("  resync with no news: writes", aims[2], ".0f", *(f and f.resync_writes for f in of))
        row(
            "  resync with no news: CPU, waiting for it included, s",
            aims[3],
            ".1f",
            *(f and f.resync_cpu for f in of),
        )
        row("  CPU with no news, share of a core, %", "", ".1f", *(f and 100 * f.idle_cpu for f in of))
        row("  delete to all gone, s", "", ".1f", *(f and f.gone for f in of))
    if rates:
        table.heading(
            f"requests a second, {traffic.SIDE_BY_SIDE} at a time, {traffic.OBJECTS:,} Deployments there"
        )
        for name, field in (
            ("  create", "create"),
            ("  get", "get"),
            (f"  list of {traffic.OBJECTS:,}, one at a time", "list"),
            ("  status patch", "patch"),
            (f"  watch events to {traffic.WATCHERS} watchers", "fan_out"),
        ):
            cells = [getattr(rates[p], field) if p in rates else None for p in ("real", "local")]
            table.row(name, "", *("" if c is None else f"{c:.0f}" if c >= 10 else f"{c:.1f}" for c in cells))
    if start is not None:
        table.heading("nxc-controller up, on fresh state")
        table.row("  to the first answered `kubectl get nxc`, s", "3 s", "", f"{start[0]:.1f}")
        table.row("  memory of both processes, MiB", "200 MiB", "", f"{start[1]:.0f}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


sys.exit(main())
