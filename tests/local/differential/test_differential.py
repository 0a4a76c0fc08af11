"""A fixed number of random sequences, the same each time, on both control planes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.differential.answers import Answer, Ranks, difference
from tests.local.differential.calls import UNKNOWN_UID, Edited, Known, Memory, resolved
from tests.local.differential.differences import DIFFERENCES
from tests.local.differential.generate import SPROCKETS, sequence
from tests.local.differential.run import Pair
from tests.local.plane import REAL, ControlPlane, real_kubeconfig

SEQUENCES = 150
BATCH = 10
LENGTH = 12
DOCUMENT = Path(__file__).parents[3] / "docs" / "local-control-plane-differences.md"


@pytest.fixture(scope="module")
def pair(local_control_plane: ControlPlane) -> Iterator[Pair]:
    real = real_kubeconfig()
    if real is None:
        pytest.skip(f"no real control plane to compare with: {REAL} is not set")
    with Pair(Path(local_control_plane.kubeconfig), real, f"nxc-diff-{secrets.token_hex(3)}") as both:
        yield both


@pytest.mark.real
@pytest.mark.parametrize("first", range(0, SEQUENCES, BATCH))
def test_both_answer_the_same(pair: Pair, first: int) -> None:
    for seed in range(first, first + BATCH):
        outcome = pair.run(seed, LENGTH)
        assert not outcome.differs, str(outcome)


def test_a_seed_draws_the_same_calls_again() -> None:
    assert [str(call) for call in sequence(7)] == [str(call) for call in sequence(7)]
    assert [str(call) for call in sequence(7)] != [str(call) for call in sequence(8)]


def test_every_known_difference_is_in_the_documentation() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for known in DIFFERENCES:
        assert f"### {known.title}\n" in text


def answer(version: str, uid: str, **spec: object) -> Answer:
    metadata = {
        "name": "a",
        "uid": uid,
        "resourceVersion": version,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return Answer(200, "application/json", (), {"kind": "Sprocket", "metadata": metadata, "spec": spec})


def test_versions_uids_and_times_do_not_count_but_their_equality_does() -> None:
    one = "11111111-1111-1111-1111-111111111111"
    other = "22222222-2222-2222-2222-222222222222"
    local, real = Ranks(), Ranks()
    assert not difference(local.normal(answer("5", one)), real.normal(answer("700", other)))
    assert not difference(local.normal(answer("6", one)), real.normal(answer("702", other)))
    # written here, not written there
    [told] = difference(local.normal(answer("7", one)), real.normal(answer("702", other)))
    assert "resourceVersion" in told


def test_any_other_difference_is_told() -> None:
    uid = "11111111-1111-1111-1111-111111111111"
    told = difference(Ranks().normal(answer("1", uid, size=1)), Ranks().normal(answer("1", uid, size=2)))
    assert told == [".spec.size: 1 != 2"]
    assert difference(Answer(200, "a", (), {}), Answer(201, "b", ("w",), {})) == [
        "code: 200 != 201",
        "media type: a != b",
        "warnings: () != ('w',)",
    ]


def test_bodies_are_filled_in_from_what_a_server_answered() -> None:
    memory = Memory()
    memory.learn(SPROCKETS, answer("5", "u-1", size=1).body)
    assert resolved([Known("uid", "sprockets/a"), Known("uid", "sprockets/b")], memory, "n") == [
        "u-1",
        UNKNOWN_UID,
    ]
    edited = Edited("sprockets/a", {}, ((("spec", "size"), 3), (("metadata", "uid"), "<removed>")))
    body = resolved(edited, memory, "n")
    assert body["spec"] == {"size": 3}
    assert "uid" not in body["metadata"]
    assert memory.objects["sprockets/a"]["spec"] == {"size": 1}, "what was learnt stays as it was"
