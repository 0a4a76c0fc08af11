"""What backends are told of a deployment, and its key pair, which is made once."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncssh
import pytest

from controller.kube.api import AlreadyExists, NotFound
from controller.model.errors import NxcError, UserError
from controller.model.information import Host, Information
from controller.model.kinds import DEPLOYMENT, NODE, SECRET, Key, Kind
from controller.model.meta import Object
from controller.model.node import NodeSpec
from controller.observe.metrics import Metrics
from controller.reconcile.briefings import DeploymentBriefings, secret_name
from controller.reconcile.desk import Desk
from controller.runtime.feed import Feed
from controller.runtime.store import Store

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
OWNER = Key(DEPLOYMENT, "lab", "web")
SERVER = Key(NODE, "lab", "web.server")


class Secrets:
    """The part of the API that is used here."""

    def __init__(self) -> None:
        self.secrets: dict[str, Object] = {}
        self.created = 0
        self.loses_race_to: Object | None = None

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        assert (kind, namespace) == (SECRET, "lab")
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
        self.woken: list[Key] = []
        self.desk = Desk(
            api=self.api,  # type: ignore[arg-type]
            feed=Feed(Store()),
            recorder=None,  # type: ignore[arg-type]
            metrics=Metrics(),
            clock=lambda: NOW,
            installation="inst",
            wake=lambda key, delay: self.woken.append(key),
        )
        self.briefings = DeploymentBriefings(self.desk)
        self.put(DEPLOYMENT, "web", "uid-web", {"authorizedKeys": ["ssh-ed25519 USER"], **spec})
        self.told = Information(
            (Host("client", "bob", "local-2"), Host("server", "server", "local-1", ("server1",))),
            ("ssh-ed25519 USER",),
        )

    def put(self, kind: Kind, name: str, uid: str, spec: Mapping[str, Any]) -> None:
        meta = {"name": name, "namespace": "lab", "uid": uid, "resourceVersion": "1"}
        self.desk.store.put(kind, {"metadata": meta, "spec": dict(spec)})

    def nodes(self) -> None:
        for host in self.told.hosts:
            spec = NodeSpec(
                "web", host.role, host.name, host.machine, "local", "vm-ramdisk", "i", aliases=host.aliases
            )
            self.put(NODE, f"web.{host.name}", f"uid-{host.name}", spec.to_dict())


async def test_the_key_pair_is_made_once_and_belongs_to_the_deployment() -> None:
    office = Office()
    office.nodes()
    keys = await asyncio.gather(*(office.briefings.client_key(SERVER) for _ in range(5)))
    assert len({key.public for key in keys}) == 1
    assert office.api.created == 1
    secret = office.api.secrets[secret_name("web")]
    assert secret["type"] == "kubernetes.io/ssh-auth"
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Deployment", "web", "uid-web")
    pair = asyncssh.import_private_key(base64.b64decode(secret["data"]["ssh-privatekey"]))
    assert pair.export_public_key().decode().strip() == keys[0].public
    assert keys[0].public.startswith("ssh-ed25519 ")


async def test_a_new_operator_finds_the_same_key() -> None:
    office = Office()
    office.nodes()
    first = await office.briefings.client_key(SERVER)
    again = await DeploymentBriefings(office.desk).client_key(SERVER)
    assert (again.public, again.private) == (first.public, first.private)
    assert office.api.created == 1


async def test_the_private_key_is_not_printed() -> None:
    office = Office()
    office.nodes()
    key = await office.briefings.client_key(SERVER)
    assert "PRIVATE" not in repr(key)


async def test_a_secret_of_somebody_else_is_neither_used_nor_replaced() -> None:
    office = Office()
    office.nodes()
    office.api.secrets["web-ssh"] = {"metadata": {"name": "web-ssh"}, "data": {"ssh-privatekey": "eA=="}}
    with pytest.raises(UserError, match="'web-ssh' is not of this Deployment") as raised:
        await office.briefings.client_key(SERVER)
    assert raised.value.reason == "SecretTaken"
    assert office.api.created == 0


async def test_a_secret_that_was_spoilt_is_said_to_be() -> None:
    office = Office()
    office.nodes()
    await office.briefings.client_key(SERVER)
    spoilt = dict(office.api.secrets["web-ssh"])
    spoilt["data"] = {"ssh-privatekey": base64.b64encode(b"nonsense").decode()}
    office.api.secrets["web-ssh"] = spoilt
    with pytest.raises(UserError, match="delete the Secret to have one made"):
        await DeploymentBriefings(office.desk).client_key(SERVER)


async def test_whoever_is_first_to_make_it_wins() -> None:
    office, other = Office(), Office()
    office.nodes()
    other.nodes()
    key = await other.briefings.client_key(SERVER)
    office.api.loses_race_to = other.api.secrets["web-ssh"]
    assert (await office.briefings.client_key(SERVER)).public == key.public


async def test_a_briefing_has_every_host_and_every_key() -> None:
    office = Office()
    office.nodes()
    office.desk.information[OWNER] = office.told
    briefing = await office.briefings.brief(SERVER, office.told.digest)
    assert (briefing.deployment, briefing.namespace) == ("web", "lab")
    assert briefing.hosts == office.told.hosts
    own = await office.briefings.client_key(SERVER)
    assert briefing.authorized_keys == (own.public, "ssh-ed25519 USER")


async def test_after_a_restart_the_nodes_tell_what_was_decided() -> None:
    office = Office()
    office.nodes()
    briefing = await office.briefings.brief(SERVER, office.told.digest)
    assert briefing.hosts == office.told.hosts


async def test_what_nobody_knows_any_more_is_asked_of_the_deployment() -> None:
    office = Office()
    office.nodes()
    office.desk.information[OWNER] = replace(office.told, authorized_keys=())
    with pytest.raises(NxcError, match="not known yet") as raised:
        await office.briefings.brief(SERVER, "sha256:other")
    assert raised.value.reason == "WaitingForDeployment"
    assert office.woken == [OWNER]


async def test_an_orphan_keeps_its_key_while_it_is_remembered() -> None:
    office = Office()
    office.nodes()
    key = await office.briefings.client_key(SERVER)
    office.desk.store.remove(DEPLOYMENT, {"metadata": {"name": "web", "namespace": "lab", "uid": "uid-web"}})
    assert (await office.briefings.client_key(SERVER)).public == key.public
    with pytest.raises(NxcError, match="went with it"):
        await DeploymentBriefings(office.desk).client_key(SERVER)


def test_the_digest_is_that_of_everything_a_node_is_told() -> None:
    told = Office().told
    rng = random.Random(1)
    digests = {told.digest}
    for changed in (
        replace(told, authorized_keys=()),
        replace(told, hosts=told.hosts[:1]),
        replace(told, hosts=(replace(told.hosts[0], machine=f"local-{rng.randint(3, 9)}"), told.hosts[1])),
        replace(told, hosts=(replace(told.hosts[0], aliases=("x",)), told.hosts[1])),
        replace(told, hosts=(replace(told.hosts[0], name="x"), told.hosts[1])),
        replace(told, hosts=(replace(told.hosts[0], role="x"), told.hosts[1])),
    ):
        digests.add(changed.digest)
    assert len(digests) == 7
