"""The life of a composition: for which flavours images are wanted, and how far they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controller.model.composition import Composition, Image, ImageState, Kept
from controller.model.conditions import Condition, false, true, unknown
from controller.model.errors import Blame
from controller.plan.testbed import Refusal

FLAVOURS_LIMIT = 64
"""Items of `status.images` that the schema accepts."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the builder is with the images wanted, the roles and the revision it found.

    `notes` are said beside what went well: warnings of the evaluation, and how builds are isolated where
    that is less than it should be.
    """

    images: Mapping[str, Image]
    roles: tuple[str, ...]
    revision: str = ""
    notes: tuple[str, ...] = ()


def flavours_wanted(composition: Composition, deployed: Iterable[str]) -> tuple[str, ...]:
    """Those the spec lists to be built ahead, and those that deployments ask for, in a fixed order; as many
    as a status can tell of."""
    others = sorted(set(deployed) - set(composition.flavours))
    return tuple(sorted([*composition.flavours, *others][:FLAVOURS_LIMIT]))


def on_record(before: Image | None, told: Image) -> Image:
    """The image to show. A builder that has just started does not know yet what it built before: until it
    does, an image on record that was built from the same source stands, and nobody waits for it again.
    The last image there was is named as long as there is no newer one."""
    if before is None or told.state is ImageState.READY:
        return told
    unsure = told.state in (ImageState.PENDING, ImageState.EVALUATING)
    if unsure and before.state is ImageState.READY and before.source == told.source:
        return before
    return replace(told, image=before.image)


def history_after(composition: Composition, images: Mapping[str, Image]) -> tuple[Kept, ...]:
    """The earlier images to keep, newest first by flavour: what a newer one has just replaced goes to the
    front, what is current again leaves, and `spec.build.keep` of each flavour stay."""
    kept: list[Kept] = []
    for flavour in sorted(images):
        now = images[flavour].image
        before = composition.images.get(flavour)
        earlier = [item.image for item in composition.history if item.flavour == flavour]
        if before is not None and before.image:
            earlier.insert(0, before.image)
        distinct = [image for image in dict.fromkeys(earlier) if image != now]
        kept += [Kept(flavour, image) for image in distinct[: composition.keep]]
    return tuple(kept)


def composition_status(
    composition: Composition,
    wanted: Sequence[str],
    progress: Progress | Refusal,
    now: datetime,
) -> dict[str, Any]:
    """The status of a composition. A `Refusal` says why no builder could be asked."""
    images: Mapping[str, Image]
    if isinstance(progress, Refusal):
        images, roles, revision = composition.images, composition.roles, composition.revision
        conditions = [unknown(type, progress.reason, progress.message) for type in ("Evaluated", "Built")]
        conditions.append(false("Ready", progress.reason, progress.message))
        conditions.append(true("Stalled", progress.reason, progress.message))
    else:
        images, roles, revision = progress.images, progress.roles, progress.revision
        conditions = _judge([images[flavour] for flavour in wanted], "; ".join(progress.notes))
    generation = composition.meta.generation
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "sourceDigest": composition.source_digest,
        "conditions": composition.conditions.then(conditions, generation=generation, now=now).to_list(),
    }
    if roles:
        status["roles"] = list(roles)
    if images:
        status["images"] = [images[flavour].to_dict() for flavour in sorted(images)]
    if revision:
        status["resolvedRevision"] = revision
    if history := history_after(composition, images):
        status["history"] = [item.to_dict() for item in history]
    return status


def _judge(images: Sequence[Image], notes: str) -> list[Condition]:
    failed = [image for image in images if image.state is ImageState.FAILED]
    unevaluated = [image for image in images if image.state in (ImageState.PENDING, ImageState.EVALUATING)]
    ready = [image for image in images if image.state is ImageState.READY]
    summary = f"{len(ready)} of {len(images)} images built"
    well = true("Evaluated", "Evaluated", notes)
    if failed:
        first = failed[0]
        message = f"{first.flavour}: {first.message}"
        conditions = [
            _evaluated(first, message, well),
            false("Built", first.reason, message),
            false("Ready", first.reason, message),
        ]
        if first.blame is Blame.USER:
            conditions.append(true("Stalled", first.reason, message))
        return conditions
    if not images:
        message = "no flavour is asked for; list some in spec.flavours or make a Deployment"
        return [
            unknown("Evaluated", "NothingAsked", message),
            unknown("Built", "NothingAsked", message),
            true("Ready", "NothingAsked", message),
        ]
    if len(ready) == len(images):
        return [
            well,
            true("Built", "Built", summary),
            true("Ready", "Built", summary),
        ]
    running = next(image for image in images if image.state is not ImageState.READY)
    message = f"{summary}; {running.flavour}: {running.state.value}"
    if running.progress:
        message += f" ({running.progress})"
    return [
        unknown("Evaluated", "Evaluating", message) if unevaluated else well,
        false("Built", running.state.value, message),
        false("Ready", running.state.value, message),
        true("Reconciling", running.state.value, message),
    ]


def _evaluated(failed: Image, message: str, well: Condition) -> Condition:
    if failed.evaluated:
        return well
    if failed.blame is Blame.USER:
        return false("Evaluated", failed.reason, message)
    return unknown("Evaluated", failed.reason, message)
