"""Clients get the form that they ask for, best first."""

from __future__ import annotations

import pytest

from controller.local.core.errors import ApiError
from controller.local.negotiation import JSON, YAML, Representation, accepts_json, for_discovery, for_objects

V1 = "application/json;as=Table;v=v1;g=meta.k8s.io"
TABLE = f"{V1},{V1.replace('v1;', 'v1beta1;')},application/json"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Representation()),
        ("*/*", Representation()),
        ("application/json, */*", Representation()),
        ("application/json;stream=watch", Representation()),
        ("application/vnd.kubernetes.protobuf,application/json", Representation()),
        ("application/vnd.kubernetes.protobuf;stream=watch, */*", Representation()),
        ("application/yaml", Representation(media_type=YAML)),
        ("application/json;q=0.1, application/yaml", Representation(media_type=YAML)),
        (TABLE, Representation("Table", "v1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Representation()),
        ("application/json;as=Poem;v=v1;g=meta.k8s.io,application/json", Representation()),
        ("application/json;as=Table;v=v1;g=example.org, application/json", Representation()),
        (
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            Representation("PartialObjectMetadataList", "v1"),
        ),
    ],
)
def test_objects(accept: str, expected: Representation) -> None:
    assert for_objects(accept) == expected


@pytest.mark.parametrize(
    "accept", ["text/html", "application/vnd.kubernetes.protobuf", "application/json;as=Poem"]
)
def test_who_takes_nothing_that_we_speak_hears_406(accept: str) -> None:
    with pytest.raises(ApiError) as refusal:
        for_objects(accept)
    assert refusal.value.code == 406
    assert JSON in refusal.value.message


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Representation()),
        (
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Representation("discovery", "v2"),
        ),
        (
            (
                "application/json;g=apidiscovery.k8s.io;v=v7;as=APIGroupDiscoveryList,"
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
            ),
            Representation("discovery", "v2beta1"),
        ),
        (
            "application/json;g=apidiscovery.k8s.io;v=v7;as=APIGroupDiscoveryList,application/json",
            Representation(),
        ),
    ],
)
def test_discovery(accept: str, expected: Representation) -> None:
    assert for_discovery(accept) == expected


def test_discovery_in_protobuf_alone_hears_406() -> None:
    with pytest.raises(ApiError):
        for_discovery("application/vnd.kubernetes.protobuf")


def test_who_takes_json() -> None:
    assert accepts_json("")
    assert accepts_json("application/com.github.proto-openapi.spec.v2@v1.0+protobuf, application/json")
    assert not accepts_json("application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
