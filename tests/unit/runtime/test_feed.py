from __future__ import annotations

from typing import Any

import pytest

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, TESTBED, Key
from controller.runtime.feed import NODE_NEWS, Feed
from controller.runtime.store import Store

from .test_store import WEB, deployment, dnode


@pytest.fixture
def feed() -> Any:
    made = Feed(Store())
    made.woken = []  # type: ignore[attr-defined]
    made.wake = lambda key, delay: made.woken.append((key, delay))  # type: ignore[attr-defined]
    return made


def names(feed: Any) -> set[str]:
    found = {f"{key.kind.kind}/{key.name}" for key, _ in feed.woken}
    feed.woken.clear()
    return found


def thing(name: str, version: int, **fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "lab", "uid": name, "resourceVersion": str(version)},
        **fields,
    }


def test_news_wake_the_object_itself(feed):
    feed.on_event(DEPLOYMENT, None, deployment())
    assert "Deployment/web" in names(feed)


def test_doubled_events_wake_nobody(feed):
    feed.on_event(DEPLOYMENT, "ADDED", deployment())
    names(feed)
    feed.on_event(DEPLOYMENT, "ADDED", deployment())
    assert names(feed) == set()


def test_a_composition_wakes_its_deployments(feed):
    feed.on_event(DEPLOYMENT, "ADDED", deployment())
    names(feed)
    feed.on_event(COMPOSITION, "ADDED", thing("c", 1, spec={"source": {"inline": ""}}))
    assert names(feed) == {"Composition/c", "Deployment/web"}


def test_a_node_wakes_its_deployment_a_little_later_so_that_a_burst_costs_one_look(feed):
    feed.on_event(NODE, "ADDED", dnode("a"))
    assert (WEB, NODE_NEWS) in feed.woken


def test_a_testbed_s_counters_wake_nobody_but_its_readiness_does(feed):
    feed.on_event(DEPLOYMENT, "ADDED", deployment(testbedRef={"name": "local"}))
    bed = thing("local", 1, spec={"kind": "local"})
    feed.on_event(TESTBED, "ADDED", bed)
    names(feed)
    feed.on_event(TESTBED, "MODIFIED", thing("local", 2, spec={"kind": "local"}, status={"deployments": 7}))
    assert names(feed) == {"Testbed/local"}
    ready = [{"type": "Ready", "status": "True", "reason": "Answering"}]
    feed.on_event(
        TESTBED, "MODIFIED", thing("local", 3, spec={"kind": "local"}, status={"conditions": ready})
    )
    assert names(feed) == {"Testbed/local", "Deployment/web"}


def test_a_deployment_hears_of_testbeds_that_it_does_not_name_since_they_may_serve_it_instead(feed):
    feed.on_event(DEPLOYMENT, "ADDED", deployment(testbedRef={"name": "local"}))
    names(feed)
    feed.on_event(TESTBED, "ADDED", thing("other", 1, spec={"kind": "local"}))
    assert names(feed) == {"Testbed/other", "Deployment/web"}
    ready = [{"type": "Ready", "status": "True", "reason": "Answering"}]
    feed.on_event(
        TESTBED, "MODIFIED", thing("other", 2, spec={"kind": "local"}, status={"conditions": ready})
    )
    assert names(feed) == {"Testbed/other"}


def test_a_deployment_s_status_wakes_none_of_its_nodes_but_its_spec_does(feed):
    feed.on_event(DEPLOYMENT, "ADDED", deployment())
    feed.on_event(NODE, "ADDED", dnode("a"))
    names(feed)
    feed.on_event(DEPLOYMENT, "MODIFIED", {**deployment(version=2), "status": {"image": "x"}})
    assert names(feed) == {"Deployment/web"}
    changed = deployment(version=3)
    changed["metadata"]["generation"] = 2
    feed.on_event(DEPLOYMENT, "MODIFIED", changed)
    assert "DeployedNode/web.a" in names(feed)


def test_what_a_listing_finds_gone_wakes_those_whom_it_concerns(feed):
    feed.on_event(NODE, "ADDED", dnode("a"))
    names(feed)
    feed.replace(NODE, (), "9")
    assert {"DeployedNode/web.a", "Deployment/web"} <= names(feed)


def test_nonsense_is_logged_and_does_not_raise(feed, caplog):
    feed.on_event(DEPLOYMENT, "ADDED", {"metadata": None, "spec": []})
    feed.on_event(DEPLOYMENT, "DELETED", {"metadata": {"name": "never-seen", "uid": "x"}})
    assert Key(DEPLOYMENT, "", "never-seen") not in dict(feed.woken)
