"""Built-in kinds are stored as a typed server would write them; cases taken from a real one."""

from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.builtin_defaults import blank_builtin, default_builtin
from controller.local.core.metadata_decoding import UndecodableError
from controller.local.core.resources import BUILTIN, Registry, Resource

Object = dict[str, Any]

REGISTRY = Registry()
RBAC = "rbac.authorization.k8s.io"


def stored(group: str, plural: str, **parts: Any) -> Object:
    resource = REGISTRY.find(group, "v1", plural)
    assert resource is not None
    found = default_builtin(resource, {"metadata": {"name": "x", "labels": {}}, **parts})
    assert found.pop("metadata") == {"name": "x", "labels": {}}  # metadata is decoded elsewhere
    return found


def test_nulls_and_empty_collections_vanish() -> None:
    assert stored("", "configmaps", data={}, binaryData=None, immutable=False) == {"immutable": False}
    assert stored(
        "", "serviceaccounts", secrets=[], imagePullSecrets=[], automountServiceAccountToken=False
    ) == {"automountServiceAccountToken": False}


def test_null_inside_a_map_or_list_stands_for_empty() -> None:
    assert stored("", "configmaps", data={"a": None}) == {"data": {"a": ""}}
    rule = {
        "apiGroups": [""],
        "resources": ["x"],
        "verbs": [None],
        "resourceNames": [],
        "nonResourceURLs": None,
    }
    assert stored(RBAC, "roles", rules=[rule])["rules"] == [
        {"apiGroups": [""], "resources": ["x"], "verbs": [""]}
    ]


def test_values_in_a_map_may_be_empty() -> None:
    assert stored("", "configmaps", data={"a": ""}) == {"data": {"a": ""}}


def test_structs_show_themselves_empty() -> None:
    assert stored("coordination.k8s.io", "leases") == {"spec": {}}
    assert stored("", "events", involvedObject={"kind": "X"}, related={}, count=0, series=None) == {
        "involvedObject": {"kind": "X"},
        "related": {},
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
    }


def test_what_is_shown_unset_is_nobodys_work() -> None:
    for group, plural in (("coordination.k8s.io", "leases"), ("", "events"), ("events.k8s.io", "events")):
        resource = REGISTRY.find(group, "v1", plural)
        assert resource is not None
        assert blank_builtin(resource) == stored(group, plural) != {}
    secrets = REGISTRY.find("", "v1", "secrets")
    assert secrets is not None
    assert blank_builtin(secrets) == {}  # its type is a default that its creator owns


def test_numbers_of_a_lease_and_its_holder_may_be_zero_and_empty() -> None:
    spec = {"leaseTransitions": 0, "holderIdentity": "", "renewTime": None}
    assert stored("coordination.k8s.io", "leases", spec=spec) == {
        "spec": {"leaseTransitions": 0, "holderIdentity": ""}
    }


def test_a_secret_takes_text_and_keeps_base64() -> None:
    assert stored("", "secrets", stringData={"a": "x"}, data={"a": "YWI=", "b": "YQ=="}) == {
        "data": {"a": "eA==", "b": "YQ=="},
        "type": "Opaque",
    }
    assert stored("", "secrets", data={"a": "YW\nI=", "b": None}) == {
        "data": {"a": "YWI=", "b": ""},
        "type": "Opaque",
    }
    assert stored("", "secrets", type="") == {"type": "Opaque"}


@pytest.mark.parametrize("text", ["***", "YWI", "Y", "YWI=YWI="])
def test_broken_base64_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(UndecodableError, match=r"data\[key\]: illegal base64 data"):
        stored("", "secrets", data={"key": text})


def test_bindings_are_completed_with_their_api_group() -> None:
    subjects = [
        {"kind": "User", "name": "x"},
        {"kind": "Group", "name": "y"},
        {"kind": "ServiceAccount", "name": "z"},
    ]
    assert stored(RBAC, "rolebindings", roleRef={"kind": "Role", "name": "r"}, subjects=subjects) == {
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"},
        "subjects": [
            {"apiGroup": RBAC, "kind": "User", "name": "x"},
            {"apiGroup": RBAC, "kind": "Group", "name": "y"},
            {"kind": "ServiceAccount", "name": "z"},
        ],
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("2020-01-01T02:00:00.5+02:00", "2020-01-01T00:00:00Z"),
        ("2020-01-01T00:00:00.123456789Z", "2020-01-01T00:00:00Z"),
    ],
)
def test_times_are_kept_in_whole_seconds_of_utc(given: str, kept: str) -> None:
    assert stored("", "events", firstTimestamp=given)["firstTimestamp"] == kept


def test_micro_times_are_kept_to_the_microsecond() -> None:
    found = stored("coordination.k8s.io", "leases", spec={"renewTime": "2020-01-01T02:00:00.123456+02:00"})
    assert found["spec"]["renewTime"] == "2020-01-01T00:00:00.123456Z"


@pytest.mark.parametrize("text", ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.123Z", "yesterday"])
def test_a_micro_time_has_six_decimals(text: str) -> None:
    with pytest.raises(UndecodableError) as refused:
        stored("coordination.k8s.io", "leases", spec={"renewTime": text})
    assert str(refused.value) == (
        f'spec.renewTime: parsing time "{text}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse it'
    )


@pytest.mark.parametrize("text", ["2020-01-01", "2020-13-01T00:00:00Z", "2020-01-01 00:00:00Z", "now"])
def test_a_broken_time_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(UndecodableError, match="firstTimestamp: parsing time"):
        stored("", "events", firstTimestamp=text)


def test_a_definition_drops_what_is_unset() -> None:
    version = {
        "name": "v1",
        "served": False,
        "storage": True,
        "deprecated": False,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"a": {"default": None, "enum": []}}}},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".a", "priority": 0}],
    }
    (found,) = stored("apiextensions.k8s.io", "customresourcedefinitions", spec={"versions": [version]})[
        "spec"
    ]["versions"]
    assert found == {
        "name": "v1",
        "served": False,
        "storage": True,
        "schema": version["schema"],
        "subresources": {"status": {}},
        "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".a"}],
    }


@pytest.mark.parametrize("resource", BUILTIN, ids=lambda resource: resource.qualified)
def test_storing_twice_changes_nothing_and_the_argument_stays(resource: Resource) -> None:
    given = {
        "metadata": {"name": "x"},
        "spec": {"namespace": "", "holderIdentity": ""},
        "stringData": {"a": "b"},
        "subjects": [{"kind": "User", "name": "x", "namespace": ""}],
        "firstTimestamp": "2020-01-01T02:00:00+02:00",
        "roleRef": {},
    }
    before = repr(given)
    once = default_builtin(resource, given)
    assert repr(given) == before
    assert default_builtin(resource, once) == once
