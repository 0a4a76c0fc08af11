"""Get, list and watch."""

from __future__ import annotations

import base64
import bisect
import json
from collections.abc import Callable
from typing import Any

from controller.local.core import errors, forms, selectors
from controller.local.core.errors import Cause
from controller.local.core.request import Request
from controller.local.core.resources import Resource
from controller.local.core.storage import Object, Storage
from controller.local.core.watch import Match, Watch

CONTINUE_VERSION = "meta.k8s.io/v1"
_BAD_CONTINUE = "invalid continue token: continue key is not valid"
ANY_VERSION = -1
"""The version in a continue token that goes on with whatever there is now."""
TOO_OLD_LIST = "The resourceVersion for the provided list is too old."
TOO_OLD_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an inconsistent "
    "list - objects that were created, modified, or deleted between the time the first chunk was returned and now "
    "may show up in the list."
)


class Reader:
    """Answers from storage, in the version that was asked for."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, request: Request, resource: Resource) -> Object:
        if request.resource_version not in ("", "0"):
            version = _version(request.resource_version, errors.internal_plain)
            if version > self._storage.revision:
                raise errors.version_too_large(version, self._storage.revision)
        return forms.shown(self.find(resource, request.namespace, request.name), resource)

    def find(self, resource: Resource, namespace: str, name: str) -> Object:
        """The stored object. Raises ApiError 404."""
        obj = self._storage.get(resource.storage, namespace, name)
        if obj is None:
            raise errors.not_found(resource.group, resource.plural, name)
        return obj

    def list(self, request: Request, resource: Resource) -> Object:
        _check_list_options(request)
        match = matcher(request, resource)
        version, start, exact = self._list_from(request, resource)
        collection = self._storage.collection(resource.storage)
        objects, order = collection.at(version) if exact else (collection.objects, collection.order)
        name = selectors.exact_name(request.field_selector)
        if name and (request.namespace or not resource.namespaced):
            key = f"{request.namespace}/{name}" if request.namespace else name
            keys = [key] if key in objects else []
        else:
            keys = collection.keys(request.namespace, order)
        first = bisect.bisect_left(keys, start) if start else 0
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if match is None and request.limit <= 0 and not first:
            items = [objects[key] for key in keys]
        else:
            items, last = _page(objects, keys, first, match, request.limit)
            if last < len(keys):
                metadata["continue"] = _token(version, keys[last - 1])
                if match is None:
                    metadata["remainingItemCount"] = len(keys) - last
        if resource.api_version != resource.storage_version or resource.custom:
            metadata.setdefault("continue", "")
            items = [forms.shown(item, resource) for item in items]
        return {
            "apiVersion": resource.api_version,
            "kind": resource.list_kind,
            "metadata": metadata,
            "items": items,
        }

    def _list_from(self, request: Request, resource: Resource) -> tuple[int, str, bool]:
        """The version to list, the key to start at, and whether older versions must be looked up."""
        current = self._storage.revision
        if request.continue_token:
            if request.resource_version not in ("", "0"):
                raise errors.bad_request("specifying resource version is not allowed when using continue")
            version, start = _parse_token(request.continue_token)
            if version == ANY_VERSION:
                return current, start, False
            token = _token(ANY_VERSION, start.removesuffix("\0"))
            return self._past(version, resource, TOO_OLD_CONTINUE, token), start, True
        if request.resource_version in ("", "0"):
            return current, "", False
        version = _version(request.resource_version, _bad_list_version)
        if version > current:
            raise errors.version_too_large(version, current)
        if request.resource_version_match == "Exact":
            return self._past(version, resource, TOO_OLD_LIST, ""), "", True
        return current, "", False

    def _past(self, version: int, resource: Resource, message: str, token: str) -> int:
        if version < self._storage.collection(resource.storage).floor:
            raise errors.expired(message, continue_token=token)
        return min(version, self._storage.revision)

    def watch(self, request: Request, resource: Resource) -> Watch:
        _check_watch_options(request)
        match = matcher(request, resource)
        collection = self._storage.collection(resource.storage)
        current = self._storage.revision
        asked = 0
        if request.resource_version:
            asked = _version(request.resource_version, errors.internal_plain)
        if request.send_initial_events and asked > current:
            raise errors.version_too_large(asked, current)
        wants_state = request.send_initial_events
        if wants_state is None:
            wants_state = asked == 0
        initial: list[Object] = []
        if wants_state:
            initial = [collection.objects[key] for key in collection.keys(request.namespace)]
            if match is not None:
                initial = [obj for obj in initial if match(obj)]
        plain = resource.api_version == resource.storage_version and not resource.custom
        return Watch(
            self._storage,
            collection,
            api_version=resource.api_version,
            kind=resource.kind,
            since=current if wants_state or not asked else asked,
            namespace=request.namespace,
            match=match,
            convert=None if plain else forms.converter(resource),
            initial=initial,
            announce_end=request.allow_bookmarks
            and (bool(request.send_initial_events) or (wants_state and request.resource_version == "0")),
        )


def matcher(request: Request, resource: Resource) -> Match | None:
    """The request's selectors as one test of stored objects; None where every object passes."""
    tests: list[Match] = []
    if request.label_selector:
        by_label = selectors.label_selector(request.label_selector)
        if by_label is not None:
            tests.append(by_label)
    if request.field_selector:
        by_field = selectors.field_selector(request.field_selector, resource)
        if by_field is not None:
            tests.append(_in_form(by_field, resource))
    if request.name:
        name = request.name
        tests.append(lambda obj: bool(obj["metadata"]["name"] == name))
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda obj: all(test(obj) for test in tests)


