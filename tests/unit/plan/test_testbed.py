from __future__ import annotations

import pytest

from controller.model.errors import TestbedError
from controller.plan.testbed import Refusal, Usage, choose, judge, usage_status

from .make import deployment, make_testbed

SERVED = {"simulated": frozenset({"local"})}


def pick(*testbeds, labels=None, **spec):
    return choose(deployment(**spec), testbeds, served_by=SERVED, namespace_labels=labels)


def test_the_named_testbed_is_taken():
    assert (
        pick(make_testbed(), make_testbed(meta={"name": "lab"}), testbedRef={"name": "lab"}).meta.name
        == "lab"
    )


def test_without_a_name_the_first_default_is_taken():
    assert pick(make_testbed(meta={"name": "b"}), make_testbed(meta={"name": "a"})).meta.name == "a"


@pytest.mark.parametrize(
    ("bed", "reason"),
    [
        (make_testbed(allowedNamespaces={"from": "None"}), "NotAllowed"),
        (make_testbed(kind="grid5000"), "FlavourNotServed"),
        (make_testbed(flavours=["docker"]), "FlavourNotServed"),
        (make_testbed(meta={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "TestbedLeaving"),
        (make_testbed(meta={"name": "other"}), "TestbedNotFound"),
    ],
)
def test_a_testbed_that_cannot_be_had_says_why(bed, reason):
    refusal = pick(bed, testbedRef={"name": "local"})
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason


def test_an_unknown_flavour_lists_those_installed():
    refusal = pick(make_testbed(), flavour="dokcer")
    assert isinstance(refusal, Refusal)
    assert refusal.message == "spec.flavour: no flavour 'dokcer' (installed: simulated)"


@pytest.mark.parametrize(
    ("labels", "admitted"),
    [
        ({"team": "a", "x": "1"}, True),
        ({"team": "b"}, False),
        ({"team": "a", "closed": ""}, False),
        (None, False),
    ],
)
def test_a_selector_admits_namespaces_by_their_labels(labels, admitted):
    selector = {
        "matchLabels": {"team": "a"},
        "matchExpressions": [{"key": "closed", "operator": "DoesNotExist"}],
    }
    bed = make_testbed(allowedNamespaces={"from": "Selector", "selector": selector})
    assert isinstance(pick(bed, labels=labels), Refusal) is not admitted


def test_a_testbed_says_whether_it_answers():
    kinds = frozenset({"local"})
    assert [c.reason for c in judge(make_testbed(), kinds, None)] == ["Answering"]
    assert [c.reason for c in judge(make_testbed(), kinds, TestbedError("Down", "no"))] == ["Down"]
    assert [c.type for c in judge(make_testbed(kind="mars"), kinds, None)] == ["Ready", "Stalled"]


def test_free_is_what_is_left():
    status = usage_status(make_testbed(capacity={"nodes": 4, "memory": "1Gi"}), Usage(nodes=3, memory=2**29))
    assert status["free"] == {"nodes": 1, "memory": "512Mi"}
