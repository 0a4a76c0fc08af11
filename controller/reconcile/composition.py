"""Compositions: have their images built, and tell how far they are."""

from __future__ import annotations

from collections.abc import Mapping

from controller.build.api import Builder, BuildState
from controller.model.composition import Composition, Image, ImageState
from controller.model.deployment import Deployment
from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, Key
from controller.model.node import Node
from controller.plan.composition import Progress, composition_status, flavours_wanted, on_record
from controller.plan.testbed import Refusal
from controller.reconcile.closures import Closures
from controller.reconcile.desk import Desk
from controller.runtime.store import Store

TRY_AGAIN = 60.0
"""Seconds until what could not be told beside the status is tried again."""


class CompositionReconciler:
    """Brings one Composition and its images together.

    `builders` has the builder by package source; `default` names the package source of compositions that
    name none.
    """

    def __init__(self, desk: Desk, builders: Mapping[str, Builder], default: str) -> None:
        self._desk, self._builders, self._default = desk, builders, default
        self._closures = Closures(desk)

    async def reconcile(self, key: Key) -> float | None:
        """See `controller.runtime.loop.Reconciler`."""
        entry = self._desk.store.get(key)
        composition = entry.parsed if entry is not None else None
        if entry is None or (entry.meta.deleting and not entry.meta.finalizers):
            self._leave(key)
            return None
        if not isinstance(composition, Composition):
            return None
        wanted = flavours_wanted(composition, self._deployed(key))
        progress = self._progress(key, composition, wanted)
        status = composition_status(composition, wanted, progress, self._desk.clock())
        builder = self._builders.get(composition.package_source or self._default)
        well = await self._closures.tend(key, composition, status, builder)
        await self._desk.write_status(key, entry, status)
        return None if well else TRY_AGAIN

    def _deployed(self, key: Key) -> list[str]:
        """The flavours that deployments ask for."""
        flavours = []
        for user in self._desk.store.users(key):
            if user.kind is DEPLOYMENT:
                entry = self._desk.store.get(user)
                if entry is not None and isinstance(entry.parsed, Deployment) and not entry.meta.deleting:
                    flavours.append(entry.parsed.flavour)
        return flavours

    def _progress(self, key: Key, composition: Composition, wanted: tuple[str, ...]) -> Progress | Refusal:
        source = composition.package_source or self._default
        builder = self._builders.get(source)
        if builder is None:
            self._leave(key)
            known = ", ".join(sorted(self._builders)) or "none"
            return Refusal(
                "NoPackageSource",
                f"spec.packageSource: this controller has no package source {source!r} (only: {known})",
            )
        if composition.suspend:
            self._leave(key)
            return Refusal("Suspended", "spec.suspend is true: nothing is built")
        self._leave(key, stay_with=builder)
        known_flavours = builder.flavours(source)
        builder.leave(key, but=[flavour for flavour in wanted if flavour in known_flavours])
        states: list[BuildState] = []
        images: dict[str, Image] = {}
        for flavour in wanted:
            if flavour in known_flavours:
                states.append(builder.want(key, composition, flavour, source))
                told = states[-1].image
            else:
                told = _unknown_flavour(composition, flavour, source, known_flavours)
            images[flavour] = on_record(composition.images.get(flavour), told)
        return Progress(
            images,
            roles=next((state.roles for state in states if state.roles), composition.roles),
            revision=next((state.revision for state in states if state.revision), ""),
            notes=tuple(dict.fromkeys(note for state in states for note in state.notes)),
        )

    def _leave(self, key: Key, *, stay_with: Builder | None = None) -> None:
        for builder in self._builders.values():
            if builder is not stay_with:
                builder.leave(key)


def _unknown_flavour(composition: Composition, flavour: str, source: str, known: frozenset[str]) -> Image:
    has = ", ".join(sorted(known)) or "none"
    return Image(
        flavour,
        ImageState.FAILED,
        source=composition.source_digest,
        reason="UnknownFlavour",
        message=f"package source {source!r} builds no flavour {flavour!r} (only: {has})",
    )


def images_in_use(store: Store) -> frozenset[str]:
    """The digests of the images that must stay: current or kept by a composition, wanted by a deployment,
    or that a node has or is to have."""
    found: set[str] = set()
    for _, entry in store.all(COMPOSITION):
        if isinstance(entry.parsed, Composition):
            found.update(image.image for image in entry.parsed.images.values())
            found.update(kept.image for kept in entry.parsed.history)
    for _, entry in store.all(DEPLOYMENT):
        if isinstance(entry.parsed, Deployment):
            found.add(entry.parsed.status.image)
    for _, entry in store.all(NODE):
        if isinstance(entry.parsed, Node):
            found.add(entry.parsed.spec.image)
            if (attempt := entry.parsed.status.attempt) is not None:
                found.add(attempt.image)
    return frozenset(found - {""})
