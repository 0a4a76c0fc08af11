"""The SSH key pair of each Deployment: in a Secret of its namespace, made once, and put back where it is missing.

Secrets are not watched: the operator would have to be let read all of them.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncssh

from controller.flavours.api import ClientKey
from controller.kube.api import AlreadyExists, NotFound
from controller.model.errors import NxcError, UserError
from controller.model.kinds import DEPLOYMENT, DEPLOYMENT_LABEL, SECRET, Key
from controller.model.meta import Meta
from controller.model.names import secret_name
from controller.reconcile.desk import Desk

PRIVATE, PUBLIC = "ssh-privatekey", "ssh-publickey"
"""Fields of the Secret; `ssh-privatekey` is what Kubernetes' type `kubernetes.io/ssh-auth` asks for."""
LOOK_AGAIN = timedelta(minutes=1)
"""How long a Secret that was seen is taken to be there still, however often its Deployment is looked at."""


@dataclass(frozen=True, slots=True)
class _Held:
    """The pair of one incarnation of a Deployment, and when its Secret was last seen."""

    uid: str
    pair: ClientKey
    seen: datetime


class KeyPairs:
    """The pairs that were asked for since the operator began to lead."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._held: dict[Key, _Held] = {}
        self._locks: dict[Key, asyncio.Lock] = {}

    async def of(self, deployment: Key) -> ClientKey:
        """The pair of a Deployment, made where there is none.

        Of one that is gone, while it is remembered: nodes may have been orphaned, and are still looked after.
        UserError `SecretTaken`, `SecretUnreadable`; NxcError `KeyGone`.
        """
        entry = self._desk.store.get(deployment)
        if entry is None:
            if (held := self._held.get(deployment)) is not None:
                return held.pair
            raise NxcError(
                "KeyGone", f"the key of {deployment} went with it; the node cannot be logged in to"
            )
        async with self._locks.setdefault(deployment, asyncio.Lock()):
            held = self._held.get(deployment)
            if held is None or held.uid != entry.meta.uid:
                pair = await self._find(deployment, entry.meta) or await self._store(
                    deployment, entry.meta, await _made(deployment)
                )
                held = self._held[deployment] = _Held(entry.meta.uid, pair, self._desk.clock())
            return held.pair

    async def keep(self, deployment: Key) -> None:
        """Put back the Secret of a pair in use if somebody deleted it: the nodes trust this pair and no other.

        What else became of a Secret is found when it is read next.
        """
        entry = self._desk.store.get(deployment)
        if entry is None or entry.meta.deleting or deployment not in self._held:
            return
        async with self._locks[deployment]:
            held, now = self._held[deployment], self._desk.clock()
            if held.uid != entry.meta.uid or now < held.seen + LOOK_AGAIN:
                return
            try:
                await self._desk.api.get(SECRET, deployment.namespace, secret_name(deployment.name))
            except NotFound:
                await self._store(deployment, entry.meta, held.pair)
            self._held[deployment] = _Held(held.uid, held.pair, now)

    def forget(self, deployment: Key) -> None:
        """A Deployment is gone, and so are its nodes."""
        self._held.pop(deployment, None)
        self._locks.pop(deployment, None)

    async def _find(self, owner: Key, meta: Meta) -> ClientKey | None:
        try:
            return _read(await self._desk.api.get(SECRET, owner.namespace, secret_name(owner.name)), meta)
        except NotFound:
            return None

    async def _store(self, owner: Key, meta: Meta, pair: ClientKey) -> ClientKey:
        """Make the Secret; the pair that is in it then, which is another's if that was faster."""
        name = secret_name(owner.name)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/ssh-auth",
            "metadata": {
                "name": name,
                "namespace": owner.namespace,
                "labels": {DEPLOYMENT_LABEL: owner.name},
                "ownerReferences": [meta.owner_reference(DEPLOYMENT)],
            },
            "data": {PRIVATE: _encoded(pair.private), PUBLIC: _encoded(pair.public)},
        }
        try:
            await self._desk.api.create(SECRET, secret)
        except AlreadyExists:
            return _read(await self._desk.api.get(SECRET, owner.namespace, name), meta)
        self._desk.metrics.writes.labels(SECRET.kind, "create").inc()
        return pair


async def _made(owner: Key) -> ClientKey:
    pair = await asyncio.to_thread(asyncssh.generate_private_key, "ssh-ed25519", comment=f"nxc {owner.name}")
    return ClientKey(pair.export_public_key().decode().strip(), pair.export_private_key().decode())


def _read(secret: Mapping[str, Any], owner: Meta) -> ClientKey:
    """The key pair in a Secret. Raises `UserError` where it is another's, or not a key."""
    meta = Meta.of(secret)
    if not meta.owned_by(owner.uid):
        raise UserError(
            "SecretTaken",
            f"Secret {meta.name!r} is not of this Deployment: delete it, and a key pair is made in its place",
        )
    try:
        private = base64.b64decode((secret.get("data") or {})[PRIVATE], validate=True).decode()
        pair = asyncssh.import_private_key(private)
    except (KeyError, ValueError, asyncssh.KeyImportError) as error:
        raise UserError(
            "SecretUnreadable",
            f"Secret {meta.name!r}: {PRIVATE} is no SSH key ({error}); delete the Secret to have one made",
        ) from None
    return ClientKey(pair.export_public_key().decode().strip(), private)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
