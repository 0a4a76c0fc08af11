"""What a flavour cannot honour is said for what the composition itself says, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compositions.catalogue import SEED
from tests.compositions.conftest import Compose
from tests.compositions.evaluation import Nix

KERNEL = """{ pkgs, ... }: {
  roles = {
    server = {
      boot.kernelModules = [ "nfsd" ];
      boot.kernel.sysctl."vm.swappiness" = 1;
      boot.kernelParams = [ ];
    };
    client = { imports = [ ./client.nix ]; };
    plain = { services.nginx.enable = true; };
  };
  dockerPorts.server = [ "8080:80" ];
  extraVolumes = [ "/data:/data" ];
}"""
CLIENT = (
    '{ pkgs, ... }: { boot.kernelModules = [ "nfs" ]; boot.kernelPackages = pkgs.linuxPackages_generic; }'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "composition.nix").write_text(KERNEL)
    (tmp_path / "client.nix").write_text(CLIENT)
    return tmp_path


def test_containers_have_no_kernel_of_their_own(nix: Nix, folder: Path) -> None:
    assert nix.compose(folder, package_source=SEED, flavour="docker")["limitations"] == [
        "boot.kernelPackages (role client): the kernel is the host's",
        "boot.kernelModules (roles client, server): modules are loaded by the host alone",
        "boot.kernel.sysctl (role server): settings of the kernel are the host's; a container may change few or none",
    ]


def test_machines_have_no_ports_and_volumes_of_a_host(nix: Nix, folder: Path) -> None:
    assert nix.compose(folder, package_source=SEED, flavour="vm-ramdisk")["limitations"] == [
        "dockerPorts (role server): only containers have ports on their host; reach nodes by SSH",
        "extraVolumes (roles client, plain, server): only containers mount volumes",
    ]


def test_of_many_roles_the_first_are_named(compose: Compose) -> None:
    roles = " ".join(f"r{n} = {{ }};" for n in range(9))
    ports = " ".join(f'r{n} = [ "1:1" ];' for n in range(9))
    found = compose(f"{{ roles = {{ {roles} }}; dockerPorts = {{ {ports} }}; }}")["limitations"]
    (said,) = found
    assert said.startswith("dockerPorts (roles r0, r1, r2, r3, r4 and 4 more): only containers")


@pytest.mark.parametrize("flavour", ["vm-ramdisk", "docker"])
def test_a_composition_that_asks_for_nothing_special_has_none(nix: Nix, tmp_path: Path, flavour: str) -> None:
    (tmp_path / "composition.nix").write_text("{ roles.server = { services.nginx.enable = true; }; }")
    assert nix.compose(tmp_path, package_source=SEED, flavour=flavour)["limitations"] == []
