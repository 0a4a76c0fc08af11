"""One call of the API, as data: what is random is drawn before anything is sent, so that a seed replays exactly."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

UNKNOWN_UID = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class Kind:
    """What a sequence calls on."""

    api: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def prefix(self) -> str:
        return f"/apis/{self.api}" if "/" in self.api else f"/api/{self.api}"

    def collection(self, namespace: str) -> str:
        return (
            f"{self.prefix}/namespaces/{namespace}/{self.plural}"
            if self.namespaced
            else f"{self.prefix}/{self.plural}"
        )


@dataclass(frozen=True)
class Known:
    """Stands in a body or a parameter for what a server answered before: the uid or version of an object."""

    what: str
    """uid, resourceVersion, continue or first."""
    of: str
    """`plural/name`; for `continue`, of the latest list of a plural; for `first`, of its first object."""


@dataclass(frozen=True)
class Edited:
    """A body: the object as it was last seen, with changes."""

    of: str
    otherwise: Mapping[str, Any]
    """The body where the object was never seen."""
    changes: tuple[tuple[tuple[str, ...], Any], ...]
    """(path, value); a value of `REMOVED` takes the field away."""


REMOVED = "<removed>"


@dataclass(frozen=True)
class Call:
    """`name` empty: the collection. `body` is JSON with `Known` in places, an `Edited`, or text sent as it is."""

    method: str
    kind: Kind
    name: str = ""
    subresource: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    settle: bool = False
    """Whether what happens in the background after it must end before the next call."""
    watches: bool = False
    """A watch with a time limit: its events together are the answer."""

    def path(self, namespace: str) -> str:
        parts = [self.kind.collection(namespace), self.name, self.subresource]
        return "/".join(part for part in parts if part)

    def url(self, namespace: str, memory: Memory) -> str:
        query = {key: resolved(value, memory, namespace) for key, value in self.parameters.items()}
        return self.path(namespace) + (f"?{urlencode(query)}" if query else "")

    def content(self, namespace: str, memory: Memory) -> bytes | None:
        if self.body is None:
            return None
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(resolved(self.body, memory, namespace)).encode()

    def __str__(self) -> str:
        where = "/".join(part for part in (self.kind.plural, self.name, self.subresource) if part)
        shown = (
            ""
            if self.body is None
            else f" {self.content_type.removeprefix('application/')} {_shown(self.body)}"
        )
        query = f" ?{_shown(self.parameters)}" if self.parameters else ""
        return f"{self.method} {where}{query}{shown}"


def _shown(body: Any) -> str:
    if isinstance(body, str):
        return body[:200]
    if isinstance(body, Edited):
        return f"<{body.of} with {json.dumps(body.changes, default=repr)}>"
    return json.dumps(body, default=repr)


@dataclass
class Memory:
    """What one server has answered so far in a sequence."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    """The resourceVersion of the first object of each plural that a server showed."""

    def learn(self, kind: Kind, answer: Any) -> None:
        if not isinstance(answer, dict):
            return
        metadata = answer.get("metadata") or {}
        if answer.get("kind") == kind.kind and "uid" in metadata:
            self.objects[f"{kind.plural}/{metadata['name']}"] = answer
            if metadata.get("resourceVersion"):
                self.first.setdefault(kind.plural, metadata["resourceVersion"])
        for item in answer.get("items") or []:
            found = item.get("metadata") or {}
            if "uid" in found:
                shown = {"apiVersion": kind.api, "kind": kind.kind, **item}
                self.objects[f"{kind.plural}/{found['name']}"] = shown
        if metadata.get("continue"):
            self.tokens[kind.plural] = metadata["continue"]


def resolved(value: Any, memory: Memory, namespace: str) -> Any:
    """A drawn value with everything filled in that only the server knows."""
    match value:
        case Known(what="continue", of=of):
            return memory.tokens.get(of, "nothing")
        case Known(what="first", of=of):
            return memory.first.get(of, "0")
        case Known(what=what, of=of):
            unknown = UNKNOWN_UID if what == "uid" else "0"
            return memory.objects.get(of, {}).get("metadata", {}).get(what, unknown)
        case Edited(of=of, otherwise=otherwise, changes=changes):
            base = copy.deepcopy(memory.objects.get(of) or resolved(otherwise, memory, namespace))
            for path, change in changes:
                _change(base, path, resolved(change, memory, namespace))
            return base
        case Mapping():
            return {key: resolved(entry, memory, namespace) for key, entry in value.items()}
        case list() | tuple():
            return [resolved(entry, memory, namespace) for entry in value]
        case str():
            return value.replace("<namespace>", namespace)
    return value


def _change(base: Any, path: tuple[str, ...], value: Any) -> None:
    *way, last = path
    if not isinstance(base, dict):
        return
    for part in way:
        if not isinstance(base.get(part), dict):
            base[part] = {}
        base = base[part]
    if value == REMOVED:
        base.pop(last, None)
    else:
        base[last] = value
