from __future__ import annotations

import base64
from typing import Any

import pytest

from controller.driver.target import Identity, Target
from controller.kube.api import NotFound
from controller.model.closure import KEY, Closure
from controller.model.errors import NxcError
from controller.model.kinds import Kind
from controller.plugin import transposition
from controller.plugin.access import Access
from controller.plugin.run import Ended
from controller.plugin.transposition import SERVICES, composition, deployment_side, flavour_side, transpose

IMAGE = "sha256:" + "1" * 64
CURL = "/nix/store/" + "a" * 32 + "-curl-8.5.0"


def web(**spec: Any) -> dict[str, Any]:
    base = {
        "compositionRef": {"name": "site"},
        "flavour": "vm-ramdisk",
        "roles": [{"name": "server", "count": 1}],
    }
    conditions = [{"type": "ImageReady", "status": "True", "reason": "Built", "observedGeneration": 1}]
    return {
        "metadata": {"name": "web", "namespace": "lab", "uid": "u", "generation": 1},
        "spec": base | spec,
        "status": {"observedGeneration": 1, "image": IMAGE, "conditions": conditions},
    }


def site(**images: dict[str, Any]) -> dict[str, Any]:
    found = [
        {"flavour": name.replace("_", "-"), "state": "Ready", "image": IMAGE, **image}
        for name, image in images.items()
    ]
    return {"metadata": {"name": "site", "namespace": "lab"}, "spec": {}, "status": {"images": found}}


def told(flavour: str) -> dict[str, Any]:
    packed = Closure(flavour, {CURL: 7}, {"server": frozenset({CURL})}).packed()
    return {"binaryData": {KEY: base64.b64encode(packed).decode()}}


class Server:
    """An API server with objects by kind and name, and a controller that stalls with `refusal`."""

    def __init__(self, refusal: str = "", **objects: Any) -> None:
        self.objects = {tuple(name.split("_", 1)): obj for name, obj in objects.items()}
        self.refusal = refusal

    async def get(self, kind: Kind, namespace: str, name: str) -> Any:
        try:
            return self.objects[kind.plural, name.replace("-", "").replace(".", "")]
        except KeyError:
            raise NotFound(404, "NotFound", name) from None

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Any) -> Any:
        return self._changed(self.objects[kind.plural, name], patch["spec"])

    async def create(self, kind: Kind, obj: Any) -> Any:
        self.objects[kind.plural, obj["metadata"]["name"]] = obj
        obj["metadata"]["generation"] = 0
        return self._changed(obj, {})

    def _changed(self, obj: Any, spec: Any) -> Any:
        merged = {key: value for key, value in (obj["spec"] | spec).items() if value is not None}
        obj["spec"] = merged
        obj["metadata"]["generation"] += 1
        stalled = (
            [{"type": "Stalled", "status": "True", "reason": "No", "message": self.refusal}]
            if self.refusal
            else []
        )
        obj["status"] = {"observedGeneration": obj["metadata"]["generation"], "conditions": stalled}
        return obj


