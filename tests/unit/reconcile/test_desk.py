from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.reconcile.desk import merge_diff

VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2, to the letter."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
def test_the_difference_makes_the_new_status_of_the_old(before: dict[str, Any], after: dict[str, Any]):
    assert merge(before, merge_diff(before, after)) == after


@given(OBJECTS)
def test_equal_statuses_have_no_difference(status: dict[str, Any]):
    assert merge_diff(status, status) == {}
