"""What backends are told of a deployment."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from controller.model.errors import NxcError
from tests.unit.reconcile.office import OWNER, SERVER, Office


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
