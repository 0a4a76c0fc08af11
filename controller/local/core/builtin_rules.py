"""Validation of built-in kinds beyond their schema (k8s.io/kubernetes/pkg/apis/*/validation)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.local.core.errors import Cause
from controller.local.core.resources import Resource

Object = Mapping[str, Any]


def default_builtin(resource: Resource, obj: Object) -> dict[str, Any]:
    """`obj` with the kind's defaults (secret type Opaque, role refs' apiGroup, stringData folded in, ...)."""
    raise NotImplementedError


def validate_builtin(resource: Resource, obj: Object, old: Object | None = None) -> list[Cause]:
    """What is wrong with `obj` (after schema validation and defaults); `old` is the stored object
    on update. Pure. An empty list for kinds that are not built in."""
    raise NotImplementedError
