"""When a test script is run, run again and ended: whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.conditions import Status
from controller.model.deployment import Deployment
from controller.model.errors import Blame
from controller.model.trial import LOG_LIMIT, Finding, Seen, Trial, TrialState
from controller.plan.trial import PAUSE, RUNS, Subject, Verdict, holds, judge, wound_down

from .make import MINUTE, NOW, SECOND, deployment

SUBJECT = Subject("sha256:nodes", "sha256:a", "server.succeed('true')", ready=True)
OTHER = replace(SUBJECT, digest="sha256:others", image="sha256:b")


def of(record: Trial | None = None, *, run: str = "OnReady", suspend: bool = False) -> Deployment:
    made = deployment(test={"run": run}, suspend=suspend)
    return replace(made, status=replace(made.status, trial=record))


def trial(state: TrialState = TrialState.RUNNING, *, run: int = 1, ended: datetime | None = None) -> Trial:
    finding = Finding(state, "why", Blame.TESTBED if state is TrialState.BROKEN else None)
    return Trial(SUBJECT.digest, SUBJECT.image, run, NOW - MINUTE, ended, finding)


def seen(
    record: Trial, finding: Finding | None = None, *, waiting: bool = False, uid: str = "uid-web"
) -> Seen:
    return Seen(uid, record.digest, record.run, waiting, finding)


def says(verdict: Verdict) -> tuple[Status, str] | None:
    return None if verdict.condition is None else (verdict.condition.status, verdict.condition.reason)


def test_it_is_started_when_the_deployment_is_ready_and_is_on_record_before():
    verdict = judge(of(), None, SUBJECT, NOW)
    assert verdict.start
    assert verdict.script == SUBJECT.script
    assert verdict.record == Trial(SUBJECT.digest, SUBJECT.image, 1, NOW)
    assert says(verdict) == (Status.UNKNOWN, "Running")


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (replace(SUBJECT, ready=False), "WaitingForReady"),
        (replace(SUBJECT, script=None), "WaitingForReady"),
        (None, "WaitingForReady"),
        (replace(SUBJECT, script=""), "NoTestScript"),
    ],
)
def test_it_waits_for_what_it_needs(subject: Subject | None, reason: str):
    verdict = judge(of(), None, subject, NOW)
    assert not verdict.start
    assert verdict.condition is not None
    assert verdict.condition.reason == reason


@pytest.mark.parametrize("state", [TrialState.PASSED, TrialState.FAILED])
def test_what_has_passed_or_failed_is_not_run_again_but_with_other_nodes(state: TrialState):
    assert not judge(of(trial(state)), None, SUBJECT, NOW).start
    again = judge(of(trial(state)), None, OTHER, NOW)
    assert again.start
    assert again.record is not None
    assert (again.record.run, again.record.digest) == (1, OTHER.digest)


def test_the_result_stays_on_record_until_the_next_one_begins_and_is_not_taken_for_that_of_the_next_image():
    verdict = judge(of(trial(TrialState.PASSED)), None, replace(OTHER, ready=False), NOW)
    assert verdict.record == trial(TrialState.PASSED)
    assert says(verdict) == (Status.UNKNOWN, "WaitingForReady")


def test_one_that_could_not_be_run_is_run_again_after_a_pause_and_not_for_ever():
    broken = trial(TrialState.BROKEN, ended=NOW - 5 * SECOND)
    waits = judge(of(broken), None, SUBJECT, NOW)
    assert not waits.start
    assert waits.look_again == PAUSE - 5 * SECOND
    later = judge(of(broken), None, SUBJECT, NOW + PAUSE)
    assert later.start
    assert later.record is not None
    assert later.record.run == 2
    last = trial(TrialState.BROKEN, run=RUNS, ended=NOW - MINUTE)
    assert not judge(of(last), None, SUBJECT, NOW + 60 * MINUTE).start


def test_a_clock_that_went_back_delays_nothing_for_long():
    broken = trial(TrialState.BROKEN, ended=NOW + 120 * MINUTE)
    waits = judge(of(broken), None, SUBJECT, NOW).look_again
    assert waits is not None
    assert waits <= PAUSE


def test_one_that_this_process_does_not_know_was_interrupted():
    assert says(judge(of(trial()), None, None, NOW)) == (Status.UNKNOWN, "Interrupted")
    again = judge(of(trial()), None, SUBJECT, NOW)
    assert again.start
    assert again.record is not None
    assert again.record.run == 2
    given_up = judge(of(trial(run=RUNS)), None, SUBJECT, NOW)
    assert not given_up.start
    assert says(given_up) == (Status.FALSE, "BrokenByController")


def test_a_host_without_a_sandbox_is_tried_again_by_the_next_controller_only():
    told = Finding(TrialState.UNAVAILABLE, "this host gives none")
    verdict = judge(of(trial()), seen(trial(), told), SUBJECT, NOW)
    assert says(verdict) == (Status.UNKNOWN, "SandboxUnavailable")
    assert verdict.record is not None
    assert not judge(of(verdict.record), seen(trial(), told), SUBJECT, NOW + MINUTE).start
    assert judge(of(verdict.record), None, SUBJECT, NOW + MINUTE).start


def test_while_a_script_is_at_work_other_nodes_have_to_wait_and_repairs_do_not():
    record = trial()
    assert holds(of(record), seen(record), OTHER)
    assert holds(of(record), seen(record), None)
    assert not holds(of(record), seen(record), SUBJECT)
    assert not holds(of(record), seen(record, waiting=True), OTHER)
    assert not holds(of(record), None, OTHER)
    assert not holds(of(record), seen(record, Finding(TrialState.PASSED)), OTHER)
    assert not holds(of(record, run="Never"), seen(record), OTHER)


def test_never_ends_it_and_forgets_it():
    verdict = judge(of(trial(), run="Never"), seen(trial()), SUBJECT, NOW)
    assert (verdict.stop, verdict.record, verdict.condition) == (True, None, None)


def test_what_goes_ends_its_script_first():
    verdict = wound_down(of(trial()), seen(trial()), NOW)
    assert verdict.stop
    assert says(verdict) == (Status.FALSE, "Stopped")
    assert wound_down(of(trial(TrialState.PASSED)), None, NOW).record == trial(TrialState.PASSED)


def test_one_that_waits_for_its_turn_gives_way_to_an_update_and_to_suspension():
    record = trial()
    assert judge(of(record), seen(record, waiting=True), replace(OTHER, ready=False), NOW).stop
    assert judge(of(record, suspend=True), seen(record, waiting=True), None, NOW).stop
    assert not judge(of(record, suspend=True), seen(record), None, NOW).stop


def test_one_that_waits_for_its_turn_is_taken_back_when_the_deployment_is_no_longer_ready():
    record = trial()
    lost = judge(of(record), seen(record, waiting=True), replace(SUBJECT, ready=False), NOW)
    assert (lost.stop, lost.start, lost.record) == (True, False, None)
    assert says(lost) == (Status.UNKNOWN, "WaitingForReady")
    assert judge(of(None), None, SUBJECT, NOW).start  # when it is again
    assert not judge(of(record), seen(record, waiting=True), SUBJECT, NOW).stop
    assert not judge(of(record), seen(record), replace(SUBJECT, ready=False), NOW).stop  # one at work sees it


def test_where_the_script_is_gone_nothing_is_left_of_its_last_trial():
    record = trial()
    ended = replace(seen(record), finding=Finding(TrialState.PASSED))
    without = judge(of(record), ended, replace(SUBJECT, digest="sha256:later", script=""), NOW)
    assert (without.stop, without.start, without.record) == (True, False, None)
    assert says(without) == (Status.FALSE, "NoTestScript")


FINDINGS = st.sampled_from([state for state in TrialState if state is not TrialState.RUNNING]).map(Finding)
RECORDS = st.none() | st.builds(
    Trial,
    digest=st.sampled_from([SUBJECT.digest, OTHER.digest]),
    image=st.just("sha256:a"),
    run=st.integers(1, RUNS),
    started=st.just(NOW - MINUTE),
    ended=st.sampled_from([None, NOW - MINUTE, NOW, NOW + MINUTE]),
    finding=FINDINGS | st.just(Finding(TrialState.RUNNING)),
)
SUBJECTS = st.none() | st.builds(
    replace,
    st.sampled_from([SUBJECT, OTHER]),
    script=st.sampled_from([None, "", "pass"]),
    ready=st.booleans(),
)
SEENS = st.none() | st.builds(
    Seen,
    uid=st.sampled_from(["uid-web", "uid-of-another"]),
    digest=st.sampled_from([SUBJECT.digest, OTHER.digest]),
    run=st.integers(1, RUNS),
    waiting=st.booleans(),
    finding=st.none() | FINDINGS,
)


@given(RECORDS, SEENS, SUBJECTS, st.booleans(), st.integers(0, 600))
def test_whatever_was_found(
    record: Trial | None, known: Seen | None, subject: Subject | None, suspend: bool, later: int
):
    now = NOW + timedelta(seconds=later)
    made = of(record, suspend=suspend)
    verdict = judge(made, known, None if suspend else subject, now)
    assert verdict.condition is not None
    assert verdict.condition.type == "Tested"
    if verdict.start:  # only what is ready, on record, and new to the sandbox
        assert subject is not None
        assert subject.ready
        assert subject.script
        assert not suspend
        assert verdict.record is not None
        assert verdict.record.state is TrialState.RUNNING
        assert verdict.record.digest == subject.digest
        assert verdict.record.run <= RUNS
        mine = known is not None and known.uid == made.meta.uid and known.finding is None
        if mine and not verdict.stop:
            assert record is None or (known.digest, known.run) != (record.digest, record.run)  # type: ignore[union-attr]
    if holds(made, known, subject):
        assert not verdict.stop
        assert verdict.record == record
    # what is decided, once on record, is decided again
    settled = judge(of(verdict.record, suspend=suspend), known, None if suspend else subject, now)
    if not (verdict.start or verdict.stop):
        assert settled == verdict


@given(FINDINGS, st.text(max_size=3 * LOG_LIMIT), st.integers(0, 10**6), st.sampled_from([None, *Blame]))
def test_what_is_on_record_is_read_as_it_was_written(
    found: Finding, log: str, line: int, blame: Blame | None
):
    made = Trial("sha256:x", "sha256:a", 3, NOW, NOW, replace(found, log=log, line=line, blame=blame))
    assert Trial.parse(made.to_dict()) == replace(made, finding=replace(made.finding, log=log[-LOG_LIMIT:]))
