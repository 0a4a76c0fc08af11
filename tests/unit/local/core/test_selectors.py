from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.core import selectors
from controller.local.core.errors import ApiError
from controller.local.core.resources import CORE_EVENTS, NAMESPACES, Registry


def labelled(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "x", "labels": labels}}


def chosen(text: str, **labels: str) -> bool:
    match = selectors.label_selector(text)
    return match is None or match(labelled(**labels))


@pytest.mark.parametrize(
    "text",
    ["a=b", "a==b", " a = b ", "a in (b, c)", "a in (c,b)", "a", "!c", "a!=c", "a notin (c,d)", "c notin (b)", "n>1",
     "n<3", "a=b,!c,n>1", "c!=x", "", "  "],
)  # fmt: skip
def test_a_label_selector_that_fits(text: str) -> None:
    assert chosen(text, a="b", n="2")


@pytest.mark.parametrize(
    "text",
    [
        "a=c",
        "a in (c)",
        "c",
        "!a",
        "a!=b",
        "a notin (b)",
        "n>2",
        "n<2",
        "a>1",
        "a=b,c",
        "a=",
        "c=",
        "a in ()",
    ],
)
def test_a_label_selector_that_does_not_fit(text: str) -> None:
    assert not chosen(text, a="b", n="2")


def test_an_empty_value_is_a_value() -> None:
    assert chosen("a=", a="")
    assert chosen("a in (,b)", a="")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        (
            "a>1,b<x",
            (
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, "
                "the value must be an integer"
            ),
        ),
    ],
)
def test_a_bad_label_selector_is_explained_as_by_the_real_server(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        selectors.label_selector(text)
    assert (caught.value.code, caught.value.message) == (400, message)


@given(st.text(alphabet="ab=!(),<> in", max_size=12))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        selectors.label_selector(text)
    except ApiError as error:
        if error.code != 400:
            raise


def test_fields_select_by_value() -> None:
    event = {
        "metadata": {"name": "e", "namespace": "n"},
        "involvedObject": {"kind": "Deployment", "name": "web"},
        "source": {"component": "nxc"},
    }

    def match(text: str) -> bool:
        test = selectors.field_selector(text, CORE_EVENTS)
        return test is None or test(event)

    assert match("")
    assert match("metadata.name=e,metadata.namespace==n,involvedObject.name=web")
    assert match("involvedObject.kind!=Pod")
    assert match("involvedObject.uid=")
    assert match("source=nxc")
    assert not match("involvedObject.kind=Pod")
    assert not match("involvedObject.name!=web")


def test_escaped_commas_are_part_of_a_value() -> None:
    (term,) = selectors.parse_fields(r"metadata.name=a\,b\=c")
    assert term.value == "a,b=c"


def test_unknown_fields_are_refused() -> None:
    configs = Registry().find("", "v1", "configmaps")
    assert configs is not None
    with pytest.raises(ApiError) as caught:
        selectors.field_selector("data=a", configs)
    expected = '"data" is not a known field selector: only "metadata.name", "metadata.namespace"'
    assert (caught.value.code, caught.value.message) == (400, expected)
    with pytest.raises(ApiError, match=r"field label not supported: metadata\.namespace"):
        selectors.field_selector("metadata.namespace=a", NAMESPACES)
    with pytest.raises(
        ApiError, match=r"invalid selector: 'metadata\.name'; can't understand 'metadata\.name'"
    ):
        selectors.field_selector("metadata.name", configs)


def test_a_single_name_is_recognised() -> None:
    assert selectors.exact_name("metadata.name=a") == "a"
    assert selectors.exact_name("metadata.name!=a") == ""
    assert selectors.exact_name("spec.colour=a") == ""
