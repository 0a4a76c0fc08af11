"""What backends may know of a node's deployment: its hosts, and its SSH key pair, which is made here, once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import asyncssh

from controller.flavours.api import Briefing, ClientKey
from controller.kube.api import AlreadyExists, NotFound
from controller.model.errors import NxcError, UserError
from controller.model.information import Host, Information
from controller.model.kinds import DEPLOYMENT, DEPLOYMENT_LABEL, SECRET, Key
from controller.model.meta import Meta
from controller.model.names import natural, secret_name
from controller.model.node import Node
from controller.reconcile.desk import Desk

PRIVATE, PUBLIC = "ssh-privatekey", "ssh-publickey"
"""Fields of the Secret; `ssh-privatekey` is what Kubernetes' type `kubernetes.io/ssh-auth` asks for."""


class DeploymentBriefings:
    """Answers from the store, and from the Secrets of Deployments."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keys: dict[tuple[Key, str], ClientKey] = {}
        self._locks: dict[Key, asyncio.Lock] = {}

    async def brief(self, node: Key, information: str) -> Briefing:
        """See `controller.flavours.api.Briefings`."""
        owner = self._deployment_of(node)
        told = self._told(owner, information)
        if told is None:
            self._desk.wake(owner, 0)
            raise NxcError(
                "WaitingForDeployment", "what to tell the node is not known yet; its Deployment is looked at"
            )
        key = await self.client_key(node)
        keys = tuple(dict.fromkeys((key.public, *told.authorized_keys)))
        return Briefing(owner.name, owner.namespace, told.hosts, keys)

    async def client_key(self, node: Key) -> ClientKey:
        """See `controller.flavours.api.Briefings`."""
        owner = self._deployment_of(node)
        entry = self._desk.store.get(owner)
        if entry is None:
            known = next((key for (of, _), key in self._keys.items() if of == owner), None)
            if known is not None:
                return known
            raise NxcError("KeyGone", f"the key of {owner} went with it; the node cannot be logged in to")
        identity = (owner, entry.meta.uid)
        async with self._locks.setdefault(owner, asyncio.Lock()):
            if identity not in self._keys:
                found = await self._read_or_make(owner, entry.meta)
                self._keys = {of: key for of, key in self._keys.items() if of[0] != owner}
                self._keys[identity] = found
            return self._keys[identity]

    def _deployment_of(self, node: Key) -> Key:
        entry = self._desk.store.get(node)
        if entry is None or not isinstance(entry.parsed, Node):
            raise NxcError("NotKnown", f"{node} is not known any more")
        return Key(DEPLOYMENT, node.namespace, entry.parsed.spec.deployment)

    def _told(self, owner: Key, digest: str) -> Information | None:
        """What has this digest: as the Deployment decided it last, or put together again from its nodes."""
        known = self._desk.information.get(owner)
        if known is not None and known.digest == digest:
            return known
        entry = self._desk.store.get(owner)
        nodes = self._desk.store.nodes_of(owner)
        deployment = self._desk.store.deployment(owner.namespace, owner.name) if entry is not None else None
        hosts = sorted((node.spec for node in nodes), key=lambda spec: (spec.role, natural(spec.host)))
        again = Information(
            tuple(Host(spec.role, spec.host, spec.machine, spec.aliases) for spec in hosts),
            deployment.authorized_keys if deployment is not None else (),
        )
        return again if again.digest == digest else None

    async def _read_or_make(self, owner: Key, meta: Meta) -> ClientKey:
        name = secret_name(owner.name)
        try:
            return _read(await self._desk.api.get(SECRET, owner.namespace, name), meta)
        except NotFound:
            pass
        pair = await asyncio.to_thread(
            asyncssh.generate_private_key, "ssh-ed25519", comment=f"nxc {owner.name}"
        )
        public = pair.export_public_key().decode().strip()
        private = pair.export_private_key().decode()
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/ssh-auth",
            "metadata": {
                "name": name,
                "namespace": owner.namespace,
                "labels": {DEPLOYMENT_LABEL: owner.name},
                "ownerReferences": [
                    {
                        "apiVersion": DEPLOYMENT.api_version,
                        "kind": DEPLOYMENT.kind,
                        "name": owner.name,
                        "uid": meta.uid,
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "data": {PRIVATE: _encoded(private), PUBLIC: _encoded(public)},
        }
        try:
            await self._desk.api.create(SECRET, secret)
        except AlreadyExists:
            return _read(await self._desk.api.get(SECRET, owner.namespace, name), meta)
        self._desk.metrics.writes.labels(SECRET.kind, "create").inc()
        return ClientKey(public, private)


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
