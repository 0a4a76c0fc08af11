"""From an HTTP request's query and body to a `Request` of the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from controller.local.bodies import Body, media_type
from controller.local.core.errors import bad_request, invalid, unsupported_value
from controller.local.core.request import Request, User, Verb
from controller.local.paths import Target

Query = Mapping[str, str]

_OPTIONS = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}


def flag(query: Query, name: str) -> bool:
    """A boolean as the real server reads it: present, and neither `false` nor `0`."""
    return optional_flag(query, name) is True


def optional_flag(query: Query, name: str) -> bool | None:
    value = query.get(name)
    return None if value is None else value.lower() not in ("false", "0")


def number(query: Query, name: str) -> int | None:
    """A whole number; raises `ApiError` 400 in Go's words."""
    value = query.get(name)
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None


def dry_run(query: Query, verb: str) -> bool:
    value = query.get("dryRun")
    if not value:
        return False
    if value != "All":
        kind = _OPTIONS.get(verb, "UpdateOptions")
        raise invalid("meta.k8s.io", kind, "", [unsupported_value("dryRun", [value], ["All"])])
    return True


def build(
    target: Target,
    verb: str,
    query: Query,
    *,
    body: Body | None = None,
    content_type: str | None = None,
    user: User,
    user_agent: str = "",
) -> Request:
    """The request as the core understands it; parameters that are not of this verb are left out."""
    request = Request(
        verb=cast("Verb", verb),
        group=target.group,
        version=target.version,
        plural=target.plural,
        namespace=target.namespace,
        name=target.name,
        subresource=target.subresource,
        user=user,
        user_agent=user_agent,
    )
    if verb == "get":
        return replace(request, resource_version=query.get("resourceVersion", ""))
    if verb in ("list", "watch", "deletecollection"):
        request = replace(
            request,
            label_selector=query.get("labelSelector", ""),
            field_selector=query.get("fieldSelector", ""),
            limit=number(query, "limit") or 0,
            continue_token=query.get("continue", ""),
            resource_version=query.get("resourceVersion", ""),
            resource_version_match=query.get("resourceVersionMatch", ""),
            send_initial_events=optional_flag(query, "sendInitialEvents"),
            allow_bookmarks=flag(query, "allowWatchBookmarks"),
        )
    if verb in ("create", "update", "patch"):
        assert body is not None
        return replace(
            request,
            body=body.content,
            duplicates=body.duplicates,
            patch_type=media_type(content_type) if verb == "patch" else "",
            field_manager=query.get("fieldManager", ""),
            field_validation=query.get("fieldValidation", ""),
            force=optional_flag(query, "force"),
            dry_run=dry_run(query, verb),
        )
    if verb in ("delete", "deletecollection"):
        return replace(
            request,
            body=body.content if body is not None else None,
            propagation_policy=query.get("propagationPolicy", ""),
            orphan_dependents=optional_flag(query, "orphanDependents"),
            grace_period_seconds=number(query, "gracePeriodSeconds"),
            dry_run=dry_run(query, verb),
        )
    return request
