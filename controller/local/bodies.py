"""Request bodies: JSON, YAML and the protobuf that kubectl sends for built-in kinds, decoded and bounded.

A body is hostile until it is parsed: size, nesting and repeated fields are judged here, so that nothing
behind this module recurses without end or has to guess which of two values was meant.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
import yaml

from controller.local import protobuf
from controller.local.core.errors import ApiError, bad_request, unsupported_media_type
from controller.local.core.request import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH
from controller.local.negotiation import JSON, PROTOBUF, YAML

MAX_BYTES = 3 << 20
"""As the real server's limit for one request."""
MAX_YAML_BYTES = 1 << 20
"""YAML is parsed in Python, slowly; whoever has more sends JSON, as kubectl always does."""
SLOW_YAML_BYTES = 16 << 10
"""YAML from this size on is to be decoded beside the event loop (see `is_slow`)."""
MAX_DEPTH = 200
"""Objects in practice nest ten deep, CRDs with large schemas sixty."""

WRITE_TYPES = (JSON, YAML, PROTOBUF)
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH)
CUSTOM_PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)

Repeated = list[tuple[dict[str, Any], str]]
"""Maps that had a field twice, and the field."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a client sent. `duplicates` are the paths of fields that stood in it twice."""

    content: Any
    duplicates: tuple[str, ...] = ()


def media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def decode(data: bytes, content_type: str | None, *, accepted: tuple[str, ...] = WRITE_TYPES) -> Body:
    """Decode the body of a write; no content type means JSON. Raises `ApiError` 400 or 415."""
    kind = media_type(content_type) or JSON
    if kind not in accepted:
        raise unsupported_media_type(accepted)
    if not data:
        return Body(None)
    if kind == PROTOBUF:
        return Body(protobuf.decode(data))
    if kind in (YAML, APPLY_PATCH) and not _is_flow(data):
        return _yaml(data)
    return _json(data)


def is_slow(data: bytes, content_type: str | None) -> bool:
    """Whether `decode` may take longer than other requests should wait."""
    return (
        len(data) >= SLOW_YAML_BYTES
        and media_type(content_type) in (YAML, APPLY_PATCH)
        and not _is_flow(data)
    )


def _is_flow(data: bytes) -> bool:
    """JSON is YAML too, and clients send it under that name."""
    return data.lstrip()[:1] in (b"{", b"[")


def _json(data: bytes) -> Body:
    try:
        content = orjson.loads(data)  # strict about UTF-8 and numbers, bounded in depth
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error):
            raise _too_deep() from error
        raise bad_request(f"the body is not valid JSON: {error}") from error
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and depth_exceeds(content, MAX_DEPTH):
        raise _too_deep()
    repeated: Repeated = []

    def join(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        joined = dict(pairs)
        if len(joined) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.extend((joined, key) for key, count in counts.items() if count > 1)
        return joined

    marked = json.loads(data, object_pairs_hook=join)
    return Body(marked, _paths(marked, repeated)) if repeated else Body(content)


def depth_exceeds(content: Any, limit: int) -> bool:
    """Whether lists and maps nest deeper than `limit`; does not recurse."""
    level = [content] if isinstance(content, dict | list) else []
    for _ in range(limit):
        if not level:
            return False
        children = (item for node in level for item in (node.values() if isinstance(node, dict) else node))
        level = [child for child in children if isinstance(child, dict | list)]
    return bool(level)


def _too_deep() -> ApiError:
    return bad_request(f"the body nests deeper than {MAX_DEPTH} levels")


def _paths(content: Any, repeated: Repeated) -> tuple[str, ...]:
    """Where in the document the repeated fields stand, in document order."""
    keys: dict[int, list[str]] = {}
    for owner, key in repeated:
        keys.setdefault(id(owner), []).append(key)
    found: list[str] = []

    def walk(node: Any, path: str) -> None:
        if isinstance(node, dict):
            prefix = f"{path}." if path else ""
            found.extend(f"{prefix}{key}" for key in keys.get(id(node), ()))
            for key, value in node.items():
                walk(value, f"{prefix}{key}")
        elif isinstance(node, list):
            for index, value in enumerate(node):
                walk(value, f"{path}[{index}]")

    walk(content, "")
    return tuple(dict.fromkeys(found))


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: dates stay text, keys are strings; aliases multiply and are refused."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.repeated: Repeated = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted in a request")
        return super().compose_node(parent, index)

    def construct_object_of(self, node: yaml.MappingNode) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                key = json.dumps(key) if isinstance(key, bool | int | float) else str(key)
            if key in mapping:
                self.repeated.append((mapping, key))
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_object_of)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _yaml(data: bytes) -> Body:
    if len(data) > MAX_YAML_BYTES:
        raise bad_request(f"a YAML body may have {MAX_YAML_BYTES} bytes at most; send JSON instead")
    try:
        loader = _Loader(data)
        content = loader.get_single_data()
    except RecursionError as error:
        raise _too_deep() from error
    except yaml.YAMLError as error:
        raise bad_request(f"the body is not valid YAML: {' '.join(str(error).split())}") from error
    if depth_exceeds(content, MAX_DEPTH):
        raise _too_deep()
    return Body(content, _paths(content, loader.repeated) if loader.repeated else ())
