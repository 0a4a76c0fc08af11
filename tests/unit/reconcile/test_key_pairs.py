"""The key pair of a deployment, which is made once."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import asyncssh
import pytest

from controller.model.errors import NxcError, UserError
from controller.model.kinds import DEPLOYMENT
from controller.model.names import secret_name
from controller.reconcile.key_pairs import LOOK_AGAIN, KeyPairs
from tests.unit.reconcile.office import OWNER, Office


async def test_the_key_pair_is_made_once_and_belongs_to_the_deployment() -> None:
    office = Office()
    office.nodes()
    keys = await asyncio.gather(*(office.key_pairs.of(OWNER) for _ in range(5)))
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
    first = await office.key_pairs.of(OWNER)
    again = await KeyPairs(office.desk).of(OWNER)
    assert (again.public, again.private) == (first.public, first.private)
    assert office.api.created == 1


async def test_the_private_key_is_not_printed() -> None:
    office = Office()
    office.nodes()
    key = await office.key_pairs.of(OWNER)
    assert "PRIVATE" not in repr(key)


async def test_a_secret_of_somebody_else_is_neither_used_nor_replaced() -> None:
    office = Office()
    office.nodes()
    office.api.secrets["web-ssh"] = {"metadata": {"name": "web-ssh"}, "data": {"ssh-privatekey": "eA=="}}
    with pytest.raises(UserError, match="'web-ssh' is not of this Deployment") as raised:
        await office.key_pairs.of(OWNER)
    assert raised.value.reason == "SecretTaken"
    assert office.api.created == 0


async def test_a_secret_that_was_spoilt_is_said_to_be() -> None:
    office = Office()
    office.nodes()
    await office.key_pairs.of(OWNER)
    spoilt = dict(office.api.secrets["web-ssh"])
    spoilt["data"] = {"ssh-privatekey": base64.b64encode(b"nonsense").decode()}
    office.api.secrets["web-ssh"] = spoilt
    with pytest.raises(UserError, match="delete the Secret to have one made"):
        await KeyPairs(office.desk).of(OWNER)


async def test_whoever_is_first_to_make_it_wins() -> None:
    office, other = Office(), Office()
    office.nodes()
    other.nodes()
    key = await other.key_pairs.of(OWNER)
    office.api.loses_race_to = other.api.secrets["web-ssh"]
    assert (await office.key_pairs.of(OWNER)).public == key.public


async def test_an_orphan_keeps_its_key_while_it_is_remembered() -> None:
    office = Office()
    office.nodes()
    key = await office.key_pairs.of(OWNER)
    office.delete()
    assert (await office.key_pairs.of(OWNER)).public == key.public
    with pytest.raises(NxcError, match="went with it"):
        await KeyPairs(office.desk).of(OWNER)


async def test_a_secret_that_was_deleted_comes_back_with_the_key_that_the_nodes_know() -> None:
    office = Office()
    office.nodes()
    key = await office.key_pairs.of(OWNER)
    secret = office.api.secrets.pop("web-ssh")
    await office.key_pairs.keep(OWNER)
    assert office.api.secrets == {}, "it was seen a moment ago"
    office.now += LOOK_AGAIN
    await office.key_pairs.keep(OWNER)
    assert office.api.secrets == {"web-ssh": secret}
    assert await KeyPairs(office.desk).of(OWNER) == key


async def test_a_secret_that_is_there_is_left_as_it_is_and_asked_for_once_in_a_while() -> None:
    office = Office()
    office.nodes()
    await office.key_pairs.of(OWNER)
    before, asked = dict(office.api.secrets), office.api.asked
    for _ in range(10):
        office.now += LOOK_AGAIN / 4
        await office.key_pairs.keep(OWNER)
    assert (office.api.secrets, office.api.created) == (before, 1)
    assert office.api.asked == asked + 2


async def test_no_key_is_made_for_a_deployment_that_never_needed_one_or_is_on_its_way_out() -> None:
    office = Office()
    await office.key_pairs.keep(OWNER)
    await office.key_pairs.of(OWNER)
    office.api.secrets.clear()
    office.now += timedelta(days=1)
    office.put(
        DEPLOYMENT, "web", "uid-web", {}, resourceVersion="2", deletionTimestamp="2026-01-01T12:00:00Z"
    )
    await office.key_pairs.keep(OWNER)
    office.delete()
    await office.key_pairs.keep(OWNER)
    assert (office.api.secrets, office.api.created) == ({}, 1)


async def test_a_key_is_forgotten_with_the_last_node() -> None:
    office = Office()
    await office.key_pairs.of(OWNER)
    office.delete()
    office.key_pairs.forget(OWNER)
    with pytest.raises(NxcError, match="went with it"):
        await office.key_pairs.of(OWNER)