class Said(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


async def move(
    server: Server, to: str = "docker", *, copy_as: str = "", testbed: str | None = None
) -> tuple[int, Said]:
    said = Said()
    access = Access(server, "lab")  # type: ignore[arg-type]
    return await transpose(access, "web", to, copy_as=copy_as, testbed=testbed, say=said), said


async def test_a_deployment_moves_by_its_flavour_alone():
    server = Server(deployments_web=web(), compositions_site=site(docker={}))
    code, said = await move(server)
    assert code == 0
    assert server.objects["deployments", "web"]["spec"] == web(flavour="docker")["spec"]
    assert said == ["nxd/web moves: kubectl nxc status web --watch"]


async def test_a_copy_has_the_same_spec_and_leaves_the_first():
    given = web(authorizedKeys=["ssh-ed25519 AAAA me"], machines=["local-1"])
    server = Server(deployments_web=given, compositions_site=site(docker={}))
    code, _ = await move(server, copy_as="box")
    assert code == 0
    spec = server.objects["deployments", "box"]["spec"]
    assert spec == web(flavour="docker", authorizedKeys=["ssh-ed25519 AAAA me"])["spec"]
    assert server.objects["deployments", "web"]["spec"]["flavour"] == "vm-ramdisk"
    assert given["spec"]["machines"] == ["local-1"]


async def test_what_the_flavour_cannot_honour_is_said_before_it_moves():
    limits = ["role server: boot.kernelModules"]
    server = Server(
        deployments_web=web(kernelParameters=["quiet"], update={"policy": "OnRequest"}),
        compositions_site=site(docker={"limitations": limits}),
    )
    _, said = await move(server)
    assert said[0] == "warning: docker cannot honour: role server: boot.kernelModules"
    assert said[1].startswith("warning: spec.kernelParameters has no effect")
    assert "nodes stay until kubectl annotate nxd/web nxc.dev/requestedAt=" in said[2]


async def test_an_image_that_is_not_built_is_said():
    server = Server(deployments_web=web(), compositions_site=site(vm_ramdisk={}))
    _, said = await move(server)
    assert said[0].startswith("warning: the image for docker is not built yet")


async def test_a_testbed_that_does_not_serve_the_flavour_is_refused_and_nothing_is_changed():
    beds = {"testbeds_local": {"spec": {"flavours": ["vm-ramdisk"]}}, "testbeds_box": {"spec": {}}}
    server = Server(
        deployments_web=web(testbedRef={"name": "local"}), compositions_site=site(docker={}), **beds
    )
    with pytest.raises(NxcError) as caught:
        await move(server)
    assert (
        "testbed 'local' does not serve flavour 'docker' (only: vm-ramdisk): name another with --testbed NAME"
        in (caught.value.message)
    )
    assert server.objects["deployments", "web"]["spec"]["flavour"] == "vm-ramdisk"
    with pytest.raises(NxcError, match="there is no testbed 'nosuch'"):
        await move(server, testbed="nosuch")
    assert (await move(server, testbed="box"))[0] == 0
    assert server.objects["deployments", "web"]["spec"]["testbedRef"] == {"name": "box"}
    assert (await move(server, testbed=""))[0] == 0
    assert "testbedRef" not in server.objects["deployments", "web"]["spec"]


async def test_what_the_controller_refuses_is_told_with_what_to_do():
    server = Server(
        "spec.testbedRef: testbed 'local' does not serve it", deployments_web=web(), compositions_site=site()
    )
    code, said = await move(server)
    assert code == 1
    assert said[-2:] == [
        "nxd/web is refused, and what runs is left as it is: spec.testbedRef: testbed 'local' does not serve it",
        "name another testbed with --testbed NAME, or --testbed '' for the default one of the flavour",
    ]


async def test_it_is_there_already():
    server = Server(deployments_web=web(), compositions_site=site())
    assert await move(server, "vm-ramdisk") == (0, ["nxd/web is vm-ramdisk already"])


async def test_two_flavours_of_a_composition():
    server = Server(
        compositions_site=site(docker={}, g5k={"state": "Building"}),
        configmaps_sitedocker1111111111111111=told("docker"),
    )
    access = Access(server, "lab")  # type: ignore[arg-type]
    of = await composition(access, "site")
    assert (await flavour_side(access, of, "docker")).closure.sizes == {CURL: 7}
    for flavour, said in (
        ("vm", "has no image for flavour 'vm' (only: docker, g5k)"),
        ("g5k", "for g5k is Building"),
    ):
        with pytest.raises(NxcError) as caught:
            await flavour_side(access, of, flavour)
        assert said in caught.value.message
    with pytest.raises(NxcError, match="there is no nxcomp 'x'"):
        await composition(access, "x")


async def test_a_closure_that_is_not_told():
    server = Server(deployments_web=web(), compositions_site=site())
    access = Access(server, "lab")  # type: ignore[arg-type]
    with pytest.raises(NxcError, match=r"ConfigMap lab/site\.vm-ramdisk\.1{16} is not there"):
        await deployment_side(access, "web", look=False, user="root", say=Said(), via="")


async def test_services_are_named_by_role_and_what_a_node_makes_up_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
):
    async def on_all(targets: Any, identity: Any, command: str, **rest: Any) -> list[Ended]:
        assert command == SERVICES
        for line in ("nginx.service loaded active running x", "\x1b[2J.service", "", "sshd.service"):
            rest["say"](targets[0], False, line)
        return [Ended("server", 0), Ended("client", 255, "no SSH session")]

    monkeypatch.setattr(transposition, "on_all", on_all)
    target = Target("lab", "web", "server", "server", "127.0.0.1", 22, "")
    said = Said()
    found = await transposition.running([target], Identity("root", key=""), say=said)
    assert found == {"server": {"nginx", "sshd"}}
    assert said == ["services of client are not known: no SSH session"]
