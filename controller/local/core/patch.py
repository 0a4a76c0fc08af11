"""The patches that a Kubernetes API server accepts, as pure functions of JSON values.

JSON patch (RFC 6902) and JSON merge patch (RFC 7386) serve every resource; strategic merge patch serves the
built-in kinds alone and lives in `strategic.py`.
"""

from __future__ import annotations

from typing import Any


def json_patch(document: Any, operations: Any) -> Any:
    """`document` after the RFC 6902 `operations`; neither argument is changed.

    Raises ApiError 400 where `operations` is not a JSON patch, and 422 Invalid where it does not apply (a `test`
    that fails, a path that does not exist), as the API server answers.
    """
    raise NotImplementedError


def merge_patch(document: Any, patch: Any) -> Any:
    """`document` after the RFC 7386 merge `patch`: null removes, objects merge, all else replaces.

    Neither argument is changed; the result shares what the patch did not touch.
    """
    raise NotImplementedError
