"""The host's services, kept from containers: what comes in from a bridge of ours may answer, and begin nothing.

Docker's own rules are about what a host forwards; containers of any network reach the host itself at the bridge's
address (or at any other of its own), and every service there that listens on all addresses. So each bridge has one
rule in the chain INPUT of iptables(8) and ip6tables(8), found again by the bridge's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from controller.model.errors import TestbedError

logger = logging.getLogger(__name__)

MARK = "nxc-controller"
"""The comment by which a rule is known for ours."""
SECONDS = 15.0
LOCK_SECONDS = 10
"""So long iptables waits for others who change rules."""
IPV6 = Path("/proc/net/if_inet6")
_PLACES = "/usr/sbin:/sbin"
_RULE = re.compile(r"^-A INPUT -i (\S+) ", re.MULTILINE)


class Wall:
    """The rules for bridges of one operator; other rules of the host are left alone."""

    def __init__(self) -> None:
        self._guard = asyncio.Lock()

    async def keep(self, bridges: Collection[str]) -> None:
        """See that each of these bridges has its rule, whether it exists yet or not.

        Raises `TestbedError`, `HostExposed`, where the host's firewall is not ours to change.
        """
        async with self._guard:
            await asyncio.gather(*(self._keep(family, bridges) for family in _families()))

    async def lift(self, bridges: Collection[str]) -> None:
        """Take the rules of bridges away that are gone. Who could not set any has none to take away."""
        async with self._guard:
            for family in _families():
                try:
                    standing = await _standing(family)
                    left = [each for each in bridges for _ in range(standing[each])]
                    await _change(family, [f"-D INPUT {_rule(bridge)}" for bridge in left])
                except TestbedError as error:
                    logger.warning("rules of %s may be left: %s", ", ".join(bridges), error.message)

    async def _keep(self, family: str, bridges: Collection[str]) -> None:
        standing = await _standing(family)
        missing = [bridge for bridge in bridges if not standing[bridge]]
        await _change(family, [f"-I INPUT 1 {_rule(bridge)}" for bridge in missing])


def _families() -> tuple[str, ...]:
    return ("iptables", "ip6tables") if IPV6.exists() else ("iptables",)


def _rule(bridge: str) -> str:
    state = "-m conntrack ! --ctstate RELATED,ESTABLISHED"
    return f"-i {bridge} {state} -m comment --comment {MARK} -j DROP"


async def _standing(family: str) -> Counter[str]:
    """How many rules of ours each bridge has."""
    said = await _run(family, "--wait", str(LOCK_SECONDS), "--list-rules", "INPUT")
    lines = (line for line in said.splitlines() if f"--comment {MARK} " in line)
    return Counter(match[1] for line in lines if (match := _RULE.match(line)) is not None)


async def _change(family: str, commands: Collection[str]) -> None:
    """All at once, or nothing (iptables-restore(8))."""
    if commands:
        text = "\n".join(("*filter", *commands, "COMMIT", ""))
        await _run(f"{family}-restore", "--wait", str(LOCK_SECONDS), "--noflush", text=text)


async def _run(name: str, *arguments: str, text: str = "") -> str:
    program = await asyncio.to_thread(shutil.which, name, path=f"{os.environ.get('PATH', '')}:{_PLACES}")
    if program is None:
        raise _exposed(f"{name} is not installed")
    process = await asyncio.create_subprocess_exec(
        *(program, *arguments),
        env={},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate(text.encode())
    except TimeoutError:
        raise _exposed(f"{name} did not end within {SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    said = output.decode("utf-8", "replace")
    if process.returncode != 0:
        raise _exposed(f"{name}: {said.strip()[-300:]}")
    return said


def _exposed(why: str) -> TestbedError:
    return TestbedError(
        "HostExposed",
        f"containers could reach services of this host, and its firewall cannot be told otherwise ({why}): run "
        "the operator as root, on a host with iptables; or, if that is meant, set spec.trusted: true",
    )
