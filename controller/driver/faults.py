"""What can end a test, by whose fault it is.

NixOS' test driver tells a failed assertion from a machine that broke; here as well, for a test that fails is
a finding, and one that could not be run is none.
"""

from __future__ import annotations

from controller.model.errors import Blame


class ScriptFailed(Exception):
    """The system does not do what the script asks of it. `output` is what its command said."""

    def __init__(self, message: str, *, host: str = "", output: str = "") -> None:
        super().__init__(f"{host}: {message}" if host else message)
        self.host = host
        self.output = output


class NotSupported(ScriptFailed):
    """The script asks for something that needs QEMU's monitor, screen or keyboard, which SSH does not have."""


class NoSuchMethod(AttributeError):
    """The script calls a method that machines do not have."""


class TimeIsUp(ScriptFailed):
    """The test as a whole took too long."""


class NodeFailed(Exception):
    """A node broke, or cannot be reached. `blame` as its status has it; `None`: nobody knows."""

    def __init__(self, host: str, message: str, *, blame: Blame | None = None) -> None:
        super().__init__(message if message.startswith(f"{host}:") else f"{host}: {message}")
        self.host = host
        self.blame = blame
