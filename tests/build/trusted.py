"""Opens Nix here as it is refused and as it is trusted, and builds: what test_isolation runs in lesser places.

    python -m tests.build.trusted STATE BUSYBOX-TREE         here, as whoever runs it
    python -m tests.build.trusted --few STATE BUSYBOX-TREE   as root of a user namespace where no more can be made

Needs nothing beside the standard library, so that any Python of the host will do.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
from pathlib import Path

from controller.build.limits import BuildLimits, EvalLimits
from controller.build.nix import Nix
from controller.model.errors import NxcError

EXPRESSIONS = Path(__file__).parent / "expressions"
NEW_USER = 0x10000000  # <linux/sched.h> CLONE_NEWUSER
SCRIPT = "id -u; ls /; cat /proc/net/dev; mkdir -p d/e; chmod 0 d; echo built > $out"


async def main(state: Path, busybox: Path) -> None:
    told = {}
    try:
        await Nix.open(state, expressions=EXPRESSIONS)
    except NxcError as refused:
        told["refused"] = str(refused)
    nix = await Nix.open(state, expressions=EXPRESSIONS, trusted=True)
    told["isolation"] = str(nix.isolation)
    source = state / "source"
    await asyncio.to_thread(source.mkdir, exist_ok=True)
    (source / "composition.nix").write_text(f'{{ busybox, sh }}: sh "x" "{SCRIPT}" {{ }}')
    request = {
        "source": await nix.add_tree(source, "source"),
        "busybox": await nix.add_tree(busybox, "busybox"),
    }
    evaluated = await nix.evaluate(request, EvalLimits())
    await nix.realise(evaluated.drv_path, limits=BuildLimits(free=0), log=state / "log")
    told["log"] = (state / "log").read_text()
    told["built"] = nix.physical(evaluated.out_path).read_text()
    told["left"] = str(os.listdir(state / "work"))
    print(json.dumps(told))


def in_a_namespace_without_more() -> None:
    """Goes on as root of a new user namespace that has every user, and in which none can be made."""
    libc = ctypes.CDLL(None, use_errno=True)
    ready, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        assert libc.unshare(NEW_USER) == 0
        os.write(ready[1], b"x")
        os.read(mapped[0], 1)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        return
    os.read(ready[0], 1)
    for kind in ("uid", "gid"):
        Path(f"/proc/{child}/{kind}_map").write_text("0 0 65536")
    os.write(mapped[1], b"x")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    if "--few" in sys.argv:
        sys.argv.remove("--few")
        in_a_namespace_without_more()
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
