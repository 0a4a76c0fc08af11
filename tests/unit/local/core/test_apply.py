"""Server-side apply and managedFields. The sequences were compared with a real API server, in results and texts."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.local.core.apply import apply, track_update
from controller.local.core.errors import ApiError
from controller.local.core.schema import Structural

TIME, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
STATUS, SPEC = frozenset({"status"}), frozenset({"spec", "metadata"})

SCHEMA = Structural.compile({
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "flavour": {"type": "string"},
                "count": {"type": "integer"},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "atoms": {"type": "array", "items": {"type": "integer"}},
                "whole": {
                    "type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}},
                },
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "either": {"x-kubernetes-int-or-string": True},
                "roles": {
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object", "required": ["name"],
                        "properties": {
                            "name": {"type": "string"}, "count": {"type": "integer"},
                            "hosts": {
                                "type": "array", "x-kubernetes-list-type": "map",
                                "x-kubernetes-list-map-keys": ["host", "proto"],
                                "items": {
                                    "type": "object", "required": ["host"],
                                    "properties": {
                                        "host": {"type": "string"}, "proto": {"type": "string", "default": "TCP"},
                                        "up": {"type": "boolean"},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
})  # fmt: skip


def thing(spec: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "ns", **more.pop("metadata", {})}
    obj = {"apiVersion": "nxc.dev/v1alpha1", "kind": "Thing", "metadata": metadata, **more}
    return obj if spec is None else {**obj, "spec": spec}


def applied(
    live: dict[str, Any] | None, config: dict[str, Any], manager: str = "a", *, force: bool = False, time: str = TIME,
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    return apply(
        live, config, manager=manager, force=force, shape=SCHEMA.shape, time=time,
        **{"reset": STATUS, **more},
    )  # fmt: skip


def updated(
    live: dict[str, Any] | None, new: dict[str, Any], manager: str = "u", *, time: str = TIME, **more: Any
) -> dict[str, Any]:
    return track_update(
        live, new, manager=manager, shape=SCHEMA.shape, time=time, **{"reset": STATUS, **more}
    )


def owners(obj: dict[str, Any]) -> dict[str, Any]:
    """fieldsV1 by manager."""
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", [])}


def refused(live: dict[str, Any] | None, config: dict[str, Any], manager: str = "a", **more: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        applied(live, config, manager, **more)
    return caught.value


def test_an_applied_object_is_owned_field_by_field_without_its_identity() -> None:
    made = applied(
        None, thing({"flavour": "vm", "roles": [{"name": "r", "count": 1}]}, metadata={"labels": {"l": "1"}})
    )
    assert made["spec"] == {"flavour": "vm", "roles": [{"name": "r", "count": 1}]}
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "a",
            "operation": "Apply",
            "apiVersion": "nxc.dev/v1alpha1",
            "time": TIME,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {"f:l": {}}},
                "f:spec": {
                    "f:flavour": {},
                    "f:roles": {'k:{"name":"r"}': {".": {}, "f:count": {}, "f:name": {}}},
                },
            },
        }
    ]


def test_a_created_object_is_owned_by_update_with_its_containers() -> None:
    made = updated(None, thing({"tags": ["x"], "free": {"a": {}}}))
    assert owners(made)["u"] == {
        "f:spec": {".": {}, "f:free": {".": {}, "f:a": {}}, "f:tags": {".": {}, 'v:"x"': {}}}
    }
    assert made["metadata"]["managedFields"][0]["operation"] == "Update"


def test_a_different_value_of_anothers_field_is_a_conflict() -> None:
    live = applied(None, thing({"flavour": "vm"}), "other")
    error = refused(live, thing({"flavour": "docker"}))
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == 'Apply failed with 1 conflict: conflict with "other": .spec.flavour'
    assert error.details == {
        "causes": [
            {"reason": "FieldManagerConflict", "message": 'conflict with "other"', "field": ".spec.flavour"}
        ]
    }


def test_a_conflict_with_an_updater_names_its_version_and_subresource() -> None:
    live = updated(None, thing({"flavour": "vm"}), "edit")
    assert refused(live, thing({"flavour": "x"})).message == (
        'Apply failed with 1 conflict: conflict with "edit" using nxc.dev/v1alpha1: .spec.flavour'
    )
    live = updated(live, {**live, "status": {"phase": "up"}}, "op", subresource="status", reset=SPEC)
    error = refused(live, thing(status={"phase": "down"}), subresource="status", reset=SPEC)
    assert error.message == (
        'Apply failed with 1 conflict: conflict with "op" with subresource "status" using nxc.dev/v1alpha1: '
        ".status.phase"
    )


def test_several_conflicts_are_listed_by_manager() -> None:
    live = applied(None, thing({"flavour": "vm", "roles": [{"name": "r", "count": 1}]}), "b")
    live = applied(live, thing({"count": 1}), "c")
    error = refused(live, thing({"flavour": "x", "count": 2, "roles": [{"name": "r", "count": 2}]}))
    assert error.message == (
        'Apply failed with 3 conflicts: conflicts with "b":\n- .spec.flavour\n- .spec.roles[name="r"].count\n'
        'conflicts with "c":\n- .spec.count'
    )


def test_force_takes_the_field_over() -> None:
    live = applied(None, thing({"flavour": "vm", "count": 1}), "other")
    taken = applied(live, thing({"flavour": "docker"}), force=True)
    assert taken["spec"] == {"flavour": "docker", "count": 1}
    assert owners(taken) == {"a": {"f:spec": {"f:flavour": {}}}, "other": {"f:spec": {"f:count": {}}}}


def test_the_same_value_is_shared_and_stays_when_one_lets_go() -> None:
    live = applied(None, thing({"flavour": "vm"}), "other")
    shared = applied(live, thing({"flavour": "vm"}))
    assert owners(shared) == {"a": {"f:spec": {"f:flavour": {}}}, "other": {"f:spec": {"f:flavour": {}}}}
    left = applied(shared, thing({}), "other")
    assert left["spec"] == {"flavour": "vm"}
    assert owners(left)["a"] == {"f:spec": {"f:flavour": {}}}


def test_what_an_applier_drops_goes_where_nobody_else_owns_it() -> None:
    full = {
        "flavour": "vm", "tags": ["x", "y"], "roles": [{"name": "r"}, {"name": "s", "count": 2}], "labels": {"q": "1"},
    }  # fmt: skip
    live = applied(None, thing(full))
    live = applied(live, thing({"tags": ["y"]}), "b")
    assert applied(live, thing({"roles": [{"name": "s"}]}))["spec"] == {
        "tags": ["y"],
        "roles": [{"name": "s"}],
    }


def test_items_of_nested_list_maps_are_merged_by_all_keys_with_defaults() -> None:
    live = applied(None, thing({"roles": [{"name": "r", "hosts": [{"host": "h", "up": True}]}]}))
    more = {"roles": [{"name": "r", "hosts": [{"host": "h", "proto": "UDP"}, {"host": "h", "proto": "TCP"}]}]}
    both = applied(live, thing(more), "b")
    assert both["spec"]["roles"][0]["hosts"] == [
        {"host": "h", "proto": "UDP"}, {"host": "h", "up": True, "proto": "TCP"},
    ]  # fmt: skip
    assert (
        'k:{"host":"h","proto":"TCP"}' in owners(both)["a"]["f:spec"]["f:roles"]['k:{"name":"r"}']["f:hosts"]
    )


def test_atomic_lists_and_maps_are_owned_and_replaced_as_a_whole() -> None:
    live = applied(None, thing({"atoms": [1, 2], "whole": {"a": "1"}}))
    assert owners(live)["a"] == {"f:spec": {"f:atoms": {}, "f:whole": {}}}
    taken = applied(live, thing({"atoms": [3]}), "b", force=True)
    assert taken["spec"]["atoms"] == [3]
    assert owners(taken)["a"] == {"f:spec": {"f:whole": {}}}


def test_an_update_takes_what_it_changes_from_appliers() -> None:
    live = applied(None, thing({"flavour": "vm", "count": 1}))
    new = updated(live, {**live, "spec": {"flavour": "docker", "count": 1}}, time=LATER)
    assert owners(new) == {"a": {"f:spec": {"f:count": {}}}, "u": {"f:spec": {"f:flavour": {}}}}
    assert [entry["time"] for entry in new["metadata"]["managedFields"]] == [TIME, LATER]


def test_an_update_that_changes_nothing_leaves_entries_and_times() -> None:
    live = updated(None, thing({"flavour": "vm"}))
    assert updated(live, live, "v", time=LATER) == live


def test_applying_again_changes_nothing_and_keeps_the_time() -> None:
    live = applied(None, thing({"flavour": "vm"}))
    assert applied(live, thing({"flavour": "vm"}), time=LATER) == live


def test_each_subresource_has_owners_of_its_own() -> None:
    live = applied(None, thing({"flavour": "vm"}, status={"phase": "ignored"}))
    assert "status" not in live
    new = applied(live, thing(status={"phase": "up"}), subresource="status", reset=SPEC)
    assert (new["spec"], new["status"]) == ({"flavour": "vm"}, {"phase": "up"})
    entries = new["metadata"]["managedFields"]
    assert [(entry["manager"], entry.get("subresource")) for entry in entries] == [
        ("a", None),
        ("a", "status"),
    ]
    assert entries[1]["fieldsV1"] == {"f:status": {"f:phase": {}}}


def test_the_main_endpoint_does_not_own_status() -> None:
    live = applied(None, thing({"flavour": "vm"}))
    new = updated(live, {**live, "spec": {"flavour": "x"}, "status": {"phase": "up"}})
    assert owners(new)["u"] == {"f:spec": {"f:flavour": {}}}


def test_applying_to_an_object_that_nobody_tracks_starts_with_before_first_apply() -> None:
    live = thing({"flavour": "vm", "count": 1}, metadata={"uid": "1"})
    assert "managedFields" not in updated(live, {**live, "spec": {"count": 2}})["metadata"]
    new = applied(live, thing({"flavour": "vm"}))
    assert owners(new)["before-first-apply"]["f:spec"] == {".": {}, "f:count": {}, "f:flavour": {}}
    assert refused(live, thing({"flavour": "x"})).message == (
        'Apply failed with 1 conflict: conflict with "before-first-apply" using nxc.dev/v1alpha1: .spec.flavour'
    )


def test_an_empty_list_of_managed_fields_forgets_nobody() -> None:
    live = applied(None, thing({"flavour": "vm"}, metadata={"uid": "1"}))
    new = updated(live, {**live, "metadata": {**live["metadata"], "managedFields": []}})
    assert new["metadata"]["managedFields"] == live["metadata"]["managedFields"]


def test_a_user_can_reset_managed_fields() -> None:
    live = applied(None, thing({"flavour": "vm"}, metadata={"uid": "1"}))
    new = updated(live, {**live, "metadata": {**live["metadata"], "managedFields": [{}]}})
    assert "managedFields" not in new["metadata"]


def test_a_user_can_edit_managed_fields_and_malformed_ones_are_ignored() -> None:
    live = applied(None, thing({"flavour": "vm", "count": 1}))
    entry = live["metadata"]["managedFields"][0]
    edited = {**entry, "fieldsV1": {"f:spec": {"f:count": {}}}}
    new = updated(live, {**live, "metadata": {**live["metadata"], "managedFields": [edited]}})
    assert owners(new) == {"a": {"f:spec": {"f:count": {}}}}
    for broken in ([{**entry, "operation": "Steal"}], [{**entry, "fieldsV1": {"x": {}}}], [1], None):
        new = updated(live, {**live, "metadata": {**live["metadata"], "managedFields": broken}})
        assert owners(new) == owners(live)


def test_managed_fields_cannot_be_applied() -> None:
    error = refused(None, thing({}, metadata={"managedFields": []}))
    assert (error.code, error.message) == (400, "metadata.managedFields must be nil")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"count": "x"}, ".spec.count: expected numeric (int or float), got string"),
        ({"flavour": 5}, ".spec.flavour: expected string, got &value.valueUnstructured{Value:5}"),
        ({"nope": 5}, ".spec.nope: field not declared in schema"),
        ({"roles": [{"name": "a"}, {"name": "a"}]}, '.spec.roles: duplicate entries for key [name="a"]'),
        (
            {"roles": [{"count": 1}]},
            (
                '.spec.roles: element 0: associative list with keys has an element that omits all key fields ["name"] '
                "(and doesn't have default values for any key fields)"
            ),
        ),
    ],
)
def test_a_configuration_that_does_not_fit_the_schema_is_refused_in_the_servers_words(
    spec: dict[str, Any], problem: str
) -> None:
    error = refused(None, thing(spec))
    assert error.code == 500
    assert error.message == (
        f"failed to create typed patch object (ns/x; nxc.dev/v1alpha1, Kind=Thing): {problem}"
    )


def test_fields_of_no_declared_type_are_owned_as_deep_as_their_maps_go() -> None:
    live = applied(None, thing({"free": {"a": {"b": 1}, "l": [{"x": 1}]}, "either": 5}))
    assert owners(live)["a"]["f:spec"] == {
        "f:either": {},
        "f:free": {"f:a": {".": {}, "f:b": {}}, "f:l": {}},
    }
    new = applied(live, thing({"free": {"a": {"c": 1}}, "either": "5"}))
    assert new["spec"] == {"free": {"a": {"c": 1}}, "either": "5"}


def test_kubectls_move_from_client_side_apply_takes_over_what_the_annotation_set() -> None:
    config = thing({"flavour": "vm", "count": 1})
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(config)}
    live = updated(
        None,
        thing({"flavour": "vm", "count": 1}, metadata={"annotations": annotation}),
        "kubectl-client-side-apply",
    )
    new = applied(live, thing({"flavour": "docker", "count": 1}), "kubectl")
    assert new["spec"] == {"flavour": "docker", "count": 1}
    kept = new["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert json.loads(kept)["spec"] == {"flavour": "docker", "count": 1}, (
        "client-side apply can take over again"
    )
    error = refused(live, thing({"flavour": "docker"}), "another")
    assert error.code == 409, "only kubectl itself may"


def test_only_ten_updaters_are_kept_apart() -> None:
    live = updated(None, thing({"labels": {"m0": "x"}}), "m0", time="2026-01-01T00:00:00Z")
    for index in range(1, 13):
        spec = {"labels": {**live["spec"]["labels"], f"m{index}": "x"}}
        live = updated(live, {**live, "spec": spec}, f"m{index}", time=f"2026-01-01T00:00:{index:02d}Z")
    entries = live["metadata"]["managedFields"]
    assert len(entries) == 10
    assert entries[0]["manager"] == "ancient-changes"
    assert set(entries[0]["fieldsV1"]["f:spec"]["f:labels"]) == {".", "f:m0", "f:m1", "f:m2", "f:m3"}


NAMES = st.sampled_from(["r", "s", "t"])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "flavour": st.sampled_from(["vm", "docker"]),
        "count": st.integers(1, 2),
        "tags": st.lists(st.sampled_from("xyz"), unique=True),
        "atoms": st.lists(st.integers(0, 2), max_size=2),
        "labels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
        "free": st.dictionaries(
            st.sampled_from("ab"), st.integers(0, 1) | st.dictionaries(st.just("k"), st.none())
        ),
        "roles": st.lists(
            st.fixed_dictionaries({"name": NAMES}, optional={"count": st.integers(1, 2)}),
            unique_by=lambda role: role["name"],
        ),
    },
)


def without_nulls(value: Any) -> Any:
    """Fields emptied by removal are null until defaulting drops them."""
    return SCHEMA.default(value)


@given(SPECS, SPECS)
@settings(max_examples=60, deadline=None)
def test_applying_twice_is_applying_once(first: dict[str, Any], second: dict[str, Any]) -> None:
    live = without_nulls(applied(None, thing(first), "b"))
    once = without_nulls(applied(live, thing(second), force=True))
    again = without_nulls(applied(once, thing(second), force=True, time=LATER))
    assert again == once


@given(SPECS)
@settings(max_examples=60, deadline=None)
def test_what_was_applied_is_what_is_there_and_what_is_owned(spec: dict[str, Any]) -> None:
    made = applied(None, thing(spec))
    assert made.get("spec", {}) == spec
    assert "a" not in owners(applied(made, thing())), "who applies nothing owns nothing"


@given(
    st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
    st.dictionaries(st.sampled_from("cd"), st.sampled_from("12")),
)
def test_disjoint_applies_commute(left: dict[str, str], right: dict[str, str]) -> None:
    def roles(labels: dict[str, str]) -> list[dict[str, Any]]:
        return [{"name": name, "count": int(value)} for name, value in labels.items()]

    base = updated(None, thing({"flavour": "vm"}))
    one, other = (
        thing({"labels": left, "roles": roles(left)}),
        thing({"labels": right, "roles": roles(right)}),
    )
    forth = applied(applied(base, one, "a"), other, "b")
    back = applied(applied(base, other, "b"), one, "a")
    assert owners(forth) == owners(back)
    assert forth["spec"].get("labels") == back["spec"].get("labels")
    by_name = lambda obj: sorted(obj["spec"].get("roles") or [], key=lambda role: role["name"])  # noqa: E731
    assert by_name(forth) == by_name(back)
