from __future__ import annotations

import base64
import socket
from pathlib import Path
from typing import Any

import pytest

from controller.driver.target import Target
from controller.kube.api import Forbidden, Listing, NotFound
from controller.model.errors import NxcError
from controller.model.kinds import Kind
from controller.plugin.access import Access
from controller.plugin.test import _script
from tests.unit.plan.make import deployment


class Objects:
    """An API server with a few objects; `Forbidden` stands for what may not be read."""

    def __init__(self, **objects: Any) -> None:
        self.objects = objects

    async def get(self, kind: Kind, namespace: str, name: str) -> Any:
        found = self.objects.get(f"{kind.plural}_{name.replace('-', '_')}")
        if found is None:
            raise NotFound(404, "NotFound", f"{name} not found")
        if found is Forbidden:
            raise Forbidden(403, "Forbidden", "no")
        return found

    async def list(self, kind: Kind, *, namespace: str = "") -> Listing:
        items = [obj for name, obj in self.objects.items() if name.startswith(f"{kind.plural}_")]
        return Listing(tuple(items), "1")


def access(**objects: Any) -> Access:
    return Access(Objects(**objects), "lab")  # type: ignore[arg-type]


async def refused(work: Any) -> str:
    with pytest.raises(NxcError) as error:
        await work
    return error.value.message


async def test_a_deployment_that_is_not_there_is_answered_with_those_that_are():
    lab = access(
        deployments_web={"metadata": {"name": "web"}}, deployments_web2={"metadata": {"name": "web2"}}
    )
    said = await refused(lab.deployment("wbe"))
    assert "there is no nxd 'wbe' in namespace 'lab'; there are: web, web2" in said


async def test_a_viewer_is_told_of_a_key_of_their_own():
    said = await refused(access(secrets_web_ssh=Forbidden).identity("web", user="root", file=None))
    assert "Secret lab/web-ssh" in said
    assert "role edit in namespace lab" in said
    assert "spec.authorizedKeys of nxd/web" in said
    assert "--identity FILE" in said


async def test_a_key_of_ones_own_needs_no_secret(tmp_path: Path):
    mine = tmp_path / "id"
    mine.write_text("key")
    assert (await access().identity("web", user="me", file=mine)).file == mine
    assert "there is no file" in await refused(access().identity("web", user="me", file=tmp_path / "no"))


async def test_the_deployments_key_comes_from_its_secret():
    encoded = base64.b64encode(b"PEM").decode()
    lab = access(secrets_web_ssh={"data": {"ssh-privatekey": encoded}})
    assert (await lab.identity("web", user="root", file=None)).key == "PEM"
    assert "has no key" in await refused(access(secrets_web_ssh={}).identity("web", user="root", file=None))
    assert "there is no Secret" in await refused(access().identity("web", user="root", file=None))


async def test_nodes_on_the_controllers_host_are_not_looked_for_here():
    nxd = deployment(status={"testbed": "local"})
    target = Target("lab", "web", "r", "alice", "127.0.0.1", 1, "ssh-ed25519 A")
    elsewhere = access(testbeds_local={"spec": {"host": "headnode"}})
    said = await refused(elsewhere.look_around(nxd, [target], via=""))
    assert "answer on the controller's host headnode alone" in said
    assert "--via headnode" in said
    await elsewhere.look_around(nxd, [target], via="headnode")
    await access(testbeds_local={"spec": {"host": socket.gethostname()}}).look_around(nxd, [target], via="")
    await access(testbeds_local=Forbidden).look_around(nxd, [target], via="")


def composed(**image: Any) -> dict[str, Any]:
    entry = {"flavour": "simulated", "state": "Ready", "image": "sha256:a", **image}
    return {"metadata": {"name": "web"}, "spec": {"source": {}}, "status": {"images": [entry]}}


async def test_the_test_script_is_that_of_the_flavours_image():
    nxd = deployment(status={"image": "sha256:a"})
    text, origin = await _script(access(compositions_web=composed(testScript="x = 1")), nxd, None)
    assert (text, origin) == ("x = 1", "the test script of composition web")


@pytest.mark.parametrize(
    ("objects", "says"),
    [
        ({}, "made from composition 'web', which is not there"),
        ({"compositions_web": composed(state="Building", progress="1/2")}, "is Building"),
        ({"compositions_web": composed()}, "has no testScript"),
        ({"compositions_web": composed(image="sha256:b", testScript="x")}, "has changed since nxd/web"),
    ],
)
async def test_where_there_is_no_script_it_says_why(objects: dict[str, Any], says: str):
    assert says in await refused(_script(access(**objects), deployment(status={"image": "sha256:a"}), None))


async def test_a_script_from_a_file_needs_no_composition(tmp_path: Path):
    file = tmp_path / "t.py"
    file.write_text("y = 2")
    assert (await _script(access(), deployment(), file))[0] == "y = 2"
    assert "cannot be read" in await refused(_script(access(), deployment(), tmp_path / "none"))
