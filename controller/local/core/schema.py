"""Structural schemas of custom resources: pruning, defaulting, validation and rules.

Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions" (structural schemas).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controller.local.core import listtypes, validation
from controller.local.core.cel_rules import Rules, check_defaults, compile_rules
from controller.local.core.errors import Cause
from controller.local.core.pruning import default, drop_nulls, prune
from controller.local.core.schema_checks import check
from controller.local.core.shape import Shape
from controller.local.core.structural import ABSENT, Node, parse

_BLOCKING = frozenset(
    (
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    )
)
_UNCHECKED = Cause(
    "FieldValueInvalid",
    validation.NOWHERE,
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


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

    def __init__(self, root: Node, rules: Rules | None) -> None:
        self.root = root
        self.shape = Shape.of_node(root)
        self._check = validation.compile_check(root)
        status = root.properties.get("status")
        self._check_status = validation.compile_check(status) if status is not None else None
        self._check_lists = listtypes.compile_check(root)
        self._rules = rules

    @classmethod
    def compile(cls, schema: dict[str, Any], path: str = "spec.validation.openAPIV3Schema") -> Structural:
        """Compile an `openAPIV3Schema`. `path` is where it stands in the CRD, for messages: the real server says
        `spec.validation.openAPIV3Schema` where all versions have one schema, else
        `spec.versions[i].schema.openAPIV3Schema`. Raises SchemaError with every cause found."""
        causes: list[Cause] = []
        root = parse(schema, path, causes)
        causes += check(root, path)
        rules = None
        if not causes:  # rules are only worth compiling against a sound schema
            rules = compile_rules(root, path, causes, root=True)
        if rules is not None and not causes:
            check_defaults(rules, path, causes)
        if causes:
            raise SchemaError(list(dict.fromkeys(causes)))
        return cls(root, rules)

    def prune(
        self, obj: dict[str, Any], old: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        """`obj` without the fields that the schema does not have, and their paths (`spec.roles[0].colour`),
        sorted. `apiVersion`, `kind` and `metadata` at the root always stay. `old` is an object that fits the schema:
        what `obj` shares with it is not looked at."""
        dropped: list[str] = []
        pruned = prune(obj, self.root, dropped, old=old, embedded=True)
        return pruned, sorted(dropped)

    def default(self, obj: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
        """`obj` with the schema's defaults; null in a non-nullable field becomes its default, or is dropped
        where it has none. `old` as in `prune`."""
        filled: dict[str, Any] = default(drop_nulls(obj, self.root, old), self.root, old)
        return filled

    def validate(self, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[Cause]:
        """What is wrong with `obj`, rules apart; empty where it is valid.

        With `old`, the object before this update, what did not change may stay wrong, so that a schema can become
        stricter under living objects: values that are equal in `old`, and duplicates in lists of type set and map
        where `old` had some too."""
        causes: list[Cause] = []
        self._check(obj, "", causes, old if old is not None else ABSENT)
        self._add_doubles(obj, old, causes)
        return list(dict.fromkeys(causes)) if len(causes) > 1 else causes

    def _add_doubles(self, obj: dict[str, Any], old: dict[str, Any] | None, causes: list[Cause]) -> None:
        """Duplicates in lists of type set and map, unless `old` had some too."""
        if self._check_lists is None:
            return
        doubles: list[Cause] = []
        before: list[Cause] = []
        self._check_lists(obj, "", doubles)
        if doubles and old is not None:
            self._check_lists(old, "", before)
        if not before:
            causes += doubles

    def rules(self, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[Cause]:
        """Which x-kubernetes-validations rules `obj` breaks. Call it only on an object that `validate` accepts.

        Transition rules (with oldSelf) are evaluated where `old` has the node too; others may stay broken where
        nothing changed since `old`."""
        causes: list[Cause] = []
        if self._rules is not None:
            self._rules.check(obj, old, "", causes)
        return causes

    def problems(
        self,
        obj: dict[str, Any],
        old: dict[str, Any] | None = None,
        subresource: str = "",
        *,
        before: Sequence[Cause] = (),
        after: Sequence[Cause] = (),
    ) -> list[Cause]:
        """`validate` and `rules` together, as the server does them for a write.

        After an error that makes rules pointless (a wrong type, something missing, too long or too many) they are
        not evaluated, and that is said. On /status only the status is validated, and texts name fields from there.
        `before` and `after` are what else is wrong (with the metadata, with /scale), to be told before and after.
        """
        found = self.validate(obj, old) if subresource != "status" else self._status_problems(obj, old)
        causes = [*before, *found, *after]
        if self._rules is None:
            return causes
        if any(cause.reason in _BLOCKING for cause in causes):
            return [*causes, _UNCHECKED]
        return causes + self.rules(obj, old)

    def _status_problems(self, obj: dict[str, Any], old: dict[str, Any] | None) -> list[Cause]:
        causes: list[Cause] = []
        if self._check_status is not None and "status" in obj:
            self._check_status(obj["status"], "", causes, (old or {}).get("status", ABSENT))
        found = [_below("status", cause) for cause in dict.fromkeys(causes)]
        self._add_doubles(obj, old, found)
        return found


def _below(path: str, cause: Cause) -> Cause:
    """`cause` of a check that started at `path`."""
    return replace(cause, field=path if cause.field == validation.NOWHERE else f"{path}.{cause.field}")
