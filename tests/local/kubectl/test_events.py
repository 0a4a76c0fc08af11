"""Events: kubectl events, get events, describe."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import sprocket


def event(k: Kubectl, name: str, reason: str, *, type_: str = "Normal", about: str = "w") -> dict[str, Any]:
    live = k.get(f"sprocket {about}")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": k.namespace},
        "involvedObject": {
            "apiVersion": live["apiVersion"],
            "kind": "Sprocket",
            "name": about,
            "namespace": k.namespace,
            "uid": live["metadata"]["uid"],
        },
        "reason": reason,
        "message": f"{reason} it was",
        "type": type_,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 3,
        "source": {"component": "tests"},
    }


def test_get_events(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    k("create -f -", event(k, "e1", "Bent"))
    table = k("get events")
    assert table.lines[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert table.rows[0][1:] == ["Normal", "Bent", "sprocket/w", "Bent", "it", "was"]
    assert k("get ev -o wide").lines[0].split()[-4:] == ["FIRST", "SEEN", "COUNT", "NAME"]


def test_kubectl_events_for_an_object_and_by_type(k: Kubectl) -> None:
    k("create -f -", [sprocket("w"), sprocket("v")])
    k(
        "create -f -",
        [
            event(k, "e1", "Bent"),
            event(k, "e2", "Broken", type_="Warning"),
            event(k, "e3", "Other", about="v"),
        ],
    )
    told = k("events --for=sprocket.v1.test.nxc.dev/w")
    assert "Bent it was" in told.stdout
    assert "Other" not in told.stdout
    assert "(x3 over" in told.stdout
    warnings = k("events --types=Warning")
    assert "Broken" in warnings.stdout
    assert "Bent" not in warnings.stdout


def test_events_by_field_selector(k: Kubectl) -> None:
    k("create -f -", [sprocket("w"), sprocket("v")])
    k("create -f -", [event(k, "e1", "Bent"), event(k, "e3", "Other", about="v")])
    chosen = k("get events --field-selector involvedObject.name=v -o name").lines
    assert chosen == ["event/e3"]
    assert k("get events --field-selector reason=Bent,type=Normal -o name").lines == ["event/e1"]


def test_describe_shows_events(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    k("create -f -", event(k, "e1", "Bent"))
    assert "Bent it was" in k("describe sprocket w").stdout


def test_an_event_of_another_namespace_is_refused(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    strange = event(k, "e1", "Bent")
    strange["involvedObject"]["namespace"] = "default"
    assert "involvedObject.namespace: Invalid value" in k.fails("create -f -", strange).stderr


def test_the_same_events_in_both_groups(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    live = k.get("sprocket w")
    modern = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "modern", "namespace": k.namespace},
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "nxc.dev/tests",
        "reportingInstance": "here",
        "action": "Testing",
        "reason": "Tested",
        "note": "a note",
        "type": "Normal",
        "regarding": {
            "apiVersion": live["apiVersion"],
            "kind": "Sprocket",
            "name": "w",
            "namespace": k.namespace,
        },
    }
    k("create -f -", modern)
    old = k.get("events modern")
    assert old["apiVersion"] == "v1"
    assert old["message"] == "a note"
    assert old["involvedObject"]["name"] == "w"
    assert old["reportingComponent"] == "nxc.dev/tests"
    new = k.get("events.v1.events.k8s.io modern")
    assert new["note"] == "a note"
    assert new["regarding"]["name"] == "w"
