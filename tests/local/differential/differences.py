"""What is known to differ, each with its reason; docs/local-control-plane-differences.md lists the same."""

from __future__ import annotations

from tests.local.differential.answers import Answer
from tests.local.differential.calls import Call


def expected(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    """Both answers without what is known to differ."""
    return local, real
