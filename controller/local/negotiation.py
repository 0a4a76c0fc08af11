"""What a client wants to read: JSON, YAML, a Table, metadata alone.

Media types carry parameters: `application/json;as=Table;v=v1;g=meta.k8s.io`
(https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from controller.local.core.errors import not_acceptable

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
TEXT = "text/plain"

Shape = Literal["object", "Table", "PartialObjectMetadata", "PartialObjectMetadataList", "discovery"]
_ASKED_FOR: dict[str, Shape] = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadataList",
}
"""The shapes that `as=` may name for objects."""


@dataclass(frozen=True, slots=True)
class Representation:
    """How the answer is to look. `version` is that of the shape's own kind: v1, v1beta1 (discovery: v2)."""

    shape: Shape = "object"
    version: str = ""
    media_type: str = JSON


@dataclass(frozen=True, slots=True)
class Clause:
    """One alternative of an Accept header."""

    media_type: str
    parameters: tuple[tuple[str, str], ...]
    quality: float

    def get(self, name: str) -> str:
        return next((value for key, value in self.parameters if key == name), "")


@lru_cache(maxsize=256)
def clauses(accept: str) -> tuple[Clause, ...]:
    """The alternatives of an Accept header, best first (RFC 9110, section 12.5.1)."""
    found = []
    for text in accept.split(","):
        media_type, *rest = (part.strip() for part in text.split(";"))
        if not media_type:
            continue
        pairs = [
            (key.strip().lower(), value.strip()) for key, _, value in (part.partition("=") for part in rest)
        ]
        quality = next((value for key, value in pairs if key == "q"), "1")
        parameters = tuple(pair for pair in pairs if pair[0] != "q")
        found.append(Clause(media_type.lower(), parameters, _number(quality)))
    found.sort(key=lambda clause: -clause.quality)
    return tuple(found)


@lru_cache(maxsize=256)
def for_objects(accept: str) -> Representation:
    """What to answer on a resource path; raises `ApiError` 406 for a client that takes nothing we speak."""
    if not accept:
        return Representation()
    for clause in clauses(accept):
        media_type = _spoken(clause.media_type)
        if media_type is None:
            continue
        shape, version = clause.get("as"), clause.get("v")
        if not shape:
            return Representation(media_type=media_type)
        if clause.get("g") not in ("", "meta.k8s.io"):
            continue
        if (known := _ASKED_FOR.get(shape)) is not None and version in ("v1", "v1beta1"):
            return Representation(known, version, media_type)
    raise not_acceptable([JSON, YAML])


@lru_cache(maxsize=256)
def for_discovery(accept: str) -> Representation:
    """What to answer at /api and /apis: plain lists, or the aggregated form for those who ask for it."""
    if not accept:
        return Representation()
    for clause in clauses(accept):
        media_type = _spoken(clause.media_type)
        if media_type is None:
            continue
        if not clause.get("as"):
            return Representation(media_type=media_type)
        aggregated = clause.get("as") == "APIGroupDiscoveryList" and clause.get("g") == "apidiscovery.k8s.io"
        if aggregated and clause.get("v") in ("v2", "v2beta1"):
            return Representation("discovery", clause.get("v"), media_type)
    raise not_acceptable([JSON, YAML])


def names(accept: str, media_type: str) -> bool:
    """Whether a client asks for just this media type before any other."""
    return bool(accept) and clauses(accept)[0].media_type == media_type.lower()


def accepts_json(accept: str) -> bool:
    return not accept or any(
        clause.media_type in (JSON, "*/*", "application/*") for clause in clauses(accept)
    )


def _spoken(media_type: str) -> str | None:
    if media_type in (JSON, "*/*", "application/*"):
        return JSON
    return YAML if media_type in (YAML, "application/x-yaml") else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
