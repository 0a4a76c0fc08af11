"""Bytes are shared as long as they are used, and bounded."""

from __future__ import annotations

from typing import Any

import orjson
import yaml

from controller.local.encoding import Encoder, as_yaml, pretty


def big(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": "x" * 1000}


def test_one_object_is_serialised_once() -> None:
    encoder = Encoder()
    obj = big("a")
    assert encoder.encode(obj) is encoder.encode(obj)
    assert orjson.loads(encoder.encode(obj)) == obj


def test_equal_objects_are_not_confused() -> None:
    encoder = Encoder()
    first, second = big("a"), big("a")
    assert encoder.encode(first) is not encoder.encode(second)


def test_the_cache_is_bounded_and_never_wrong() -> None:
    encoder = Encoder(limit=10_000)
    for number in range(1000):
        # these dicts die at once and Python gives their ids to the next: a cache by bare id would mix them up
        assert orjson.loads(encoder.encode(big(str(number))))["metadata"]["name"] == str(number)
    assert encoder._used <= 10_000
    assert len(encoder._kept) <= 10


def test_an_object_larger_than_the_cache_is_served() -> None:
    encoder = Encoder(limit=10)
    assert orjson.loads(encoder.encode(big("a"))) == big("a")


def test_a_replaced_object_is_forgotten() -> None:
    encoder = Encoder()
    old = big("a")
    encoder.encode(old)
    encoder.forget(old)
    encoder.forget(old)
    assert (encoder._used, len(encoder._kept)) == (0, 0)


def test_lists_and_events_are_what_json_would_be() -> None:
    encoder = Encoder()
    document = {
        "kind": "XList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "5"},
        "items": [big("a"), big("b")],
    }
    assert orjson.loads(encoder.encode_list(document)) == document
    assert orjson.loads(encoder.encode_list({**document, "items": []})) == {**document, "items": []}
    line = encoder.event("ADDED", document["items"][0])  # type: ignore[index]
    assert line.endswith(b"\n")
    assert orjson.loads(line) == {"type": "ADDED", "object": big("a")}


def test_forms_for_people() -> None:
    shared = {"a": 1}
    document = {"x": shared, "y": shared}
    assert pretty(document).startswith(b"{\n  ")
    assert b"&" not in as_yaml(document)
    assert yaml.safe_load(as_yaml(document)) == document
