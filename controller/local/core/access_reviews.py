"""Access reviews: questions to the Authorizer that are asked through the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.local.core.rbac import Authorizer, Identity

Object = Mapping[str, Any]


def review(
    plural: str, body: Object, *, namespace: str | None, user: Identity, authorizer: Authorizer
) -> dict[str, Any]:
    """Answer a create of selfsubjectaccessreviews, subjectaccessreviews, localsubjectaccessreviews,
    selfsubjectrulesreviews or selfsubjectreviews (`kubectl auth whoami`): the body with its status.

    Raises ApiError 422 for an incomplete question."""
    raise NotImplementedError
