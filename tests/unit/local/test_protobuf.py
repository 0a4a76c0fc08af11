"""What kubectl 1.33 sends in protobuf, recorded, and what it must not be able to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.core.errors import ApiError
from controller.local.protobuf import MAGIC, decode
from controller.local.protobuf_messages import KINDS, MESSAGES

RBAC = "rbac.authorization.k8s.io"

RECORDED: dict[str, tuple[str, dict[str, Any]]] = {
    "create namespace": (
        (
            "6b3873000a0f0a02763112094e616d65737061636512200a180a08683363617031333312001a0022002a003200380042001200"
            "1a020a001a002200"
        ),
        {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "h3cap133"}, "spec": {}, "status": {}},
    ),
    "create configmap": (
        (
            "6b3873000a0f0a0276311209436f6e6669674d617012230a190a016112001a08683363617031333322002a0032003800420012"
            "060a01611201621a002200"
        ),
        {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": "a", "namespace": "h3cap133"},
            "data": {"a": "b"},
        },
    ),
    "create secret": (
        (
            "6b3873000a0c0a027631120653656372657412250a190a017312001a08683363617031333322002a0032003800420012060a01"
            "611201621a001a002200"
        ),
        {
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {"name": "s", "namespace": "h3cap133"},
            "data": {"a": "Yg=="},
        },
    ),
    "create token": (
        (
            "6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374121a0a100a"
            "0012001a0022002a0032003800420012001a040a0012001a002200"
        ),
        {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": {}},
    ),
    "create rolebinding": (
        (
            "6b3873000a2b0a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f7631120b526f6c6542696e64696e671263"
            "0a1a0a02726212001a08683363617031333322002a00320038004200121f0a0e536572766963654163636f756e7412001a0175"
            "220868336361703133331a240a19726261632e617574686f72697a6174696f6e2e6b38732e696f1204526f6c651a01721a0022"
            "00"
        ),
        {
            "kind": "RoleBinding",
            "apiVersion": f"{RBAC}/v1",
            "metadata": {"name": "rb", "namespace": "h3cap133"},
            "subjects": [{"kind": "ServiceAccount", "name": "u", "namespace": "h3cap133"}],
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"},
        },
    ),
    "auth can-i": (
        (
            "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a65637441636365737352"
            "6576696577123a0a100a0012001a0022002a00320038004200121c0a1a0a0764656661756c7412036765741a0022002a02636d"
            "32003a001a08080012001a0020001a002200"
        ),
        {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": {"resourceAttributes": {"namespace": "default", "verb": "get", "resource": "cm"}},
        },
    ),
    "auth whoami": (
        (
            "6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a656374526576696577"
            "121a0a100a0012001a0022002a0032003800420012060a040a0012001a002200"
        ),
        {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}},
    ),
}


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def text(number: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value % (1 << 64))


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + text(1, text(1, api_version) + text(2, kind)) + text(2, raw)


@pytest.mark.parametrize("command", RECORDED)
def test_what_kubectl_sends_is_understood(command: str) -> None:
    data, expected = RECORDED[command]
    assert decode(bytes.fromhex(data)) == expected


def test_a_lease_keeps_zeros_that_mean_something_and_its_microseconds() -> None:
    moment = integer(1, 1_800_000_000) + integer(2, 123_456_789)
    spec = text(1, "") + integer(2, 15) + text(4, moment) + integer(5, 0)
    lease = decode(envelope("coordination.k8s.io/v1", "Lease", text(1, text(1, "l")) + text(2, spec)))
    assert lease["spec"] == {
        "holderIdentity": "",
        "leaseDurationSeconds": 15,
        "renewTime": "2027-01-15T08:00:00.123456Z",
        "leaseTransitions": 0,
    }


def test_metadata_in_full() -> None:
    owner = text(5, "v1") + text(1, "ConfigMap") + text(3, "o") + text(4, "u") + integer(6, 0) + integer(7, 1)
    managed = text(1, "kubectl") + text(2, "Apply") + text(7, text(1, b'{"f:data":{}}'))
    metadata = text(1, "a") + text(11, text(1, "k") + text(2, "v")) + text(11, text(1, "empty"))
    metadata += text(13, owner) + text(14, "f1") + text(14, "f2") + text(17, managed)
    decoded = decode(envelope("v1", "ConfigMap", text(1, metadata)))
    assert decoded["metadata"] == {
        "name": "a",
        "labels": {"k": "v", "empty": ""},
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": "o",
                "uid": "u",
                "controller": False,
                "blockOwnerDeletion": True,
            }
        ],
        "finalizers": ["f1", "f2"],
        "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:data": {}}}],
    }


def test_delete_options_are_taken_in_any_group() -> None:
    options = text(2, text(1, "uid")) + integer(1, 0) + text(4, "Foreground")
    assert decode(envelope("nxc.dev/v1alpha1", "DeleteOptions", options)) == {
        "kind": "DeleteOptions",
        "apiVersion": "nxc.dev/v1alpha1",
        "preconditions": {"uid": "uid"},
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Foreground",
    }


def test_both_kinds_of_event() -> None:
    assert decode(envelope("v1", "Event", text(4, "hello")))["message"] == "hello"
    assert decode(envelope("events.k8s.io/v1", "Event", text(10, "hello")))["note"] == "hello"


def test_fields_of_newer_clients_are_left_out() -> None:
    assert decode(
        envelope("v1", "ConfigMap", text(99, "new") + integer(98, 1) + varint(97 << 3 | 5) + b"1234")
    ) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
    }


def test_a_kind_that_is_not_known_gets_415() -> None:
    with pytest.raises(ApiError) as refusal:
        decode(envelope("v1", "Pod", b""))
    assert refusal.value.code == 415


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        MAGIC + b"\xff",
        envelope("v1", "ConfigMap", b"\x0a\xff"),
        envelope("v1", "ConfigMap", integer(1, 3)),
        envelope("v1", "ConfigMap", text(1, b"\x0a\x02\xff\xff")),
        envelope("v1", "ConfigMap", b"\x0b"),
        envelope("v1", "ConfigMap", b"\xff" * 11),
        envelope("v1", "ConfigMap", text(1, text(8, integer(1, 1 << 62)))),
        envelope("v1", "ConfigMap", text(1, text(17, text(7, text(1, b"{"))))),
    ],
)
def test_broken_bytes_get_400(data: bytes) -> None:
    with pytest.raises(ApiError) as refusal:
        decode(data)
    assert refusal.value.code == 400


@given(st.binary(max_size=200), st.sampled_from(sorted(KINDS)))
def test_random_bytes_never_get_more_than_a_status(data: bytes, kind: tuple[str, str]) -> None:
    try:
        decode(envelope(*kind, data))
    except ApiError as error:
        assert error.code in (400, 415)  # noqa: PT017


def test_every_message_that_is_named_is_there() -> None:
    plain = {"string", "bytes", "bool", "int", "Time", "MicroTime", "FieldsV1"}
    used = {kind.removeprefix("map:") for fields in MESSAGES.values() for _, kind, _, _ in fields.values()}
    assert used <= plain | set(MESSAGES)
