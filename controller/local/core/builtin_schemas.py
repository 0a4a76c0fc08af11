"""OpenAPI schemas of the built-in kinds, written for reading and for the machine."""

from __future__ import annotations

from typing import Any


def model_name(group: str, version: str, kind: str) -> str:
    """The OpenAPI name, e.g. `io.k8s.api.core.v1.Namespace`."""
    raise NotImplementedError


def models() -> dict[str, dict[str, Any]]:
    """All models by OpenAPI name, with `$ref: #/components/schemas/NAME` between them."""
    raise NotImplementedError


def structural_schema(group: str, version: str, kind: str) -> dict[str, Any] | None:
    """The schema of a built-in kind with references resolved: input for Structural.compile.

    Root apiVersion, kind and metadata are declared (metadata as a full ObjectMeta). Carries
    x-kubernetes-list-type, -list-map-keys, -map-type, -patch-strategy, -patch-merge-key.
    None for a kind that is not built in."""
    raise NotImplementedError


def object_meta_schema() -> dict[str, Any]:
    """ObjectMeta with references resolved: for metadata of custom resources."""
    raise NotImplementedError
