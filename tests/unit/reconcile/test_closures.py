"""What images are made of, told in ConfigMaps: made before they are named, deleted before they are forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.build.image import BuiltImage
from controller.kube.api import AlreadyExists, Forbidden, NotFound
from controller.model.closure import Closure
from controller.model.composition import Composition
from controller.model.kinds import COMPOSITION, Key, Kind
from controller.model.manifest import Manifest, RoleSystem
from controller.reconcile.closures import Closures

KEY = Key(COMPOSITION, "lab", "web")
CURL = "/nix/store/" + "a" * 32 + "-curl-8.5.0"
IMAGE, OLDER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
NAME, OLDER_NAME = "web.docker." + "1" * 16, "web.docker." + "2" * 16


@dataclass
class Api:
    """ConfigMaps by name; `broken` is raised instead of an answer."""

    objects: dict[str, Any] = field(default_factory=dict)
    broken: Exception | None = None

    def _answer(self) -> None:
        if self.broken is not None:
            raise self.broken

    async def create(self, kind: Kind, obj: Any) -> Any:
        self._answer()
        name = obj["metadata"]["name"]
        if name in self.objects:
            raise AlreadyExists(409, "AlreadyExists", name)
        self.objects[name] = obj
        return obj

    async def get(self, kind: Kind, namespace: str, name: str) -> Any:
        self._answer()
        if name not in self.objects:
            raise NotFound(404, "NotFound", name)
        return self.objects[name]

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        del self.objects[name]


class Builder:
    """Has one image."""

    def __init__(self) -> None:
        self.asked = 0

    async def image(self, digest: str) -> BuiltImage | None:
        self.asked += 1
        role = RoleSystem(CURL, f"{CURL}/init", closure=(CURL,))
        manifest = Manifest("docker", "x86_64-linux", {"client": role}, frozenset({CURL}))
        return BuiltImage(digest, manifest, Path("/"), {CURL: 7}) if digest == IMAGE else None


class Stage:
    def __init__(self) -> None:
        self.api, self.builder, self.events = Api(), Builder(), []
        writes = SimpleNamespace(labels=lambda *_: SimpleNamespace(inc=lambda: None))
        desk = SimpleNamespace(
            api=self.api,
            metrics=SimpleNamespace(writes=writes),
            recorder=SimpleNamespace(record=lambda key, uid, reason, *_, **__: self.events.append(reason)),
        )
        self.closures = Closures(desk)  # type: ignore[arg-type]

    async def tend(self, before: dict[str, Any], after: dict[str, Any]) -> bool:
        meta = {"name": "web", "namespace": "lab", "uid": "uid-c"}
        composition = Composition.parse({"metadata": meta, "spec": {}, "status": before})
        return await self.closures.tend(KEY, composition, after, self.builder)  # type: ignore[arg-type]


def status(
    image: str = IMAGE, state: str = "Ready", *, history: tuple[str, ...] = (), **item: Any
) -> dict[str, Any]:
    return {
        "images": [{"flavour": "docker", "state": state, "image": image, **item}],
        "history": [{"flavour": "docker", "image": one} for one in history],
    }


async def test_a_new_image_is_told_before_the_status_names_it():
    stage, after = Stage(), status()
    assert await stage.tend({}, after)
    assert after["images"][0]["closure"] == NAME
    made = stage.api.objects[NAME]
    assert made["immutable"] is True
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-c"
    assert Closure.read(made).sizes == {CURL: 7}


async def test_what_is_told_is_not_told_again():
    stage, after = Stage(), status()
    assert await stage.tend(status(closure=NAME), after)
    assert after["images"][0]["closure"] == NAME
    assert stage.builder.asked == 0


async def test_an_operator_that_died_after_it_was_made_finds_it_there():
    stage, after = Stage(), status()
    await stage.tend({}, status())
    assert await stage.tend({}, after)
    assert after["images"][0]["closure"] == NAME


async def test_somebody_else_s_config_map_is_left_alone():
    stage, after = Stage(), status()
    theirs = {"metadata": {"name": NAME, "uid": "x"}, "data": {"theirs": ""}}
    stage.api.objects[NAME] = theirs
    assert not await stage.tend({}, after)
    assert "closure" not in after["images"][0]
    assert stage.events == ["ClosureNotTold"]
    assert await stage.tend(status(closure=NAME), {})
    assert stage.api.objects[NAME] is theirs


@pytest.mark.parametrize("held", [True, False])
async def test_it_goes_when_the_image_leaves_the_history(held: bool):
    stage = Stage()
    owned = {
        "metadata": {
            "name": OLDER_NAME,
            "uid": "u",
            "ownerReferences": [{"uid": "uid-c", "kind": "Composition", "name": "web"}],
        }
    }
    stage.api.objects[OLDER_NAME] = owned
    await stage.tend(status(history=(OLDER,), closure=NAME), status(history=(OLDER,) if held else ()))
    assert (OLDER_NAME in stage.api.objects) is held


async def test_an_image_that_is_not_here_any_more_and_one_that_is_still_built_have_none():
    stage = Stage()
    for after in (status(OLDER), status("", state="Building"), status(IMAGE, state="Building")):
        assert await stage.tend({}, after)
        assert "closure" not in after["images"][0]
    assert stage.api.objects == {}


async def test_a_composition_is_none_the_worse_for_an_api_that_refuses():
    stage, after = Stage(), status()
    stage.api.broken = Forbidden(403, "Forbidden", "exceeded quota")
    assert not await stage.tend(status(OLDER), after)
    assert stage.events == ["ClosureNotTold"]
    assert after["images"][0]["state"] == "Ready"
