"""meta.k8s.io/v1 Table: what `kubectl get` prints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from controller.local.core.resources import Resource

Object = Mapping[str, Any]


def table(
    resource: Resource,
    shown: Object,
    *,
    now: datetime,
    include_object: str = "Metadata",
    headers: bool = True,
    version: str = "v1",
) -> dict[str, Any]:
    """The Table of `shown`: one object, or a list object (it has `items`).

    `include_object` is the request's includeObject: None, Metadata or Object (ApiError 400 else).
    `headers=False` leaves columnDefinitions out: the edge passes it for every watch event but the
    first, as the real server does. `version` is the negotiated `v=`: v1 or v1beta1.
    A bookmark event is a Table with one row made from its object, like every other event.
    """
    raise NotImplementedError


def human_duration(seconds: float) -> str:
    """Seconds as kubectl prints ages: `5m`, `3h12m`, `2d4h`, `<invalid>` for the future."""
    raise NotImplementedError
