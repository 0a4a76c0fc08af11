"""A host that answers in this (new) network namespace, and a build that calls it (see test_hostile)."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from controller.build.nix import Nix
from tests.build.conftest import EXPRESSIONS, SYSTEM, Workbench
from tests.build.test_hostile import CALLS, FIXED, forced
from tests.build.test_isolation import listener

ADDRESS = "192.0.2.1"


async def main(tmp: Path, busybox: Path) -> None:
    assert [name for _, name in socket.if_nameindex()] == ["lo"], "not in a namespace of its own"
    for command in ("ip link set lo up", f"ip address add {ADDRESS}/24 dev lo"):
        await asyncio.to_thread(subprocess.run, command.split(), check=True)
    nix = await Nix.open(tmp / "state", expressions=EXPRESSIONS, system=SYSTEM)
    bench = Workbench(nix, await nix.add_tree(busybox, "busybox"), tmp)
    with listener(ADDRESS) as (port, came):
        script = [busybox / "bin/busybox", "wget", "-q", "-O", "-", f"http://{ADDRESS}:{port}/"]
        await asyncio.to_thread(subprocess.run, script, check=True, stdout=subprocess.DEVNULL)
        outside = len(came)
        evaluated = await bench.evaluate(CALLS.format(address=ADDRESS, port=port, attributes=FIXED))
        said = await forced(bench, evaluated.drv_path)
        print(json.dumps({"outside": outside, "after": len(came), "said": said}))


if __name__ == "__main__":
    os.umask(0o022)
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
