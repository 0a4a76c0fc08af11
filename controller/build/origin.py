"""Where sources come from: the object itself, a ConfigMap, or git; and when to look there again.

ConfigMaps are read by name at an interval, not watched. A watch would have to be on every ConfigMap of the
cluster, most of which are nobody's source: the operator would need the right to read them all, and every
change of any would reach it. By name it needs `get` alone, and one small answer per composition each time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from controller.build import git, source
from controller.build.source import Source
from controller.model.composition import Composition
from controller.model.errors import UserError
from controller.model.kinds import CONFIGMAP, SECRET, Kind
from controller.model.meta import Object
from controller.model.quantity import parse_duration

CONFIG_MAP_INTERVAL = 10.0
GIT_INTERVAL = 300.0
"""Seconds between two looks; of git where the spec names none, and of flakes."""
PARALLEL, PARALLEL_IN_NAMESPACE = 16, 4
"""How many repositories are looked at at a time: by all, and for one namespace, whose servers may be slow."""

Read = Callable[[Kind, str, str], Awaitable[Object | None]]


class Origin:
    """Reads sources. `read` gives an object of the cluster, `None` where there is none."""

    def __init__(self, read: Read, limit: int) -> None:
        self._read, self._limit = read, limit
        self._places = asyncio.Semaphore(PARALLEL)
        self._by_namespace: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def look(self, composition: Composition, before: Source | None) -> Source | None:
        """The source as it is now; `None` where it is still as `before`.

        Raises `UserError` where it is not there or may not be used, `ApiError` where nobody could tell.
        """
        spec = composition.source
        if "inline" in spec:
            return source.inline(spec, self._limit)
        if "configMap" in spec:
            return await self._config_map(composition, before)
        namespace = composition.meta.namespace
        mine = self._by_namespace.setdefault(namespace, asyncio.Semaphore(PARALLEL_IN_NAMESPACE))
        async with mine, self._places:
            return await self._git(composition, before)

    async def _config_map(self, composition: Composition, before: Source | None) -> Source | None:
        namespace = composition.meta.namespace
        found = await self._read(CONFIGMAP, namespace, composition.source["configMap"]["name"])
        version = ((found or {}).get("metadata") or {}).get("resourceVersion", "")
        if before is not None and version and before.version == version:
            return None
        return source.config_map(composition.source, found, namespace, self._limit)

    async def _git(self, composition: Composition, before: Source | None) -> Source | None:
        repository = await self._repository(composition)
        commit = await git.resolve(repository)
        if before is not None and before.revision == commit:
            return None
        tree = await git.fetch(repository, commit, self._limit)
        entry = composition.source.get("entry") or source.ENTRY
        return Source(source.check(tree, entry, self._limit), entry, revision=commit)

    async def _repository(self, composition: Composition) -> git.Repository:
        spec = composition.source
        if "flake" in spec:
            return git.flake(spec["flake"]["ref"])
        if "git" not in spec:
            raise UserError(
                "NotSupported", f"spec.source: this controller knows no source {', '.join(spec)!r}"
            )
        named = spec["git"].get("secretRef")
        secret: dict[str, bytes] = {}
        if named is not None:
            secret = _data(
                await self._read(SECRET, composition.meta.namespace, named["name"]),
                named["name"],
                composition.meta.namespace,
            )
        given = spec["git"]
        return git.Repository(given["url"], given.get("ref") or "HEAD", given.get("path", ""), secret)


def interval(composition: Composition) -> float | None:
    """Seconds until the source wants another look; `None`: it cannot change by itself."""
    spec = composition.source
    if "configMap" in spec:
        return CONFIG_MAP_INTERVAL
    if "git" in spec:
        given = spec["git"].get("interval")
        return parse_duration(given).total_seconds() if given else GIT_INTERVAL
    return GIT_INTERVAL if "flake" in spec else None


def _data(found: Object | None, name: str, namespace: str) -> dict[str, bytes]:
    if found is None:
        raise UserError(
            "SecretNotFound",
            f"spec.source.git.secretRef: there is no Secret {name!r} in namespace {namespace!r}; "
            "it is looked for again",
        )
    data: Mapping[str, Any] = found.get("data") or {}
    try:
        secret = {key: base64.b64decode(value, validate=True) for key, value in data.items()}
    except (binascii.Error, ValueError, TypeError) as error:
        raise UserError("SecretInvalid", f"Secret {name!r}: its data is no base64") from error
    if not {"username", "password", "ssh-privatekey"} & secret.keys():
        raise UserError(
            "SecretInvalid",
            f"spec.source.git.secretRef: Secret {name!r} has neither username and password nor ssh-privatekey",
        )
    return secret
