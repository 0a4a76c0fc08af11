"""The patches that a Kubernetes API server accepts, as pure functions of JSON values.

JSON patch (RFC 6902) and JSON merge patch (RFC 7386) serve every resource; strategic merge patch serves the
built-in kinds alone and lives in `strategic.py`.
"""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer

from controller.local.core.errors import ApiError, bad_request, quoted

MOST_OPERATIONS = 10_000
"""Of one JSON patch, as in the real server."""

_OPERATIONS = frozenset(("add", "remove", "replace", "move", "copy", "test"))


def json_patch(document: Any, operations: Any) -> Any:
    """`document` after the RFC 6902 `operations`; neither argument is changed.

    Raises ApiError 400 where `operations` is not a JSON patch, 413 where there are too many, and 422 Invalid where it
    does not apply (a `test` that fails, a path that does not exist), as the API server answers. The server keeps to
    itself what did not apply; here a cause says it.
    """
    if not isinstance(operations, list):
        raise _undecodable(operations, "[]handlers.jsonPatchOp")
    if len(operations) > MOST_OPERATIONS:
        text = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {text}")
    for operation in operations:
        if not isinstance(operation, dict):
            raise _undecodable(operation, "handlers.jsonPatchOp")
        if operation.get("op") not in _OPERATIONS:
            raise bad_request(f"invalid operation {quoted(operation)}: unsupported operation")
    patched = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        try:
            patched = jsonpatch.JsonPatch([operation]).apply(patched, in_place=True)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError) as error:
            if not _tests_absence(operation, patched):
                raise _refused(index, operation, error) from error
    return patched


def _tests_absence(operation: dict[str, Any], document: Any) -> bool:
    """The server lets `test` of null pass where there is nothing at all."""
    if operation["op"] != "test" or "value" not in operation or operation["value"] is not None:
        return False
    try:
        pointer = jsonpointer.JsonPointer(operation.get("path", ""))
    except jsonpointer.JsonPointerException:
        return False
    return pointer.resolve(document, None) is None


def _undecodable(value: Any, wanted: str) -> ApiError:
    names = {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}
    found = names.get(type(value), "number")
    return bad_request(f"error decoding patch: json: cannot unmarshal {found} into Go value of type {wanted}")


def _refused(index: int, operation: dict[str, Any], error: Exception) -> ApiError:
    message = "the server rejected our request due to an error in our request"
    path = str(operation.get("path", ""))
    said = "the value there is another" if isinstance(error, jsonpatch.JsonPatchTestFailed) else str(error)
    cause = {
        "reason": "FieldValueInvalid",
        "message": f"operation {index} ({operation['op']}): {said}",
        "field": path,
    }
    return ApiError(422, "Invalid", message, details={"causes": [cause]})


def merge_patch(document: Any, patch: Any) -> Any:
    """`document` after the RFC 7386 merge `patch`: null removes, objects merge, all else replaces.

    Neither argument is changed; the result shares what the patch did not touch.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge_patch(merged.get(name), value)
        else:
            merged[name] = value
    return merged
