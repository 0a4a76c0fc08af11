"""What backends may know of a node's deployment: its hosts, and its SSH key pair."""

from __future__ import annotations

from controller.flavours.api import Briefing, ClientKey
from controller.model.errors import NxcError
from controller.model.information import Host, Information
from controller.model.kinds import DEPLOYMENT, Key
from controller.model.names import natural
from controller.model.node import Node
from controller.reconcile.desk import Desk
from controller.reconcile.key_pairs import KeyPairs


class DeploymentBriefings:
    """Answers from the store, and from the Secrets of Deployments."""

    def __init__(self, desk: Desk, key_pairs: KeyPairs) -> None:
        self._desk, self._key_pairs = desk, key_pairs

    async def brief(self, node: Key, information: str) -> Briefing:
        """See `controller.flavours.api.Briefings`."""
        owner = self._deployment_of(node)
        told = self._told(owner, information)
        if told is None:
            self._desk.wake(owner, 0)
            raise NxcError(
                "WaitingForDeployment", "what to tell the node is not known yet; its Deployment is looked at"
            )
        key = await self._key_pairs.of(owner)
        keys = tuple(dict.fromkeys((key.public, *told.authorized_keys)))
        return Briefing(owner.name, owner.namespace, told.hosts, keys)

    async def client_key(self, node: Key) -> ClientKey:
        """See `controller.flavours.api.Briefings`."""
        return await self._key_pairs.of(self._deployment_of(node))

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
        deployment = self._desk.store.deployment(owner.namespace, owner.name)
        nodes = self._desk.store.nodes_of(owner)
        hosts = sorted((node.spec for node in nodes), key=lambda spec: (spec.role, natural(spec.host)))
        again = Information(
            tuple(Host(spec.role, spec.host, spec.machine, spec.aliases) for spec in hosts),
            deployment.authorized_keys if deployment is not None else (),
        )
        return again if again.digest == digest else None
