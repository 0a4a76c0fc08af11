"""When a deployment's test script is run, run again, and ended; and what `Tested` says of it.

A trial is of a *subject*: an image with its script, on nodes that were booted from it. It is started once for
each subject, when the deployment is Ready with it. Only a trial that could not be run to its end is run again;
one that waits for its turn is taken back when the deployment is no longer Ready with its subject.
While a script is at work nothing of its deployment is updated: `holds` says so, and `plan.deployment` obeys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.model.composition import Composition, ImageState
from controller.model.conditions import Condition, false, true, unknown
from controller.model.deployment import Deployment, Role
from controller.model.errors import Blame
from controller.model.names import digest
from controller.model.node import Node, NodeSpec
from controller.model.trial import Finding, Seen, Trial, TrialState

RUNS = 4
"""How often one subject is tried where trials cannot be run to their end."""
PAUSE = timedelta(seconds=15)
"""Between a trial that could not be run and the next one, times the number of runs."""
ENDS_IT = "spec.test.run: Never ends it"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be tested. `script` is None while it is not known, and empty where there is none.

    `ready`: the deployment is Ready with exactly this, and nothing is about to change.
    """

    digest: str
    image: str
    script: str | None
    ready: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to write of the trial, what to do (`stop` first, then `start`), and when to look again."""

    record: Trial | None = None
    condition: Condition | None = None
    start: bool = False
    stop: bool = False
    look_again: timedelta | None = None
    script: str = ""


def subject(
    deployment: Deployment,
    composition: Composition | None,
    image: str,
    roles: Sequence[Role],
    specs: Mapping[str, NodeSpec],
    nodes: Sequence[Node],
    *,
    settled: bool,
) -> Subject:
    """What is to be tested of a deployment that is to run `specs`. `settled`: nothing is left to do for it."""
    # the script comes with the image, which boot_digest covers
    booted = [[host, *spec.aliases, spec.boot_digest] for host, spec in sorted(specs.items())]
    script = _script(composition, deployment.flavour, image)
    return Subject(digest(booted), image, script, settled and _stands(roles, specs, nodes))


def _script(composition: Composition | None, flavour: str, image: str) -> str | None:
    known = composition.image_for(flavour) if composition is not None else None
    if known is None or known.state is not ImageState.READY or known.image != image:
        return None
    return str((known.details or {}).get("testScript", ""))


def _stands(roles: Sequence[Role], specs: Mapping[str, NodeSpec], nodes: Sequence[Node]) -> bool:
    """Whether enough nodes of each role are ready, and no node is other than it should be."""
    ready: set[str] = set()
    for node in nodes:
        wanted, attempt = specs.get(node.spec.host), node.status.attempt
        if wanted is None or node.meta.deleting or node.spec.boot_digest != wanted.boot_digest:
            return False
        if node.ready:
            if attempt is None or attempt.digest != wanted.boot_digest:
                return False  # it is about to be booted anew, and does not say so yet
            ready.add(node.spec.host)
    return all(len(ready.intersection(role.hosts)) >= role.needed for role in roles) and bool(roles)


def under_way(deployment: Deployment, seen: Seen | None) -> Seen | None:
    """The trial on record, where it is in the sandbox and has not ended."""
    record = deployment.status.trial
    if record is None or record.state is not TrialState.RUNNING or deployment.test != "OnReady":
        return None
    return seen if _same(seen, deployment, record) and seen is not None and seen.finding is None else None


def holds(deployment: Deployment, seen: Seen | None, tested: Subject | None) -> bool:
    """Whether a script is at work on other nodes than are wanted now: then they stay until it has ended.

    What is only repaired (a node that was deleted is made again as it was) is no update.
    """
    now, record = under_way(deployment, seen), deployment.status.trial
    if now is None or now.waiting or record is None:
        return False
    return tested is None or tested.digest != record.digest


def judge(deployment: Deployment, seen: Seen | None, tested: Subject | None, now: datetime) -> Verdict:
    """Decide. `tested` is None where nobody can tell what is to be tested, or nothing may be started."""
    if deployment.test != "OnReady":
        return Verdict(stop=seen is not None)
    record = deployment.status.trial
    known = _same(seen, deployment, record)
    running = under_way(deployment, seen)
    stray = seen is not None and seen.finding is None and running is None  # on record it has ended
    stop = seen is not None and (not known or stray)
    if running is not None and record is not None:
        startable = tested is not None and tested.ready and tested.digest == record.digest
        if startable or not running.waiting:
            return Verdict(record, _progress(record, running))
        record, stop = None, True
    elif record is not None and record.state is TrialState.RUNNING and known and seen is not None:
        record = replace(record, ended=now, finding=seen.finding or record.finding)
    if tested is None:
        return Verdict(record, _condition(record), stop=stop)
    if tested.script == "":
        return Verdict(None, _NONE, stop=seen is not None)
    if record is None or record.digest != tested.digest or record.state is TrialState.STOPPED:
        return _start(tested, 1, record, now, stop=stop)
    return _again(record, tested, now, known=known, stop=stop)


def _again(record: Trial, tested: Subject, now: datetime, *, known: bool, stop: bool) -> Verdict:
    """Of the same subject as before."""
    stays = Verdict(record, _condition(record), stop=stop)
    match record.state:
        case TrialState.PASSED | TrialState.FAILED:
            return stays
        case TrialState.UNAVAILABLE:
            return stays if known else _start(tested, record.run, record, now, stop=stop)
        case TrialState.BROKEN:
            if record.run >= RUNS:
                return stays
            # an end that is yet to come: the clock went back
            wait = min(record.ended or now, now) + PAUSE * record.run - now
            if wait > timedelta(0):
                return replace(stays, look_again=wait)
        case _ if record.run >= RUNS:
            ended = Finding(
                TrialState.BROKEN, f"the controller ended {RUNS} times while it ran", Blame.CONTROLLER
            )
            record = replace(record, ended=now, finding=ended)
            return Verdict(record, _condition(record), stop=stop)
    return _start(tested, record.run + 1, record, now, stop=stop)


def _start(tested: Subject, run: int, record: Trial | None, now: datetime, *, stop: bool) -> Verdict:
    if not tested.ready or tested.script is None:
        current = record is not None and record.digest == tested.digest
        return Verdict(record, _condition(record) if current else _WAITS, stop=stop)
    started = Trial(tested.digest, tested.image, run, now)
    return Verdict(started, _progress(started, None), start=True, stop=stop, script=tested.script)


def wound_down(deployment: Deployment, seen: Seen | None, now: datetime) -> Verdict:
    """Of a deployment whose nodes go: what has ended stays on record, what runs is ended."""
    record = deployment.status.trial if deployment.test == "OnReady" else None
    if record is not None and record.state is TrialState.RUNNING:
        taken = Finding(TrialState.STOPPED, "the nodes were taken away while it ran")
        record = replace(record, ended=now, finding=taken)
    return Verdict(record, _condition(record) if record is not None else None, stop=seen is not None)


def _same(seen: Seen | None, deployment: Deployment, record: Trial | None) -> bool:
    if seen is None or record is None:
        return False
    return (seen.uid, seen.digest, seen.run) == (deployment.meta.uid, record.digest, record.run)


# ---------------------------------------------------------------- in words

_WAITS = unknown("Tested", "WaitingForReady", "the test script is run once the deployment is Ready")
_NONE = false(
    "Tested",
    "NoTestScript",
    "the composition has no testScript (or one longer than 65536 characters): add one, or set spec.test.run to Never",
)


def _progress(record: Trial, seen: Seen | None) -> Condition:
    if seen is not None and seen.waiting:
        return unknown(
            "Tested", "Waiting", "other deployments' test scripts run: this one waits for its turn"
        )
    again = f" (run {record.run} of at most {RUNS})" if record.run > 1 else ""
    return unknown("Tested", "Running", f"the test script runs{again}; nodes are not updated meanwhile")


def _condition(record: Trial | None) -> Condition:
    if record is None:
        return _WAITS
    found = record.finding
    match record.state:
        case TrialState.PASSED:
            return true("Tested", "Passed", found.message or "the test script passed")
        case TrialState.FAILED:
            return false("Tested", "Failed", found.message)
        case TrialState.UNAVAILABLE:
            return unknown("Tested", "SandboxUnavailable", found.message)
        case TrialState.STOPPED:
            return false("Tested", "Stopped", found.message)
        case TrialState.RUNNING:
            lost = (
                "the controller ended while the test script ran; it is run again once the deployment is Ready"
            )
            return unknown("Tested", "Interrupted", lost)
        case TrialState.BROKEN:
            more = "" if record.run >= RUNS else "; it is run again"
            return false(
                "Tested", f"BrokenBy{found.blame.value if found.blame else 'Unknown'}", found.message + more
            )
