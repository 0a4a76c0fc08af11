"""A deployment with two nodes and the API that its Secret is in, for what reads and makes its key pair."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controller.kube.api import AlreadyExists, NotFound
from controller.model.information import Host, Information
from controller.model.kinds import DEPLOYMENT, NODE, SECRET, Key, Kind
from controller.model.meta import Object
from controller.model.node import NodeSpec
from controller.observe.metrics import Metrics
from controller.reconcile.briefings import DeploymentBriefings
from controller.reconcile.desk import Desk
from controller.reconcile.key_pairs import KeyPairs
from controller.runtime.feed import Feed
from controller.runtime.store import Store

OWNER = Key(DEPLOYMENT, "lab", "web")
SERVER = Key(NODE, "lab", "web.server")


class Secrets:
    """The part of the API that is used here."""

    def __init__(self) -> None:
        self.secrets: dict[str, Object] = {}
        self.asked = self.created = 0
        self.loses_race_to: Object | None = None

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        assert (kind, namespace) == (SECRET, "lab")
        self.asked += 1
        await asyncio.sleep(0)
        if name not in self.secrets:
            raise NotFound(404, "NotFound", name)
        return self.secrets[name]

    async def create(self, kind: Kind, obj: Object) -> Object:
        assert kind is SECRET
        await asyncio.sleep(0)
        name = obj["metadata"]["name"]
        if self.loses_race_to is not None:
            self.secrets[name] = self.loses_race_to
        if name in self.secrets:
            raise AlreadyExists(409, "AlreadyExists", name)
        self.secrets[name] = obj
        self.created += 1
        return obj


class Office:
    """Briefings on a store with one deployment and its nodes."""

    def __init__(self, **spec: Any) -> None:
        self.api = Secrets()
        self.now = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
        self.woken: list[Key] = []
        self.desk = Desk(
            api=self.api,  # type: ignore[arg-type]
            feed=Feed(Store()),
            recorder=None,  # type: ignore[arg-type]
            metrics=Metrics(),
            clock=lambda: self.now,
            installation="inst",
            wake=lambda key, delay: self.woken.append(key),
        )
        self.key_pairs = KeyPairs(self.desk)
        self.briefings = DeploymentBriefings(self.desk, self.key_pairs)
        self.put(DEPLOYMENT, "web", "uid-web", {"authorizedKeys": ["ssh-ed25519 USER"], **spec})
        self.told = Information(
            (Host("client", "bob", "local-2"), Host("server", "server", "local-1", ("server1",))),
            ("ssh-ed25519 USER",),
        )

    def put(self, kind: Kind, name: str, uid: str, spec: Mapping[str, Any], **more: str) -> None:
        meta = {"name": name, "namespace": "lab", "uid": uid, "resourceVersion": "1", **more}
        self.desk.store.put(kind, {"metadata": meta, "spec": dict(spec)})

    def delete(self) -> None:
        """The deployment goes; its nodes stay."""
        self.desk.store.remove(
            DEPLOYMENT, {"metadata": {"name": "web", "namespace": "lab", "uid": "uid-web"}}
        )

    def nodes(self) -> None:
        for host in self.told.hosts:
            spec = NodeSpec(
                "web", host.role, host.name, host.machine, "local", "vm-ramdisk", "i", aliases=host.aliases
            )
            self.put(NODE, f"web.{host.name}", f"uid-{host.name}", spec.to_dict())
