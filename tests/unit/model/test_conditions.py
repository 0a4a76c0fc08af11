from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controller.model.conditions import NO_CONDITIONS, Conditions, false, true

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_transition_time_moves_only_with_the_status():
    first = NO_CONDITIONS.then([false("Ready", "Waiting", "for a")], generation=1, now=NOW)
    later = first.then([false("Ready", "Other", "for b")], generation=2, now=NOW + timedelta(hours=1))
    assert later["Ready"].since == NOW
    assert later["Ready"].generation == 2
    turned = later.then([true("Ready", "Ready")], generation=2, now=NOW + timedelta(hours=2))
    assert turned["Ready"].since == NOW + timedelta(hours=2)


def test_a_condition_that_is_not_named_again_is_gone():
    stalled = NO_CONDITIONS.then([true("Ready", "R"), true("Stalled", "S")], generation=1, now=NOW)
    assert stalled.then([true("Ready", "R")], generation=1, now=NOW)["Stalled"] is None


def test_conditions_survive_their_writing():
    written = NO_CONDITIONS.then([true("Ready", "R", "m"), false("Built", "B")], generation=3, now=NOW)
    assert Conditions.parse(written.to_list()) == written


def test_an_endless_message_is_cut_to_what_the_schema_takes():
    written = NO_CONDITIONS.then([false("Ready", "R", "x" * 9000)], generation=1, now=NOW)
    assert len(written["Ready"].message) == 4096