def _in_form(test: Match, resource: Resource) -> Match:
    """Field selectors name fields of the version that was asked for."""
    if resource.api_version == resource.storage_version:
        return test
    return lambda obj: test(forms.shown(obj, resource))


def _page(
    objects: dict[str, Object], keys: list[str], first: int, match: Match | None, limit: int
) -> tuple[list[Object], int]:
    """Up to `limit` (0: all) matching objects from index `first`, and the index after the last one seen."""
    if match is None:
        last = len(keys) if limit <= 0 else min(len(keys), first + limit)
        return [objects[key] for key in keys[first:last]], last
    items: list[Object] = []
    for index in range(first, len(keys)):
        obj = objects[keys[index]]
        if match(obj):
            items.append(obj)
            if len(items) == limit:
                return items, index + 1
    return items, len(keys)


def _token(version: int, key: str) -> str:
    """A continue token: go on after `key`, at `version`."""
    token = {"v": CONTINUE_VERSION, "rv": version, "start": f"{key}\0"}
    return base64.urlsafe_b64encode(json.dumps(token, separators=(",", ":")).encode()).decode().rstrip("=")


def _parse_token(text: str) -> tuple[int, str]:
    try:
        token = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        version, start = token["rv"], token["start"]
        if token["v"] != CONTINUE_VERSION or type(version) is not int or type(start) is not str or not start:
            raise ValueError("not a continue token of this server")
    except UnicodeDecodeError as error:
        problem = f"invalid character '\\x{error.object[error.start]:02x}' looking for beginning of value"
        raise errors.bad_request(f"{_BAD_CONTINUE}: {problem}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise errors.bad_request(f"{_BAD_CONTINUE}: {error}") from None
    return version, start


def _version(text: str, error: Callable[[str], errors.ApiError]) -> int:
    if not text.isascii() or not text.isdigit():
        detail = f"strconv.ParseUint: parsing {errors.quoted(text)}: invalid syntax"
        raise error(f"resourceVersion: Invalid value: {errors.quoted(text)}: {detail}")
    return int(text)


def _bad_list_version(message: str) -> errors.ApiError:
    return errors.bad_request(f"invalid resource version: {message}")


def _check_list_options(request: Request) -> None:
    selectors.label_selector(request.label_selector)  # what cannot be read is told before what makes no sense
    causes: list[Cause] = []
    match = request.resource_version_match
    if request.send_initial_events is not None:
        causes.append(errors.forbidden_value("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if match:
        if not request.resource_version:
            detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            causes.append(errors.forbidden_value("resourceVersionMatch", detail))
        if request.continue_token:
            detail = "resourceVersionMatch is forbidden when continue is provided"
            causes.append(errors.forbidden_value("resourceVersionMatch", detail))
        if match not in ("Exact", "NotOlderThan"):
            supported = ("Exact", "NotOlderThan", "")
            causes.append(errors.unsupported_value("resourceVersionMatch", match, supported))
        elif match == "Exact" and request.resource_version == "0":
            detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            causes.append(errors.forbidden_value("resourceVersionMatch", detail))
    if causes:
        raise errors.invalid("meta.k8s.io", "ListOptions", "", causes)


def _check_watch_options(request: Request) -> None:
    causes: list[Cause] = []
    match, initial = request.resource_version_match, request.send_initial_events
    if initial is not None and match != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(errors.forbidden_value("resourceVersionMatch", detail))
    if match and initial is None:
        detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(errors.forbidden_value("resourceVersionMatch", detail))
    if match not in ("", "NotOlderThan"):
        causes.append(errors.unsupported_value("resourceVersionMatch", match, ("NotOlderThan",)))
    if causes:
        raise errors.invalid("meta.k8s.io", "ListOptions", "", causes)
