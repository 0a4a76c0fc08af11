"""Questions that are answered and forgotten: access reviews and token reviews."""

from __future__ import annotations

from collections.abc import Callable

from controller.local.authn import Tokens, token_review
from controller.local.core import access_reviews, errors
from controller.local.core.rbac import Authorizer
from controller.local.core.request import Request
from controller.local.core.resources import Resource
from controller.local.core.storage import Object


def reviewer(authorizer: Authorizer, tokens: Callable[[], Tokens]) -> Callable[[Request, Resource], Object]:
    """What the core calls for a create of a review; raises `ApiError` 400 or 422 for an incomplete question."""

    def review(request: Request, resource: Resource) -> Object:
        body = request.body
        if not isinstance(body, dict):
            raise errors.bad_request("the body must be an object")
        if body.get("kind", resource.kind) != resource.kind:
            raise errors.bad_request(f"the body is a {body['kind']}, and this path takes a {resource.kind}")
        if resource.plural == "tokenreviews":
            return token_review(body, tokens())
        return access_reviews.review(
            resource.plural,
            body,
            namespace=request.namespace or None,
            user=request.user,
            authorizer=authorizer,
        )

    return review
