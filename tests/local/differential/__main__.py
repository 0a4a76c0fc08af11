"""Send random calls to the local and to the real control plane and compare.

NXC_TEST_KUBECONFIG=... python -m tests.local.differential --seeds 1000
NXC_TEST_KUBECONFIG=... python -m tests.local.differential --seed 17        # one, told call by call
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from controller.local.server import Settings
from tests.local.differential.run import Pair
from tests.local.plane import REAL, LocalThread, real_kubeconfig


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.local.differential", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many sequences")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="just this one")
    parser.add_argument("--length", type=int, default=12, help="calls in a sequence")
    parser.add_argument("--most", type=int, default=20, help="stop after so many that differ")
    parser.add_argument("--local", type=Path, help="kubeconfig of a running local control plane")
    options = parser.parse_args()
    real = real_kubeconfig()
    if real is None:
        parser.error(f"{REAL} must name the kubeconfig of a real control plane")
    with tempfile.TemporaryDirectory() as directory:
        thread = None
        local = options.local
        if local is None:
            local = Path(directory, "kubeconfig")
            thread = LocalThread(Settings(Path(directory, "state"), local))
            thread.start()
        try:
            return _compare(options, local, real)
        finally:
            if thread is not None:
                thread.stop()


def _compare(options: argparse.Namespace, local: Path, real: Path) -> int:
    seeds = (
        [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    )
    started, sequences, calls, differing = time.monotonic(), 0, 0, Counter[str]()
    with Pair(local, real, f"nxc-diff-{secrets.token_hex(3)}") as pair:
        for seed in seeds:
            sequences += 1
            outcome = pair.run(seed, options.length)
            calls += outcome.calls
            if outcome.differs:
                differing[outcome.where] += 1
                print(outcome, flush=True)
                if differing.total() >= options.most:
                    break
            elif options.seed is not None:
                print(outcome)
    seconds = time.monotonic() - started
    print(f"{sequences} sequences, {calls} calls, {seconds:.0f} s: {differing.total()} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
