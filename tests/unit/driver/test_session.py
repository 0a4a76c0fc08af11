"""One SSH connection to one node."""

from __future__ import annotations

from typing import Any

import asyncssh
import pytest

from controller.driver.session import REFUSED_PAUSES, Session
from controller.model.errors import TestbedError
from tests.unit.plugin.stand_in import nodes


class Refusing:
    """A connection whose node refuses to start the first `times` commands, as Dropbear 2022.83 does in a race."""

    def __init__(self, connection: asyncssh.SSHClientConnection, times: int) -> None:
        self._connection, self._times = connection, times

    async def create_process(self, *arguments: Any, **options: Any) -> Any:
        if self._times:
            self._times -= 1
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_REQUEST_SESSION_FAILED, "Session request failed")
        return await self._connection.create_process(*arguments, **options)


@pytest.mark.parametrize("times", [0, 1, len(REFUSED_PAUSES), len(REFUSED_PAUSES) + 1])
async def test_a_command_that_a_node_refuses_to_start_is_tried_again(times: int) -> None:
    async with nodes("alice") as ([alice], identity):
        session = await Session.open(alice.target(), identity)
        connection = session.connection
        try:
            session.connection = Refusing(connection, times)  # type: ignore[assignment]
            if times > len(REFUSED_PAUSES):
                with pytest.raises(TestbedError, match="Session request failed"):
                    await session.shell("echo hello", seconds=10, complain=print)
            else:
                outcome = await session.shell("echo hello", seconds=10, complain=print)
                assert (outcome.status, outcome.output) == (0, "hello\n")
        finally:
            session.connection = connection
            await session.aclose()
