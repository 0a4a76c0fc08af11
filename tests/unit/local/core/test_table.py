"""What `kubectl get` prints. Expected cells were read from a real server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.local.core.errors import ApiError
from controller.local.core.resources import PrinterColumn, Registry, Resource
from controller.local.core.table import human_duration, table

NOW = datetime(2026, 11, 22, 15, 25, 30, tzinfo=UTC)
CREATED = "2026-11-22T15:20:30Z"  # five minutes ago

REGISTRY = Registry()


def custom(*columns: PrinterColumn) -> Resource:
    return Resource(
        group="nxc.dev",
        version="v1alpha1",
        plural="deployments",
        singular="deployment",
        kind="Deployment",
        list_kind="DeploymentList",
        namespaced=True,
        storage=("nxc.dev", "deployments"),
        storage_version="nxc.dev/v1alpha1",
        custom=True,
        columns=columns,
    )


def builtin(group: str, plural: str) -> Resource:
    found = REGISTRY.find(group, "v1", plural)
    assert found is not None
    return found


def thing(**parts: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": "ns", "creationTimestamp": CREATED}, **parts}


def cells(resource: Resource, obj: dict[str, Any]) -> list[Any]:
    (row,) = table(resource, obj, now=NOW)["rows"]
    found: list[Any] = row["cells"]
    return found


def headings(resource: Resource, *, wide: bool = False) -> list[str]:
    definitions = table(resource, thing(), now=NOW)["columnDefinitions"]
    return [definition["name"] for definition in definitions if wide or not definition["priority"]]


# ---------------------------------------------------------------- custom resources


def test_a_custom_resource_without_columns_shows_its_age() -> None:
    assert headings(custom()) == ["Name", "Age"]
    assert cells(custom(), thing()) == ["x", "5m"]


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("string", "s", "s"),
        ("string", 5, "5"),
        ("string", True, "true"),
        ("string", "", ""),
        ("string", [1, 2], "[1,2]"),
        ("string", {}, "{}"),
        ("string", None, None),
        ("integer", 3, 3),
        ("integer", 7.9, 7),
        ("integer", "3", None),
        ("integer", True, None),
        ("number", 1.5, 1.5),
        ("number", 3, 3),
        ("number", "3", None),
        ("boolean", False, False),
        ("boolean", "true", None),
        ("boolean", 1, None),
        ("date", "2026-11-22T15:20:30Z", "5m"),
        ("date", "2026-11-22T15:20:30.123456Z", "4m59s"),
        ("date", "2026-11-22T17:20:30+02:00", "5m"),
        ("date", "2999-01-01T00:00:00Z", "<invalid>"),
        ("date", "2026-11-22 15:20:30", "<invalid>"),
        ("date", "2026-13-22T15:20:30Z", "<invalid>"),
        ("date", "yesterday", "<invalid>"),
        ("date", "", "<unknown>"),
        ("date", 5, None),
    ],
)
def test_a_column_shows_a_value_in_its_type(kind: str, value: Any, cell: Any) -> None:
    resource = custom(PrinterColumn("Column", kind, ".spec.value"))
    assert cells(resource, thing(spec={"value": value})) == ["x", cell]


def test_a_missing_value_is_an_empty_cell_not_a_failure() -> None:
    resource = custom(PrinterColumn("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'))
    assert cells(resource, thing()) == ["x", None]
    assert cells(resource, thing(status={"conditions": [{"type": "Ready", "status": "True"}]})) == [
        "x",
        "True",
    ]


def test_a_column_carries_its_description_format_and_priority() -> None:
    plain = PrinterColumn("Wide", "string", ".spec.wide", priority=1)
    told = PrinterColumn("Told", "integer", ".spec.told", "Says more.", "int32")
    definitions = table(custom(plain, told), thing(), now=NOW)["columnDefinitions"]
    assert definitions[0]["format"] == "name"
    assert definitions[1] == {
        "name": "Wide",
        "type": "string",
        "format": "",
        "description": "Custom resource definition column (in JSONPath format): .spec.wide",
        "priority": 1,
    }
    assert (definitions[2]["description"], definitions[2]["format"]) == ("Says more.", "int32")


# ---------------------------------------------------------------- the Table itself


def test_a_list_becomes_rows_and_keeps_its_place() -> None:
    metadata = {"resourceVersion": "7", "continue": "token", "remainingItemCount": 3, "selfLink": ""}
    listed = {"kind": "DeploymentList", "metadata": metadata, "items": [thing(), thing()]}
    found = table(custom(), listed, now=NOW)
    assert (found["kind"], found["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert found["metadata"] == {"resourceVersion": "7", "continue": "token", "remainingItemCount": 3}
    assert [row["cells"] for row in found["rows"]] == [["x", "5m"]] * 2


def test_an_object_with_items_of_its_own_is_no_list() -> None:
    assert len(table(custom(), {**thing(), "kind": "Deployment", "items": [1, 2]}, now=NOW)["rows"]) == 1


def test_rows_carry_as_much_of_the_object_as_was_asked_for() -> None:
    obj = thing(spec={"a": 1})

    def attached(include: str) -> Any:
        return table(custom(), obj, now=NOW, include_object=include)["rows"][0]["object"]

    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    assert attached("None") is None
    assert attached("Object") == obj
    assert attached("Metadata") == attached("") == partial


def test_an_unknown_include_object_is_a_bad_request() -> None:
    with pytest.raises(ApiError) as refused:
        table(custom(), thing(), now=NOW, include_object="Foo")
    assert refused.value.code == 400
    assert refused.value.message == (
        'Unable to convert to Table as requested: includeObject: Invalid value: "Foo": '
        "must be 'Metadata', 'Object', 'None', or empty"
    )


def test_later_watch_events_have_no_headings() -> None:
    assert table(custom(), thing(), now=NOW, headers=False)["columnDefinitions"] is None


def test_a_bookmark_keeps_its_annotations_even_without_objects() -> None:
    metadata = {"resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}
    resource = custom(PrinterColumn("Text", "string", ".spec.text"))
    bookmark = {"kind": "Deployment", "metadata": metadata}
    found = table(resource, bookmark, now=NOW, include_object="None", headers=False)
    assert found["metadata"] == {"resourceVersion": "9"}
    assert found["rows"][0]["cells"] == ["", None]
    assert found["rows"][0]["object"]["metadata"] == metadata


def test_the_older_version_of_table_is_named_on_request() -> None:
    found = table(custom(), thing(), now=NOW, version="v1beta1")
    assert found["apiVersion"] == found["rows"][0]["object"]["apiVersion"] == "meta.k8s.io/v1beta1"


# ---------------------------------------------------------------- built-in kinds


@pytest.mark.parametrize(
    ("group", "plural", "shown", "wide"),
    [
        ("", "namespaces", "Name Status Age", ""),
        ("", "configmaps", "Name Data Age", ""),
        ("", "secrets", "Name Type Data Age", ""),
        ("", "serviceaccounts", "Name Secrets Age", ""),
        ("coordination.k8s.io", "leases", "Name Holder Age", ""),
        ("rbac.authorization.k8s.io", "roles", "Name Created_At", ""),
        ("rbac.authorization.k8s.io", "clusterroles", "Name Created_At", ""),
        ("apiextensions.k8s.io", "customresourcedefinitions", "Name Created_At", ""),
        ("rbac.authorization.k8s.io", "rolebindings", "Name Role Age", "Users Groups ServiceAccounts"),
        ("rbac.authorization.k8s.io", "clusterrolebindings", "Name Role Age", "Users Groups ServiceAccounts"),
    ],
)
def test_built_in_kinds_have_the_real_headings(group: str, plural: str, shown: str, wide: str) -> None:
    resource = builtin(group, plural)
    narrow = [heading.replace("_", " ") for heading in shown.split()]
    assert headings(resource) == narrow
    assert headings(resource, wide=True) == narrow + wide.split()


def test_events_head_with_last_seen() -> None:
    resource = builtin("", "events")
    assert headings(resource) == ["Last Seen", "Type", "Reason", "Object", "Message"]
    assert headings(resource, wide=True) == [
        "Last Seen", "Type", "Reason", "Object", "Subobject", "Source", "Message", "First Seen", "Count", "Name",
    ]  # fmt: skip


RBAC = "rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("group", "plural", "parts", "shown"),
    [
        ("", "namespaces", {"status": {"phase": "Active"}}, ["x", "Active", "5m"]),
        ("", "configmaps", {"data": {"a": ""}, "binaryData": {"b": ""}}, ["x", 2, "5m"]),
        ("", "configmaps", {}, ["x", 0, "5m"]),
        ("", "secrets", {"type": "Opaque", "data": {"a": "", "b": ""}}, ["x", "Opaque", 2, "5m"]),
        ("", "serviceaccounts", {"secrets": [{"name": "t"}]}, ["x", 1, "5m"]),
        ("coordination.k8s.io", "leases", {"spec": {"holderIdentity": "me"}}, ["x", "me", "5m"]),
        ("coordination.k8s.io", "leases", {"spec": {}}, ["x", "", "5m"]),
        (RBAC, "roles", {"rules": []}, ["x", CREATED]),
        ("apiextensions.k8s.io", "customresourcedefinitions", {}, ["x", CREATED]),
        (
            RBAC,
            "rolebindings",
            {
                "roleRef": {"kind": "Role", "name": "r1"},
                "subjects": [
                    {"kind": "User", "name": "alice"},
                    {"kind": "User", "name": "bob"},
                    {"kind": "Group", "name": "devs"},
                    {"kind": "ServiceAccount", "name": "robot", "namespace": "ns"},
                ],
            },
            ["x", "Role/r1", "5m", "alice, bob", "devs", "ns/robot"],
        ),
    ],
)
def test_built_in_kinds_show_the_real_cells(
    group: str, plural: str, parts: dict[str, Any], shown: list[Any]
) -> None:
    assert cells(builtin(group, plural), thing(**parts)) == shown


def test_an_event_shows_when_where_and_what() -> None:
    event = thing(
        involvedObject={"kind": "Thing", "name": "full", "fieldPath": "spec.x{y}"},
        firstTimestamp="2026-11-22T15:00:30Z",
        lastTimestamp="2026-11-22T15:20:00Z",
        type="Normal",
        reason="Ready",
        message="all is well \n second line \n",
        count=3,
        source={"component": "comp", "host": "hostx"},
    )
    shown = ["5m30s", "Normal", "Ready", "thing/full", "spec.x{y}", "comp, hostx",
             "all is well \n second line", "25m", 3, "x"]  # fmt: skip
    assert cells(builtin("", "events"), event) == shown


def test_an_event_without_times_shows_unknown_and_counts_once() -> None:
    event = thing(involvedObject={"kind": "Thing"}, reason="Minimal", firstTimestamp=None, count=0)
    shown = ["<unknown>", "", "Minimal", "thing", "", "", "", "<unknown>", 1, "x"]
    assert cells(builtin("", "events"), event) == shown


def test_an_event_of_the_newer_api_shows_the_same_columns() -> None:
    event = thing(
        regarding={"kind": "Thing", "name": "full"},
        eventTime="2026-11-22T15:20:00.000000Z",
        series={"count": 4, "lastObservedTime": "2026-11-22T15:22:00.000000Z"},
        type="Warning",
        reason="New",
        note="a note",
        reportingController="nxc.dev/controller",
        reportingInstance="inst-1",
        deprecatedSource={},
    )
    shown = [
        "3m30s",
        "Warning",
        "New",
        "thing/full",
        "",
        "nxc.dev/controller, inst-1",
        "a note",
        "5m30s",
        4,
        "x",
    ]
    assert cells(builtin("events.k8s.io", "events"), event) == shown


# ---------------------------------------------------------------- ages


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (-2, "<invalid>"), (-1, "0s"), (-0.5, "0s"), (0, "0s"), (1.9, "1s"), (119, "119s"), (120, "2m"),
        (121, "2m1s"), (599, "9m59s"), (600, "10m"), (659, "10m"), (10799, "179m"), (10800, "3h"), (10860, "3h1m"),
        (28799, "7h59m"), (28800, "8h"), (172799, "47h"), (172800, "2d"), (176400, "2d1h"), (691199, "7d23h"),
        (691200, "8d"), (63071999, "729d"), (63072000, "2y"), (63158400, "2y1d"), (252288000, "8y"),
    ],
)  # fmt: skip
def test_ages_read_as_kubectl_prints_them(seconds: float, printed: str) -> None:
    assert human_duration(seconds) == printed


def test_a_thousand_rows_take_well_under_a_tenth_of_a_second() -> None:
    columns = [
        PrinterColumn("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
        PrinterColumn("Nodes", "string", ".status.nodes.summary"),
        PrinterColumn("Lease end", "date", ".status.lease.endsAt"),
        PrinterColumn("Age", "date", ".metadata.creationTimestamp"),
    ]
    obj = thing(
        status={
            "conditions": [{"type": "Admitted", "status": "True"}, {"type": "Ready", "status": "True"}],
            "nodes": {"summary": "3/4"},
            "lease": {"endsAt": (NOW - timedelta(hours=1)).isoformat()},
        }
    )
    listed = {"kind": "DeploymentList", "metadata": {}, "items": [obj] * 1000}
    started = datetime.now(UTC)
    table(custom(*columns), listed, now=NOW)
    assert datetime.now(UTC) - started < timedelta(seconds=0.5)  # 15 ms on an idle core
