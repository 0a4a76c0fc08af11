"""What the images of compositions are made of, told to whoever may read the composition's namespace: a ConfigMap
each, named in the status. No list of ConfigMaps is ever asked for: the operator may read them by name alone."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from controller.build.api import Builder
from controller.kube.api import AlreadyExists, ApiError, NotFound
from controller.model.closure import KEY, SIZE_LIMIT, Closure, config_map_name
from controller.model.composition import Composition
from controller.model.errors import NxcError
from controller.model.kinds import COMPOSITION, CONFIGMAP, Key
from controller.model.meta import Meta
from controller.reconcile.desk import Desk

logger = logging.getLogger(__name__)

COMPOSITION_LABEL = "nxc.dev/composition"


class Closures:
    """Keeps a ConfigMap for each image that a composition's status names."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def tend(
        self, key: Key, composition: Composition, status: Mapping[str, Any], builder: Builder | None
    ) -> bool:
        """Make what is missing, delete what nobody will ask for, and set `closure` of each of `status.images`.

        Before the status is written: so what it names is there, and what it no longer names is gone, whenever
        the operator dies. False where something has to be tried again; a composition is none the worse for it.
        """
        before = {(image.flavour, image.image) for image in composition.images.values()}
        before |= {(kept.flavour, kept.image) for kept in composition.history}
        images = status.get("images") or ()
        after = {
            (item["flavour"], item.get("image", "")) for item in (*images, *(status.get("history") or ()))
        }
        told = dict(_told(composition))
        well = True
        try:
            for flavour, image in sorted(before - after):
                if image:
                    await self._delete(key, composition, config_map_name(key.name, flavour, image))
            for item in images:
                image = item.get("image", "")
                if not image or item["state"] != "Ready" or image in told or builder is None:
                    continue
                if name := await self._make(key, composition, item["flavour"], image, builder):
                    told[image] = name
        except (ApiError, NxcError) as error:
            logger.warning("%s: its images' closures cannot be told: %s", key, error)
            self._desk.recorder.record(
                key, composition.meta.uid, "ClosureNotTold", f"for kubectl nxc diff: {error}", warning=True
            )
            well = False
        for item in images:
            if item.get("image", "") in told:
                item["closure"] = told[item["image"]]
        return well

    async def _make(
        self, key: Key, composition: Composition, flavour: str, image: str, builder: Builder
    ) -> str:
        """Its name; empty where there is nothing to tell: no such image here, or too large a one."""
        built = await builder.image(image)
        if built is None:
            return ""
        data = Closure.of(built.manifest, built.sizes).packed()
        if len(data) > SIZE_LIMIT:
            logger.warning("%s: the closure of %s takes %d bytes, too many to tell", key, flavour, len(data))
            return ""
        name = config_map_name(key.name, flavour, image)
        try:
            await self._desk.api.create(
                CONFIGMAP,
                {
                    "apiVersion": CONFIGMAP.api_version,
                    "kind": CONFIGMAP.kind,
                    "metadata": {
                        "name": name,
                        "namespace": key.namespace,
                        "labels": {COMPOSITION_LABEL: key.name[:63].rstrip("-.")},
                        "ownerReferences": [composition.meta.owner_reference(COMPOSITION)],
                    },
                    "immutable": True,
                    "binaryData": {KEY: base64.b64encode(data).decode()},
                },
            )
        except AlreadyExists:
            found = Meta.of(await self._desk.api.get(CONFIGMAP, key.namespace, name))
            if not found.owned_by(composition.meta.uid):
                raise NxcError("NameTaken", f"ConfigMap {name} is there and not this composition's") from None
        self._desk.metrics.writes.labels(CONFIGMAP.kind, "create").inc()
        return name

    async def _delete(self, key: Key, composition: Composition, name: str) -> None:
        try:
            found = Meta.of(await self._desk.api.get(CONFIGMAP, key.namespace, name))
            if found.owned_by(composition.meta.uid):
                await self._desk.api.delete(CONFIGMAP, key.namespace, name, uid=found.uid)
        except NotFound:
            return
        self._desk.metrics.writes.labels(CONFIGMAP.kind, "delete").inc()


def _told(composition: Composition) -> Iterator[tuple[str, str]]:
    for image in composition.images.values():
        if image.image and (name := (image.details or {}).get("closure")):
            yield image.image, str(name)
