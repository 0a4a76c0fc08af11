"""Structural schemas of custom resources: pruning, defaulting, validation and rules.

Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions" (structural schemas).
"""

from __future__ import annotations

from typing import Any

from controller.local.core.errors import Cause
from controller.local.core.shape import Shape


class SchemaError(ValueError):
    """A schema that a CustomResourceDefinition may not have; `causes` are those of the 422 answer."""

    def __init__(self, causes: list[Cause]) -> None:
        super().__init__("; ".join(f"{cause.field}: {cause.message}" for cause in causes))
        self.causes = causes


class Structural:
    """A compiled structural schema of one version of a custom resource. Immutable; all methods are pure.

    Every method that returns an object returns the argument itself where nothing changed, and never changes it.
    """

    shape: Shape
    """Merge structure of the whole object, for `apply.apply` and `apply.track_update`."""

    @classmethod
    def compile(cls, schema: dict[str, Any], path: str = "spec.validation.openAPIV3Schema") -> Structural:
        """Compile an `openAPIV3Schema`. `path` is where it stands in the CRD, for messages: the real server says
        `spec.validation.openAPIV3Schema` where all versions have one schema, else
        `spec.versions[i].schema.openAPIV3Schema`. Raises SchemaError with every cause found."""
        raise NotImplementedError

    def prune(self, obj: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """`obj` without the fields that the schema does not have, and their paths (`spec.roles[0].colour`),
        sorted. `apiVersion`, `kind` and `metadata` at the root always stay."""
        raise NotImplementedError

    def default(self, obj: dict[str, Any]) -> dict[str, Any]:
        """`obj` with the schema's defaults; null in a non-nullable field becomes its default, or is dropped
        where it has none."""
        raise NotImplementedError

    def validate(self, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[Cause]:
        """What is wrong with `obj`, rules apart; empty where it is valid. `old`: accepted for symmetry with
        `rules` (nothing is ratcheted)."""
        raise NotImplementedError

    def rules(self, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[Cause]:
        """Which x-kubernetes-validations rules `obj` breaks. Call it only on an object that `validate` accepts.
        Transition rules (with oldSelf) are evaluated where `old` has the node too."""
        raise NotImplementedError
