"""Printer columns find and print values as the real server does (cases taken from one)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.core.jsonpath import JSONPathError, compile_path, print_value

THING: dict[str, Any] = {
    "metadata": {"name": "full", "annotations": {"nxc.dev/x": "anno"}},
    "spec": {
        "text": "s",
        "list": [{"name": "a", "q": 1}, {"name": "b", "q": 2}, {"name": "c", "q": 3}],
        "a.b": "dotted",
        "a": {"b": "nested"},
        "on": True,
    },
    "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.text", ["s"]),
        ("$.spec.text", ["s"]),
        (".", [THING]),
        (".metadata.annotations.nxc\\.dev/x", ["anno"]),
        (".spec['text']", ["s"]),
        (".spec['a.b']", ["nested"]),  # so does the real one: a dot inside quotes separates fields
        (".spec['a\\.b']", ["dotted"]),
        (".spec.list[0].name", ["a"]),
        (".spec.list[-1].name", ["c"]),
        (".spec.list[*].name", ["a", "b", "c"]),
        (".spec.list[0:2].name", ["a", "b"]),
        (".spec.list[1:].name", ["b", "c"]),
        (".spec.list[::2].name", ["a", "c"]),
        (".spec.list[0,2].name", ["a", "c"]),
        (".spec['text','on']", ["s", True]),
        (".spec.a.*", ["nested"]),
        ("..status", [THING["status"], "False", "True"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type!="Ready")].status', ["False"]),
        (".spec.list[?(@.q>1)].name", ["b", "c"]),
        (".spec.list[?(@.q <= 1.5)].name", ["a"]),
        (".spec.list[?(@.name)].q", [1, 2, 3]),
        (".spec.list[?(@.other)].q", []),
        ('.spec.list[?(@.q=="1")].name', []),
    ],
)
def test_a_path_selects(path: str, found: list[Any]) -> None:
    assert compile_path(path).find(THING) == found


@pytest.mark.parametrize(
    "path",
    [".spec.none", ".spec.none.deeper", ".spec.text.deeper", ".spec.list[7]", ".spec.list.name", ".status[0]",
     '.status.conditions[?(@.type=="None")].status', ".spec.text[*]"],
)  # fmt: skip
def test_what_is_missing_or_of_another_shape_is_not_found(path: str) -> None:
    assert compile_path(path).find(THING) == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("spec", "unrecognized character 's' at position 0"),
        (".spec[0", "unterminated array"),
        (".spec[a]", "invalid array index 'a'"),
        (".spec[]", "invalid array index ''"),
        (".spec[?(@.a==1]", "unterminated filter"),
        (".spec[?(@.a=1)]", "unrecognized filter operator '='"),
        (".spec[?(@.a==Ready)]", "text needs quotes"),
        (".spec[::0]", "must be positive"),
        (".spec..", "a name must follow"),
    ],
)
def test_a_malformed_path_is_refused_with_its_text(path: str, says: str) -> None:
    with pytest.raises(JSONPathError) as refused:
        compile_path(path)
    assert says in str(refused.value)
    assert repr(path) in str(refused.value)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("text <b>", "text <b>"),
        (True, "true"),
        (5, "5"),
        (21000000, "21000000"),
        (1.5, "1.5"),
        (100000.0, "100000"),
        (1000000.5, "1.0000005e+06"),
        (100000000.5, "1.000000005e+08"),
        (0.0001234, "0.0001234"),
        (0.00001234, "1.234e-05"),
        (-1.5e-7, "-1.5e-07"),
        (1e20, "1e+20"),
        (10**20, "1e+20"),
        (0.0, "0"),
        ({"z": 1, "a": "x<y&"}, '{"a":"x\\u003cy\\u0026","z":1}'),
        ([1, None, True, "x"], '[1,null,true,"x"]'),
        (["é\u2028"], '["é\\u2028"]'),
        (
            [1e20, 1e21, 1e-6, 1.5e-7, 100000000.5],
            "[100000000000000000000,1e+21,0.000001,1.5e-7,100000000.5]",
        ),
    ],
)
def test_values_print_as_go_prints_them(value: Any, printed: str) -> None:
    assert print_value(value) == printed


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
paths = st.lists(
    st.sampled_from(
        [".a", ".b", "[0]", "[-1]", "[*]", ".*", "..c", "[1:2]", "[0,1]", "[?(@.a==1)]", "['a','b']"]
    ),
    min_size=1,
    max_size=4,
).map("".join)


@given(paths, json_values)
def test_no_data_makes_a_path_fail(path: str, data: Any) -> None:
    assert isinstance(compile_path(path).find(data), list)
