"""Testbed: where nodes come from, who may use it, and how much of it there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from controller.model.conditions import Conditions
from controller.model.meta import Meta, Object
from controller.model.quantity import parse_duration, parse_quantity


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector: all of `match` and all of `expressions` (key, operator, values) must hold."""

    match: Mapping[str, str]
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are selected; an empty selector selects everything (metav1.LabelSelector)."""
        return all(labels.get(key) == value for key, value in self.match.items()) and all(
            _holds(labels, *expression) for expression in self.expressions
        )

    @classmethod
    def parse(cls, value: Mapping[str, Any] | None) -> Selector:
        """Read a metav1.LabelSelector."""
        value = value or {}
        return cls(
            value.get("matchLabels") or {},
            tuple(
                (item["key"], item["operator"], tuple(item.get("values") or ()))
                for item in value.get("matchExpressions") or ()
            ),
        )


def _holds(labels: Mapping[str, str], key: str, operator: str, values: tuple[str, ...]) -> bool:
    match operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False  # an operator we do not know must not open the testbed


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much a testbed has; `None` is no limit. `memory` in bytes."""

    nodes: int | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Testbed:
    """A Testbed as decisions see it."""

    __test__ = False  # the name would make pytest collect it

    meta: Meta
    kind: str
    host: str
    endpoint: str
    credentials_mode: str
    credentials_secret: str
    access: str
    selector: Selector
    capacity: Capacity
    lease_default: timedelta | None
    lease_maximum: timedelta | None
    flavours: tuple[str, ...]
    default: bool
    suspend: bool
    conditions: Conditions
    trusted: bool = False
    host_paths: tuple[str, ...] = ()
    publish_addresses: tuple[str, ...] = ()

    def admits(self, labels: Mapping[str, str] | None) -> bool:
        """Whether deployments of a namespace with these labels, if they are known, may use the testbed."""
        match self.access:
            case "All":
                return True
            case "Selector":
                return labels is not None and self.selector.matches(labels)
            case _:
                return False

    @classmethod
    def parse(cls, obj: Object) -> Testbed:
        """Read a Testbed that the API server has validated."""
        spec = obj.get("spec") or {}
        credentials = spec.get("credentials") or {}
        allowed = spec.get("allowedNamespaces") or {}
        capacity = spec.get("capacity") or {}
        lease = spec.get("lease") or {}
        memory = capacity.get("memory")
        return cls(
            meta=Meta.of(obj),
            kind=spec.get("kind", ""),
            host=spec.get("host", ""),
            endpoint=spec.get("endpoint", ""),
            credentials_mode=credentials.get("mode", "Shared"),
            credentials_secret=(credentials.get("secretRef") or {}).get("name", ""),
            access=allowed.get("from", "None"),
            selector=Selector.parse(allowed.get("selector")),
            capacity=Capacity(capacity.get("nodes"), parse_quantity(memory) if memory is not None else None),
            lease_default=parse_duration(lease["default"]) if lease.get("default") else None,
            lease_maximum=parse_duration(lease["maximum"]) if lease.get("maximum") else None,
            flavours=tuple(spec.get("flavours") or ()),
            default=bool(spec.get("default", False)),
            suspend=bool(spec.get("suspend", False)),
            conditions=Conditions.parse((obj.get("status") or {}).get("conditions")),
            trusted=bool(spec.get("trusted", False)),
            host_paths=tuple(spec.get("allowedHostPaths") or ()),
            publish_addresses=tuple(spec.get("publishAddresses") or ()),
        )
