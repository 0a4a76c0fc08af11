"""One policy rule of a Role: what it allows, what it covers, how messages show it.

Source: k8s.io/kubernetes pkg/apis/rbac (RuleAllows, Covers, CompactRules, CompactString).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from controller.local.core.errors import quoted

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule. Empty `names` stand for every name; `urls` only for requests that name no resource."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, rule: Mapping[str, Any]) -> Rule:
        return cls(
            tuple(rule.get("verbs") or ()),
            tuple(rule.get("apiGroups") or ()),
            tuple(rule.get("resources") or ()),
            tuple(rule.get("resourceNames") or ()),
            tuple(rule.get("nonResourceURLs") or ()),
        )

    def allows_resource(self, verb: str, group: str, resource: str, subresource: str, name: str) -> bool:
        return (
            (verb in self.verbs or ALL in self.verbs)
            and (group in self.groups or ALL in self.groups)
            and self._has_resource(resource, subresource)
            and (not self.names or name in self.names)
        )

    def allows_url(self, verb: str, path: str) -> bool:
        return (verb in self.verbs or ALL in self.verbs) and any(_url_covers(url, path) for url in self.urls)

    def _has_resource(self, resource: str, subresource: str) -> bool:
        if ALL in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def covers(self, other: Rule) -> bool:
        """Whether this rule alone allows all that `other` allows."""
        return (
            _has_all(self.verbs, other.verbs)
            and _has_all(self.groups, other.groups)
            and all(self._has_resource(*_split(resource)) for resource in other.resources)
            and (not self.names or (bool(other.names) and set(other.names) <= set(self.names)))
            and all(any(_url_covers(own, url) for own in self.urls) for url in other.urls)
        )

    def parts(self) -> Iterator[Rule]:
        """The smallest rules that together allow the same."""
        names: Iterable[tuple[str, ...]] = [(name,) for name in self.names] or [()]
        for group, resource, verb, name in product(self.groups, self.resources, self.verbs, names):
            yield Rule((verb,), (group,), (resource,), name)
        for url, verb in product(self.urls, self.verbs):
            yield Rule((verb,), urls=(url,))

    def __str__(self) -> str:
        """`{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`, as messages have it."""
        fields = {
            "APIGroups": self.groups,
            "Resources": self.resources,
            "NonResourceURLs": self.urls,
            "ResourceNames": self.names,
            "Verbs": self.verbs,
        }
        return f"{{{', '.join(f'{name}:{listed(values)}' for name, values in fields.items() if values)}}}"


EVERYTHING = (Rule((ALL,), (ALL,), (ALL,)), Rule((ALL,), urls=(ALL,)))
"""What an aggregated role may come to hold: one who makes such a role must hold it all."""


def missing(held: Iterable[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The parts of `wanted` that no one rule of `held` covers, joined where only verbs differ."""
    held = list(held)
    gaps: dict[Rule, list[str]] = {}
    for part in (part for rule in wanted for part in rule.parts()):
        if not any(own.covers(part) for own in held):
            alike = part if part.urls else replace(part, verbs=())
            gaps.setdefault(alike, []).extend(part.verbs)
    return [replace(part, verbs=tuple(dict.fromkeys(verbs))) for part, verbs in gaps.items()]


def listed(values: Iterable[str]) -> str:
    """Strings as Go prints a list of them with %q: `["a" "b"]`."""
    return f"[{' '.join(quoted(value) for value in values)}]"


def _has_all(own: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return ALL in own or set(wanted) <= set(own)


def _url_covers(own: str, path: str) -> bool:
    return own in (ALL, path) or (own.endswith(ALL) and path.startswith(own.rstrip(ALL)))


def _split(resource: str) -> tuple[str, str]:
    plural, _, subresource = resource.partition("/")
    return plural, subresource
