"""`python -m tests.scenarios.replay SEED`: play one scenario again, and tell what happens."""

from __future__ import annotations

import argparse
import sys

from tests.scenarios.fixed import fix_hashes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.replay", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--last", type=int, default=0, metavar="N", help="tell only the last N lines")
    parser.add_argument("--grep", default="", metavar="TEXT", help="tell only lines with this text")
    parser.add_argument("--log", action="store_true", help="show the operator's log, with virtual times")
    options = parser.parse_args()
    fix_hashes()
    from tests.scenarios.scenario import Scenario

    scenario = Scenario(options.seed)
    if options.log:
        scenario.log()
    result = scenario.run()
    assert result.trace is not None
    lines = [str(line) for line in result.trace.lines]
    for line in [line for line in lines if options.grep in line][-options.last :]:
        print(line)
    print()
    for violation in result.violations:
        print("VIOLATION", violation)
    print(
        f"seed {options.seed}: {len(result.violations)} violations, {result.seconds:.0f} s of virtual time, "
        f"fingerprint {result.fingerprint}"
    )
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
