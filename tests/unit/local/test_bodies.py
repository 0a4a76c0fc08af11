"""A body is read in every form that clients send, and refused in words when it is hostile."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.bodies import MAX_DEPTH, MAX_YAML_BYTES, PATCH_TYPES, decode, depth_exceeds
from controller.local.core.errors import ApiError
from controller.local.core.request import APPLY_PATCH, JSON_PATCH

YAML = "application/yaml"


def refused(data: bytes, content_type: str | None = None, code: int = 400, **more: Any) -> str:
    with pytest.raises(ApiError) as refusal:
        decode(data, content_type, **more)
    assert refusal.value.code == code
    return refusal.value.message


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("content_type", [None, "", "application/json", "Application/JSON; charset=utf-8"])
def test_json_is_the_default(content_type: str | None) -> None:
    assert decode(b'{"a": [1, null, "x"]}', content_type).content == {"a": [1, None, "x"]}


def test_no_body_is_none() -> None:
    assert decode(b"", "application/json").content is None


def test_other_types_are_refused_by_name() -> None:
    assert "application/json" in refused(b"{}", "text/html", 415)
    assert "application/apply-patch+yaml" in refused(b"{}", "application/json", 415, accepted=PATCH_TYPES)


@pytest.mark.parametrize("data", [b"{", b"nope", b'{"a": NaN}', b'{"a": "\xff"}', b'{"a": 1} x'])
def test_broken_json_is_refused(data: bytes) -> None:
    assert "not valid JSON" in refused(data)


def test_repeated_fields_are_found_with_their_paths() -> None:
    body = decode(
        b'{"spec": {"a": 1, "b": [{"c": 1}, {"c": 1, "c": 2}], "a": 2, "a": 3}, "kind": "x", "kind": "y"}',
        None,
    )
    assert body.duplicates == ("kind", "spec.a", "spec.b[1].c")
    assert body.content == {"spec": {"a": 3, "b": [{"c": 1}, {"c": 2}]}, "kind": "y"}


def test_a_repeated_field_within_a_discarded_one_does_not_matter() -> None:
    assert decode(b'{"a": {"b": 1, "b": 2}, "a": {}}', None).duplicates == ("a",)


def test_depth_is_bounded() -> None:
    decode(nested(MAX_DEPTH), None)
    assert str(MAX_DEPTH) in refused(nested(MAX_DEPTH + 1), None)
    assert str(MAX_DEPTH) in refused(nested(100_000), None)


def test_a_million_brackets_do_not_crash() -> None:
    refused(b"[" * 1_000_000)
    refused(b"[" * 100_000, YAML)
    refused(b"- " * 60_000 + b"x", YAML)


@given(
    st.recursive(
        st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=30,
    )
)
def test_depth_is_counted_right(content: Any) -> None:
    def depth(node: Any) -> int:
        if isinstance(node, dict):
            return 1 + max(map(depth, node.values()), default=0)
        return 1 + max(map(depth, node), default=0) if isinstance(node, list) else 0

    for limit in range(5):
        assert depth_exceeds(content, limit) == (depth(content) > limit)


def test_yaml_is_read_as_kubernetes_reads_it() -> None:
    text = b"a: 2024-01-01\nb: yes\n1: x\ntrue: y\nc: 0x10\nd: '1'\ne: 1.5\n"
    assert decode(text, YAML).content == {
        "a": "2024-01-01",
        "b": True,
        "1": "x",
        "true": "y",
        "c": 16,
        "d": "1",
        "e": 1.5,
    }


def test_apply_patches_are_json_or_yaml() -> None:
    for data in (b'{"a": 1}', b" \n[1]", b"a: 1"):
        decode(data, APPLY_PATCH, accepted=PATCH_TYPES)


def test_repeated_fields_in_yaml_are_found() -> None:
    body = decode(b"spec:\n  a: 1\n  l:\n  - {b: 1, b: 2}\n  a: 2\n", YAML)
    assert body.duplicates == ("spec.a", "spec.l[0].b")


def test_yaml_that_multiplies_is_refused() -> None:
    bomb = b"a: &a [x, x]\n" + b"".join(
        b"%c: &%c [*%c, *%c, *%c]\n" % (c + 1, c + 1, c, c, c) for c in range(ord("a"), ord("y"))
    )
    assert "aliases" in refused(bomb, YAML)


@pytest.mark.parametrize("data", [b"a: [", b"!!python/object:os.system {}", b"--- 1\n--- 2\n", b"a: \x00"])
def test_broken_or_dangerous_yaml_is_refused(data: bytes) -> None:
    assert "not valid YAML" in refused(data, YAML)


def test_yaml_is_bounded_in_time() -> None:
    assert "send JSON" in refused(b"a: 1\n" * MAX_YAML_BYTES, YAML)
    started = time.monotonic()
    refused(b"- [" * (MAX_YAML_BYTES // 4), YAML)
    assert time.monotonic() - started < 5


def test_json_patches_keep_their_order() -> None:
    assert decode(b'[{"op": "remove"}]', JSON_PATCH, accepted=PATCH_TYPES).content == [{"op": "remove"}]
