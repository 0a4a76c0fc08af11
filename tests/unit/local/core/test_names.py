from __future__ import annotations

import pytest

from controller.local.core import names


@pytest.mark.parametrize("name", ["a", "a.b", "a-b.c-d", "0", "x" * 253])
def test_subdomains_are_accepted(name: str) -> None:
    assert names.subdomain_errors(name) == ()


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a..b", "a.", "a b", "ä", "a\n", "x" * 254])
def test_other_names_are_refused(name: str) -> None:
    assert names.subdomain_errors(name)


def test_a_namespace_is_one_label() -> None:
    assert names.label_errors("a-b") == ()
    assert names.label_errors("a.b")
    assert names.label_errors("x" * 64)[0] == "must be no more than 63 characters"


@pytest.mark.parametrize("key", ["a", "A_b.c", "example.com/a", "a.b/" + "x" * 63])
def test_label_keys_may_have_a_prefix(key: str) -> None:
    assert names.qualified_errors(key) == ()


@pytest.mark.parametrize("key", ["", "/a", "a/", "a/b/c", "A.com/x", "-a", "x" * 64, "a b", "a/b c"])
def test_other_label_keys_are_refused(key: str) -> None:
    assert names.qualified_errors(key)


def test_label_values_may_be_empty() -> None:
    assert names.label_value_errors("") == ()
    assert names.label_value_errors("a.B_c-9") == ()
    assert names.label_value_errors("-a")
    assert names.label_value_errors("x" * 64)


def test_role_names_only_have_to_fit_into_a_path() -> None:
    assert names.path_segment_errors("system:node:x") == ()
    assert names.path_segment_errors("a/b") == ("may not contain '/'",)
    assert names.path_segment_errors("..") == ("may not be '..'",)


def test_config_keys() -> None:
    assert names.config_key_errors("a.b_C-d") == ()
    assert names.config_key_errors("a b")
    assert names.config_key_errors("..") == ("must not be '..'",)
    assert names.config_key_errors("..a") == ("must not start with '..'",)
