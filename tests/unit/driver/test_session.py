"""One SSH connection to one node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncssh
import pytest

from controller.driver.session import REFUSED_PAUSES, Session
from controller.model.errors import TestbedError
from tests.unit.plugin.stand_in import nodes


class Refusing:
    """A connection whose node closes the first `times` channels, and starts the commands: Dropbear 2022.83."""

    def __init__(self, connection: asyncssh.SSHClientConnection, times: int) -> None:
        self._connection, self._times = connection, times

    async def create_process(self, *arguments: Any, **options: Any) -> Any:
        process = await self._connection.create_process(*arguments, **options)
        if self._times:
            self._times -= 1
            process.close()
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_REQUEST_SESSION_FAILED, "Session request failed")
        return process


@pytest.mark.parametrize("times", [0, 1, len(REFUSED_PAUSES), len(REFUSED_PAUSES) + 1])
async def test_a_command_whose_channel_a_node_closes_is_run_once(times: int, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    async with nodes("alice") as ([alice], identity):
        session = await Session.open(alice.target(), identity)
        connection = session.connection
        try:
            session.connection = Refusing(connection, times)  # type: ignore[assignment]
            if times > len(REFUSED_PAUSES):
                with pytest.raises(TestbedError, match="Session request failed"):
                    await session.shell(f"echo hello >> {ran}", seconds=10, complain=print)
                assert not ran.exists()
            else:
                command = f"echo hello >> {ran}; cat"
                outcome = await session.shell(command, seconds=10, complain=print, stdin=b"to it")
                assert (outcome.status, outcome.output) == (0, "to it")
                assert ran.read_text() == "hello\n"
                said: list[str] = []
                status = await session.stream("cat; echo alone; exit 3", lambda _, text: said.append(text))
                assert (status, said) == (3, ["alone"])
        finally:
            session.connection = connection
            await session.aclose()
