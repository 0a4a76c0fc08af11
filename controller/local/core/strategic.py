"""Strategic merge patch for the built-in kinds that the local control plane serves.

Source: Kubernetes, "Update API Objects in Place Using kubectl patch", and API convention `patchStrategy`.
"""

from __future__ import annotations

from typing import Any


def strategic_merge(document: dict[str, Any], patch: Any, *, group: str, kind: str) -> dict[str, Any]:
    """`document` (a built-in of `group`, "" for core, and `kind`) after the strategic merge `patch`.

    Honours the kinds' merge keys and the directives $patch, $setElementOrder/x, $deleteFromPrimitiveList/x and
    $retainKeys. Raises ApiError 415 for a kind that is not built in and 400 for a malformed directive.
    """
    raise NotImplementedError
