"""Three hundred scenarios, and what makes them worth something: that they replay exactly."""

from __future__ import annotations

import pytest

from tests.scenarios.soak import workers

SEEDS = 300
CHUNK = 50


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_everything_ends_as_it_was_wished(first: int) -> None:
    failed = [
        f"seed {result['seed']}: {result['violations']}\n"
        f"  to replay: python -m tests.scenarios.replay {result['seed']}"
        for result in workers(first, CHUNK, jobs=1)
        if result["violations"]
    ]
    assert not failed, "\n".join(failed)


def test_a_seed_tells_the_same_story_again() -> None:
    once, again = ([r["fingerprint"] for r in workers(7, 3, jobs=1)] for _ in range(2))
    assert once == again
    assert len(set(once)) == 3
