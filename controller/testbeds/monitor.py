"""QEMU's monitor (QMP): a short talk over its Unix socket.

Source: docs/interop/qmp-spec.rst in QEMU.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.model.errors import TestbedError

LIMIT = 10.0


async def ask(socket: Path, commands: Sequence[tuple[str, Mapping[str, object]]]) -> list[Any]:
    """Run commands one after the other; what each returned. Raises `TestbedError` where one fails."""
    try:
        async with asyncio.timeout(LIMIT):
            reader, writer = await _connect(socket)
            try:
                await reader.readline()  # the greeting
                answers = []
                for name, arguments in (("qmp_capabilities", {}), *commands):
                    message = {"execute": name, "arguments": dict(arguments)}
                    writer.write(json.dumps(message).encode() + b"\n")
                    answers.append(await _answer(reader, name))
                return answers[1:]
            finally:
                writer.close()
    except TimeoutError:
        raise TestbedError("MonitorSilent", f"QEMU's monitor did not answer within {LIMIT:.0f} s") from None
    except (OSError, ValueError, asyncio.LimitOverrunError) as error:
        raise TestbedError("MonitorSilent", f"QEMU's monitor does not answer: {error}") from None


async def tell(socket: Path, command: str) -> str:
    """Run a command of the human monitor; what it printed."""
    (said,) = await ask(socket, [("human-monitor-command", {"command-line": command})])
    return str(said)


async def _connect(socket: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Paths of Unix sockets have 107 bytes at most; through /proc a directory may be deeper."""
    directory = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/{socket.name}", limit=1 << 20)
    finally:
        os.close(directory)


async def _answer(reader: asyncio.StreamReader, name: str) -> Any:
    while line := await reader.readline():
        message = json.loads(line)
        if "error" in message:
            raise TestbedError("MonitorRefused", f"QEMU refused {name}: {message['error'].get('desc')}")
        if "return" in message:
            return message["return"]
    raise TestbedError("MonitorSilent", f"QEMU ended while it was asked for {name}")
