"""A test that cannot fail proves nothing: break one line of the operator, and the scenarios must notice.

That the sound operator passes the same seeds is `test_scenarios`' business.
"""

from __future__ import annotations

import pytest

from tests.scenarios.planted import BUGS, SEEDS, Bug, hunt


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_noticed(bug: Bug) -> None:
    assert hunt(bug) is not None, f"{bug.name}: not noticed within {SEEDS} seeds"


def test_a_planted_bug_is_taken_out_again() -> None:
    bug = BUGS[0]
    sound = bug.where.__code__
    with bug.planted():
        assert bug.where.__code__ is not sound
    assert bug.where.__code__ is sound
