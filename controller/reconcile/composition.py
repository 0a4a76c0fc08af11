"""Compositions: have their images built, and tell how far they are."""

from __future__ import annotations

from collections.abc import Mapping

from controller.build.api import Builder
from controller.model.composition import Composition, Image, ImageState
from controller.model.deployment import Deployment
from controller.model.kinds import DEPLOYMENT, Key
from controller.plan.composition import Progress, composition_status, flavours_wanted, on_record
from controller.plan.testbed import Refusal
from controller.reconcile.desk import Desk


class CompositionReconciler:
    """Brings one Composition and its images together."""

    def __init__(self, desk: Desk, builders: Mapping[str, Builder], flavours: frozenset[str]) -> None:
        self._desk, self._builders, self._flavours = desk, builders, flavours

    async def reconcile(self, key: Key) -> float | None:
        """See `controller.runtime.loop.Reconciler`."""
        entry = self._desk.store.get(key)
        composition = entry.parsed if entry is not None else None
        if entry is None or (entry.meta.deleting and not entry.meta.finalizers):
            for builder in self._builders.values():
                builder.leave(key)
            return None
        if not isinstance(composition, Composition):
            return None
        wanted = flavours_wanted(composition, self._deployed(key))
        progress = self._progress(key, composition, wanted)
        status = composition_status(composition, wanted, progress, self._desk.clock())
        await self._desk.write_status(key, entry, status)
        return None

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
        builder = self._builders.get(composition.package_source)
        if builder is None:
            known = ", ".join(sorted(self._builders)) or "none"
            return Refusal(
                "NoPackageSource",
                f"spec.packageSource: this controller has no {composition.package_source!r} (only: {known})",
            )
        if composition.suspend:
            return Refusal("Suspended", "spec.suspend is true: nothing is built")
        images: dict[str, Image] = {}
        roles: tuple[str, ...] = ()
        for flavour in wanted:
            if flavour not in self._flavours:
                installed = ", ".join(sorted(self._flavours)) or "none"
                images[flavour] = Image(
                    flavour,
                    ImageState.FAILED,
                    source=composition.source_digest,
                    reason="UnknownFlavour",
                    message=f"no flavour {flavour!r} is installed (installed: {installed})",
                )
                continue
            state = builder.want(key, composition, flavour)
            images[flavour] = on_record(composition.images.get(flavour), state.image)
            roles = roles or state.roles
        return Progress(images, roles or composition.roles)
