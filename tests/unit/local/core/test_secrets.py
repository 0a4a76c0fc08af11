"""What a Secret holds is not told to somebody who may only write it."""

from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.api import MERGE_PATCH, STRATEGIC_MERGE_PATCH, Request
from controller.local.core.errors import ApiError
from tests.unit.local.core.cluster import Cluster


@pytest.mark.parametrize("kind", [MERGE_PATCH, STRATEGIC_MERGE_PATCH])
@pytest.mark.parametrize("patch", [{"data": {"x": 5}}, {"data": {"x": "%%%"}}, {"type": 7}, {"nosuch": 1}])
def test_a_refused_patch_of_a_secret_does_not_quote_its_data(kind: str, patch: dict[str, Any]):
    core = Cluster().core
    core.bootstrap()
    place = {"group": "", "version": "v1", "plural": "secrets", "namespace": "default"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"password": "c2VjcmV0LXZhbHVl"},
    }
    core.handle(Request("create", **place, body=secret))
    change = Request("patch", **place, name="s", body=patch, patch_type=kind, field_validation="Strict")
    with pytest.raises(ApiError) as refused:
        core.handle(change)
    assert "c2Vjcm" not in str(refused.value.status())
