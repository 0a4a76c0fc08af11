"""Composition: one description of an environment, and the images built from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from controller.model.conditions import MESSAGE_LIMIT, Conditions
from controller.model.errors import Blame
from controller.model.meta import Meta, Object
from controller.model.names import digest
from controller.model.quantity import parse_duration

PROGRESS_LIMIT = 64
"""Characters of `progress` that the schema accepts."""
TEST_SCRIPT_LIMIT = 65536
"""Characters of `testScript` that the schema accepts."""
DEFAULT_KEEP = 2


class ImageState(StrEnum):
    """How far the image of one flavour is."""

    PENDING = "Pending"
    EVALUATING = "Evaluating"
    BUILDING = "Building"
    READY = "Ready"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Image:
    """The image of one flavour, or how far its build is.

    `image` is the digest that a node boots; while `state` is not Ready, that of the last image there was,
    if any. `source` is the digest of what it was built from, by which a stale image is told from a current
    one. `evaluated` tells of a failure whether it came after the evaluation; like `blame` it is not in the
    schema. `details` carries what the schema has beside (sizes, paths, seconds), which decides nothing.
    """

    flavour: str
    state: ImageState
    image: str = ""
    source: str = ""
    progress: str = ""
    reason: str = ""
    message: str = ""
    blame: Blame = Blame.USER
    evaluated: bool = False
    details: Mapping[str, Any] | None = None

    @property
    def limitations(self) -> tuple[str, ...]:
        """What the composition says and the flavour cannot honour, a sentence each."""
        return tuple((self.details or {}).get("limitations") or ())

    def to_dict(self) -> dict[str, Any]:
        """As `status.images[]` has it."""
        shown = {
            "flavour": self.flavour,
            "state": self.state.value,
            "image": self.image,
            "sourceDigest": self.source,
            "progress": self.progress[:PROGRESS_LIMIT],
            "reason": self.reason,
            "message": self.message[:MESSAGE_LIMIT],
        }
        return {**(self.details or {}), **{name: value for name, value in shown.items() if value}}

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Image:
        """Read an item of `status.images`."""
        known = {"flavour", "state", "image", "sourceDigest", "progress", "reason", "message"}
        return cls(
            flavour=item["flavour"],
            state=ImageState(item["state"]),
            image=item.get("image", ""),
            source=item.get("sourceDigest", ""),
            progress=item.get("progress", ""),
            reason=item.get("reason", ""),
            message=item.get("message", ""),
            details={name: value for name, value in item.items() if name not in known},
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """An earlier image that is kept, so that going back to it takes no build."""

    flavour: str
    image: str

    def to_dict(self) -> dict[str, Any]:
        """As `status.history[]` has it."""
        return {"flavour": self.flavour, "image": self.image}


@dataclass(frozen=True, slots=True)
class Composition:
    """A Composition as decisions see it. `package_source` is empty where the controller's default is meant."""

    meta: Meta
    source: Mapping[str, Any]
    select: str
    setup: Mapping[str, Any]
    package_source: str
    flavours: tuple[str, ...]
    check: bool
    timeout: timedelta
    keep: int
    suspend: bool
    observed_generation: int
    conditions: Conditions
    roles: tuple[str, ...]
    images: Mapping[str, Image]
    history: Sequence[Kept] = ()
    revision: str = ""

    @property
    def source_digest(self) -> str:
        """Digest of everything in the spec that an image is made from.

        It covers the spec alone; what a ConfigMap or a git branch holds is resolved by the build service.
        """
        return digest(
            {
                "source": dict(self.source),
                "select": self.select,
                "setup": dict(self.setup),
                "packageSource": self.package_source,
            }
        )

    def image_for(self, flavour: str) -> Image | None:
        """What is known of the image of a flavour; `None` when nobody asked for it yet."""
        return self.images.get(flavour)

    @classmethod
    def parse(cls, obj: Object) -> Composition:
        """Read a Composition that the API server has validated."""
        spec = obj.get("spec") or {}
        status = obj.get("status") or {}
        build = spec.get("build") or {}
        return cls(
            meta=Meta.of(obj),
            source=spec.get("source") or {},
            select=spec.get("select", ""),
            setup=spec.get("setup") or {},
            package_source=(spec.get("packageSource") or {}).get("name") or "",
            flavours=tuple(spec.get("flavours") or ()),
            check=bool(build.get("check", False)),
            timeout=parse_duration(build.get("timeout", "1h")),
            keep=int(build.get("keep", DEFAULT_KEEP)),
            suspend=bool(spec.get("suspend", False)),
            observed_generation=status.get("observedGeneration", 0),
            conditions=Conditions.parse(status.get("conditions")),
            roles=tuple(status.get("roles") or ()),
            images={item["flavour"]: Image.parse(item) for item in status.get("images") or ()},
            history=tuple(Kept(item["flavour"], item["image"]) for item in status.get("history") or ()),
            revision=status.get("resolvedRevision", ""),
        )
