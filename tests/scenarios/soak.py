"""`python -m tests.scenarios.soak --seeds N [--first K] [--jobs J]`: play many scenarios, and sum up."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

from tests.scenarios.fixed import fix_hashes

CHUNK = 50
SHOWN = 10
"""Failures that are told in full."""


def play(first: int, count: int) -> Iterator[dict[str, object]]:
    """Play seeds in this process; one JSON value each."""
    from tests.scenarios.scenario import Scenario

    for seed in range(first, first + count):
        started = time.process_time()
        result = Scenario(seed).run()
        yield {
            "seed": seed,
            "violations": [str(violation) for violation in result.violations],
            "seconds": result.seconds,
            "counts": result.counts,
            "fingerprint": result.fingerprint,
            "cpu": time.process_time() - started,
        }


def workers(first: int, count: int, jobs: int) -> Iterator[dict[str, object]]:
    """Play seeds in processes of their own, some side by side."""
    waiting = [(start, min(CHUNK, first + count - start)) for start in range(first, first + count, CHUNK)]
    waiting.reverse()
    running: list[subprocess.Popen[str]] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            start, size = waiting.pop()
            command = [sys.executable, "-m", "tests.scenarios.soak", "--worker"]
            command += ["--first", str(start), "--seeds", str(size)]
            environment = {**os.environ, "PYTHONHASHSEED": "0"}
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        output, _ = running[0].communicate()
        ended = running.pop(0)
        for line in output.splitlines():
            yield json.loads(line)
        if ended.returncode:
            raise SystemExit(f"a worker ended with {ended.returncode}: {ended.args}")


def soak(first: int, count: int, jobs: int) -> int:
    """Play, tell how far it is, and sum up; the number of seeds that failed."""
    started = time.monotonic()
    failed: dict[int, list[str]] = {}
    counts: Counter[str] = Counter()
    virtual = cpu = 0.0
    for done, result in enumerate(workers(first, count, jobs), start=1):
        counts.update(result["counts"])  # type: ignore[call-overload]
        virtual += float(str(result["seconds"]))
        cpu += float(str(result["cpu"]))
        violations = result["violations"]
        if violations:
            assert isinstance(violations, list)
            failed[int(str(result["seed"]))] = violations
            if len(failed) <= SHOWN:
                print(f"seed {result['seed']} fails: {violations[0]}")
                print(f"  python -m tests.scenarios.replay {result['seed']}", flush=True)
        if done % CHUNK == 0:
            minutes = (time.monotonic() - started) / 60
            print(f"{done} of {count} seeds, {len(failed)} failed, {minutes:.1f} min", flush=True)
    print()
    print(f"seeds           {count} (from {first})")
    print(f"failed          {len(failed)}{': ' + ' '.join(map(str, sorted(failed))) if failed else ''}")
    print(f"virtual time    {virtual / 3600:.1f} h")
    print(f"CPU             {cpu:.1f} s ({1000 * cpu / max(1, count):.0f} ms a seed)")
    print(f"wall            {time.monotonic() - started:.1f} s")
    for name in ("api writes", "boots", "starts", "crashes", "user actions"):
        print(f"{name:<15} {counts[name]}")
    return len(failed)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many (default: 1000)")
    parser.add_argument("--first", type=int, default=1, metavar="K", help="the first seed (default: 1)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        fix_hashes()
        for result in play(options.first, options.seeds):
            print(json.dumps(result), flush=True)
        return 0
    return 1 if soak(options.first, options.seeds, options.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
