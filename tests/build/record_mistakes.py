"""Writes what this machine's Nix says about each mistake: `python -m tests.build.record_mistakes DIRECTORY [SYSTEM]`.

SYSTEM: the root of another system whose Nix is to be asked.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from controller.build import diagnosis
from controller.build.limits import GIB, EvalLimits
from controller.build.nix import Nix
from controller.build.system import System
from controller.model.errors import UserError
from controller.shipped import folder
from tests.build.mistakes import MISTAKES


async def record(directory: Path, system: System) -> None:
    """Evaluates each and writes stderr to NAME.txt; what lies in between is left out where it is long."""
    said: list[str] = []
    explain = diagnosis.evaluation

    def keep(stderr: str, *rest: object) -> diagnosis.Diagnosis:
        said.append(stderr)
        return explain(stderr, *rest)  # type: ignore[arg-type]

    diagnosis.evaluation = keep  # type: ignore[assignment]
    with TemporaryDirectory() as temporary:
        nix = await Nix.open(Path(temporary, "state"), expressions=folder("nix"), system=system)
        source = Path(temporary, "source")
        os.mkdir(source)
        for mistake in MISTAKES:
            (source / "composition.nix").write_text(mistake.text)
            request = {
                "source": await nix.add_tree(source, "source"),
                "flavour": "vm-ramdisk",
                "packageSource": {"kind": "seed", "lock": None},
            }
            try:
                await nix.evaluate(request, EvalLimits(memory=2 * GIB))
            except UserError as error:
                print(f"{mistake.name}: {error}")
                (directory / f"{mistake.name}.txt").write_text(shorten(said.pop()))
            else:
                print(f"{mistake.name}: NO ERROR")


def shorten(text: str) -> str:
    """Without the frames in the middle, each of which begins with `…`."""
    frames = re.split(r"(?m)^(?=\s*… )", text)
    return "".join([*frames[:5], *frames[-5:]]) if len(frames) > 10 else text


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(record(Path(sys.argv[1]), System(*sys.argv[2:])))
