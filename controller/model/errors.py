"""Errors that carry blame: whose move it is to mend them.

The NixOS test driver tells a broken machine from a failed assertion; a boot status needs the same split
between the user's composition, the testbed, and this controller.
"""

from __future__ import annotations

from enum import StrEnum


class Blame(StrEnum):
    """Whose fault a failure is."""

    USER = "User"
    TESTBED = "Testbed"
    CONTROLLER = "Controller"


class NxcError(Exception):
    """A failure with a stable `reason` (CamelCase), a sentence for its reader, and blame."""

    blame: Blame = Blame.CONTROLLER

    def __init__(self, reason: str, message: str, *, blame: Blame | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        if blame is not None:
            self.blame = blame


class UserError(NxcError):
    """The object or the composition asks for something that cannot be."""

    blame = Blame.USER


class TestbedError(NxcError):
    """The testbed refused, failed, or did not answer in time."""

    __test__ = False  # the name would make pytest collect it
    blame = Blame.TESTBED
