"""The life of a composition: for which flavours images are wanted, and how far they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.model.composition import Composition, Image, ImageState
from controller.model.conditions import Condition, false, true, unknown
from controller.model.errors import Blame
from controller.plan.testbed import Refusal


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the builder is with the images wanted, and the roles it found."""

    images: Mapping[str, Image]
    roles: tuple[str, ...]


def flavours_wanted(composition: Composition, deployed: Iterable[str]) -> tuple[str, ...]:
    """Those the spec lists to be built ahead, and those that deployments ask for, in a fixed order."""
    return tuple(sorted({*composition.flavours, *deployed}))


def on_record(before: Image | None, told: Image) -> Image:
    """The image to show. A builder that has just started does not know yet what it built before: until it
    does, an image on record that was built from the same source stands, and nobody waits for it again."""
    unsure = told.state in (ImageState.PENDING, ImageState.EVALUATING)
    if unsure and before is not None and before.state is ImageState.READY and before.source == told.source:
        return before
    return told


def composition_status(
    composition: Composition,
    wanted: Sequence[str],
    progress: Progress | Refusal,
    now: datetime,
) -> dict[str, Any]:
    """The status of a composition. A `Refusal` says why no builder could be asked."""
    images: Mapping[str, Image]
    if isinstance(progress, Refusal):
        images, roles = composition.images, composition.roles
        conditions = [unknown(type, progress.reason, progress.message) for type in ("Evaluated", "Built")]
        conditions.append(false("Ready", progress.reason, progress.message))
        conditions.append(true("Stalled", progress.reason, progress.message))
    else:
        images, roles = progress.images, progress.roles
        conditions = _judge([images[flavour] for flavour in wanted])
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
    return status


def _judge(images: Sequence[Image]) -> list[Condition]:
    failed = [image for image in images if image.state is ImageState.FAILED]
    unevaluated = [image for image in images if image.state in (ImageState.PENDING, ImageState.EVALUATING)]
    ready = [image for image in images if image.state is ImageState.READY]
    summary = f"{len(ready)} of {len(images)} images built"
    if failed:
        first = failed[0]
        message = f"{first.flavour}: {first.message}"
        evaluated = (
            false("Evaluated", first.reason, message)
            if first.reason == "EvaluationFailed"
            else true("Evaluated", "Evaluated")
        )
        conditions = [
            evaluated,
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
            true("Evaluated", "Evaluated"),
            true("Built", "Built", summary),
            true("Ready", "Built", summary),
        ]
    running = next(image for image in images if image.state is not ImageState.READY)
    message = f"{summary}; {running.flavour}: {running.state.value}"
    if running.progress:
        message += f" ({running.progress})"
    return [
        unknown("Evaluated", "Evaluating", message) if unevaluated else true("Evaluated", "Evaluated"),
        false("Built", running.state.value, message),
        false("Ready", running.state.value, message),
        true("Reconciling", running.state.value, message),
    ]
