"""What an image wants of a testbed's host is refused before a node is made; and only where that can be told."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from controller.flavours.docker import DOCKER
from controller.flavours.vm_ramdisk import VM_RAMDISK
from controller.model.errors import NxcError
from controller.model.manifest import Manifest, RoleSystem
from controller.plan.testbed import Refusal
from controller.reconcile.backends import Backends
from controller.runtime.store import Store
from tests.unit.plan.make import make_testbed

PATH = "/nix/store/00000000000000000000000000000000-system"
MANIFEST = Manifest(
    *("docker", "x86_64-linux"),
    {role: RoleSystem(PATH, f"{PATH}/init") for role in ("server", "client")},
    frozenset({PATH}),
    extra_volumes={"server": ("/srv/lab:/srv",)},
)
WHERE = {"kind": "docker"}


class Shelf:
    """Has one image, or trouble."""

    def __init__(self, trouble: NxcError | None = None) -> None:
        self.trouble = trouble

    async def image(self, digest: str) -> Any:
        if self.trouble is not None:
            raise self.trouble
        return SimpleNamespace(manifest=MANIFEST) if digest == "sha256:a" else None


def backends(shelf: Shelf) -> Backends:
    return Backends(
        {flavour.name: flavour for flavour in (DOCKER, VM_RAMDISK)},
        Store(),
        installation="inst",
        host="here",
        wake=lambda key: None,
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        images=cast("Any", shelf),
    )


async def test_a_role_that_wants_more_than_the_testbed_grants_is_refused_by_name() -> None:
    asked = backends(Shelf())
    refused = await asked.refusal("docker", make_testbed(**WHERE), "sha256:a", {"server", "client"})
    assert isinstance(refused, Refusal)
    assert refused.reason == "VolumeRefused"
    assert "'/srv/lab:/srv'" in refused.message
    granting = make_testbed(**WHERE, allowedHostPaths=["/srv/lab"])
    assert await asked.refusal("docker", granting, "sha256:a", {"server"}) is None
    assert await asked.refusal("docker", make_testbed(**WHERE), "sha256:a", {"client"}) is None


async def test_where_it_cannot_be_told_nothing_is_refused() -> None:
    bed = make_testbed(**WHERE)
    assert await backends(Shelf()).refusal("vm-ramdisk", bed, "sha256:a", {"server"}) is None
    assert await backends(Shelf()).refusal("docker", bed, "sha256:gone", {"server"}) is None
    trouble = Shelf(NxcError("BuilderNotReady", "in a moment"))
    assert await backends(trouble).refusal("docker", bed, "sha256:a", {"server"}) is None
