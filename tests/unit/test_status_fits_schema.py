"""What the operator writes is what the CRDs accept: nothing is pruned, nothing refused, however long a text is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from controller import shipped
from controller.local.core.schema import Structural
from controller.model.composition import Composition, Image, ImageState
from controller.model.conditions import NO_CONDITIONS, false, true
from controller.model.deployment import PHASES, Counts, DeploymentStatus, Reservation, Resources
from controller.model.errors import Blame
from controller.model.kinds import REQUESTED_AT
from controller.model.meta import Meta
from controller.model.node import NODE_PHASES, Attempt, Failure, NodeSpec, NodeStatus
from controller.model.testbed import Testbed
from controller.model.trial import Finding, Trial, TrialState
from controller.plan.composition import Progress, composition_status
from controller.plan.testbed import Usage, usage_status
from tests.conformance.objects import DIGEST, FULL

NOW = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
LONG = "x" * 20_000
SCHEMAS = {
    crd["spec"]["names"]["kind"]: Structural.compile(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    for crd in shipped.crds()
}
EXAMPLES = {manifest["kind"]: manifest for manifest in FULL}
CONDITIONS = NO_CONDITIONS.then(
    [true("Admitted", "Admitted", LONG), false("Ready", "Booting", LONG), true("Stalled", "Failed")],
    generation=7,
    now=NOW,
)


def assert_accepted(kind: str, **parts: Any) -> None:
    """A full object of `kind` with these parts instead passes the schema as it is."""
    written = {**EXAMPLES[kind], **parts}
    kept, dropped = SCHEMAS[kind].prune(written)
    assert dropped == []
    assert SCHEMAS[kind].problems(kept) == []


def test_deployment() -> None:
    status = DeploymentStatus(
        observed_generation=7,
        conditions=CONDITIONS,
        counts=Counts(desired=1000, ready=3, up_to_date=2, failed=1),
        testbed="lab",
        reservation=Reservation("lab", tuple(f"paravance-{n}" for n in range(1000)), 2**62, NOW),
        queue_position=3,
        image=DIGEST,
        lease_start=NOW,
        lease_end=NOW,
        timings=dict.fromkeys(PHASES, NOW),
        last_handled=Meta.of({"metadata": {"annotations": {REQUESTED_AT: LONG}}}).requested_at,
        trial=Trial(DIGEST, DIGEST, 4, NOW, NOW, Finding(TrialState.BROKEN, LONG, Blame.TESTBED, 7, LONG)),
    )
    assert_accepted("Deployment", status=status.to_dict())
    assert DeploymentStatus.parse(status.to_dict()).trial is not None


@pytest.mark.parametrize("phase", ["fresh", "failed"])
def test_node(phase: str) -> None:
    failed = phase == "failed"
    spec = NodeSpec(
        deployment="full",
        role="server",
        host="server",
        machine="paravance-1",
        testbed="lab",
        flavour="docker",
        image=DIGEST,
        aliases=("server1",),
        resources=Resources(99 * 2**40 + 1, 4),
        kernel_parameters=("quiet",),
        information=DIGEST,
    )
    status = NodeStatus(
        observed_generation=7,
        conditions=CONDITIONS,
        attempt=Attempt(3, DIGEST, DIGEST, NOW, seen=True, failed=failed, since=NOW),
        failures=2,
        next_attempt=NOW if failed else None,
        last_failure=Failure("NoContact", LONG, Blame.TESTBED, 2, NOW),
        address="2001:db8::1",
        evidence=LONG,
        timings=dict.fromkeys(NODE_PHASES, NOW),
        last_handled="2026-11-22T12:30:15Z",
    )
    assert_accepted("DeployedNode", spec=spec.to_dict(), status=status.to_dict())
    assert_accepted("DeployedNode", status=NodeStatus().to_dict())


def test_composition() -> None:
    composition = Composition.parse(EXAMPLES["Composition"])
    built = Image("docker", ImageState.READY, DIGEST, DIGEST, "40/40 built", "Built", LONG)
    failed = Image("vm-ramdisk", ImageState.FAILED, source=DIGEST, reason="EvaluationFailed", message=LONG)
    progress = Progress({"docker": built, "vm-ramdisk": failed}, ("client", "server"))
    status = composition_status(composition, ["docker", "vm-ramdisk"], progress, NOW)
    assert_accepted("Composition", status=status)


def test_testbed() -> None:
    testbed = Testbed.parse(EXAMPLES["Testbed"])
    usage = Usage(nodes=64_000, memory=64_000 * 99 * 2**40, admitted=1000, waiting=1000, machines=64_000)
    status = {"observedGeneration": 7, "conditions": CONDITIONS.to_list(), **usage_status(testbed, usage)}
    assert_accepted("Testbed", status=status)
