"""Every example, template and listing as whole NixOS systems, for every flavour: instantiated, not built.

It takes a nixpkgs and a Nix that can evaluate it (2.18 or newer), which the seed does not need; so these tests are
skipped where NXC_TEST_NIXPKGS (a folder) and NXC_TEST_NIX (a nix-instantiate) do not name them. See
docs/contributing.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.compositions.catalogue import CASES, FLAVOURS
from tests.compositions.evaluation import HERE, REPOSITORY, Evaluated, Nix, Refused

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nixpkgs() -> Path:
    folder = os.environ.get("NXC_TEST_NIXPKGS")
    if not folder:
        pytest.skip("no nixpkgs: NXC_TEST_NIXPKGS is not set")
    return Path(folder)


@pytest.fixture(scope="module")
def newer_nix(nixpkgs: Path, tmp_path_factory: pytest.TempPathFactory) -> Nix:
    program = os.environ.get("NXC_TEST_NIX")
    if not program:
        pytest.skip("no Nix for nixpkgs: NXC_TEST_NIX is not set")
    return Nix.installed(tmp_path_factory.mktemp("nixpkgs"), program)


def package_source(nixpkgs: Path) -> str:
    return f"import {REPOSITORY}/nix/nixpkgs {{ path = {nixpkgs}; }}"


class Machine:
    """Evaluates small compositions on the nixpkgs under test."""

    def __init__(self, nix: Nix, nixpkgs: Path, folder: Path) -> None:
        self.nix, self.nixpkgs, self.folder = nix, nixpkgs, folder

    def compose(self, text: str, flavour: str = "vm-ramdisk") -> Evaluated:
        (self.folder / "composition.nix").write_text(text)
        return self.nix.compose(self.folder, package_source=package_source(self.nixpkgs), flavour=flavour)

    def look(self, role: str, expression: str, flavour: str = "vm-ramdisk") -> Any:
        """What `expression` says of the `config` of a role; warnings and assertions are not looked at."""
        composed = (
            f"(import {REPOSITORY}/nix/compose.nix {{ source = {package_source(self.nixpkgs)};"
            f' flavour = "{flavour}"; composition = {{ roles.it = {role}; }}; }})'
        )
        value, _ = self.nix.evaluate(f"let config = {composed}.nodes.it.config; in {expression}")
        return value


@pytest.fixture
def machine(newer_nix: Nix, nixpkgs: Path, tmp_path: Path) -> Machine:
    return Machine(newer_nix, nixpkgs, tmp_path)


WHOLE = [
    (name, flavour)
    for name in CASES
    for flavour in (FLAVOURS[:1] if name.startswith("template-") else FLAVOURS)
]


@pytest.mark.parametrize(("name", "flavour"), WHOLE)
def test_it_is_a_whole_nixos(newer_nix: Nix, nixpkgs: Path, tmp_path: Path, name: str, flavour: str) -> None:
    case = CASES[name]
    if (name, flavour) in UNLIKE:
        with pytest.raises(Refused, match=UNLIKE[name, flavour]):
            case.evaluate(newer_nix, package_source(nixpkgs), tmp_path, flavour)
        return
    found = case.evaluate(newer_nix, package_source(nixpkgs), tmp_path, flavour)
    assert found["drvPath"].endswith(f"-nxc-image-{flavour}.drv")
    assert newer_nix.physical(found["drvPath"]).exists()
    assert not case.roles or found["roles"] == list(case.roles)


UNLIKE = {
    ("listing-kernel", "g5k-image"): "an installed image has one kernel, that of role",
}
"""What a flavour cannot do, and what it says."""


def test_roles_share_one_initrd_and_differ_in_their_systems(machine: Machine) -> None:
    evaluated = machine.compose(
        "{ roles = { a = { }; b = { pkgs, ... }: { environment.systemPackages = [ pkgs.hello ]; }; }; }"
    )
    manifest = document(machine.nix, evaluated)
    assert manifest["roles"]["a"]["toplevel"] != manifest["roles"]["b"]["toplevel"]
    assert len(manifest["initrd"]) == 3
    assert "kernel" not in manifest["roles"]["a"]
    assert manifest["kernelParameters"][0] == "init=/nxc/system/init"
    assert not any(parameter.startswith(("root=", "nxc.")) for parameter in manifest["kernelParameters"])


def test_a_role_with_a_kernel_of_its_own_brings_it(machine: Machine) -> None:
    evaluated = machine.compose(
        "{ roles = { a = { }; b = { pkgs, ... }: { boot.kernelPackages = pkgs.linuxPackages_latest; }; }; }"
    )
    manifest = document(machine.nix, evaluated)
    own = manifest["roles"]["b"]
    assert own["kernel"] != manifest["kernel"]
    assert own["initrd"][0] != manifest["initrd"][0]
    assert own["initrd"][1:] == manifest["initrd"][1:]  # the stores are the same


def test_a_changed_role_keeps_what_every_image_has(machine: Machine) -> None:
    first = document(machine.nix, machine.compose("{ roles.a = { }; }"))
    other = document(machine.nix, machine.compose('{ roles.a = { environment.etc.x.text = "y"; }; }'))
    assert first["initrd"][:2] == other["initrd"][:2]
    assert first["initrd"][2] != other["initrd"][2]


def test_nobody_gets_in_by_a_password_and_no_key_is_baked_in(machine: Machine) -> None:
    ssh = machine.look("{ }", "config.services.openssh.settings")
    assert ssh["PermitRootLogin"] == "prohibit-password"
    assert ssh["PasswordAuthentication"] is False
    root = machine.look(
        "{ nxc.root-sshKeys.enable = true; }",
        "with config; { inherit warnings; keys = users.users.root.openssh.authorizedKeys.keys;"
        " password = users.users.root.password; }",
    )
    assert root["keys"] == []
    assert root["password"] is None
    assert any("no key is baked into an image" in warning for warning in root["warnings"])


def test_a_password_in_an_image_is_warned_of_and_silence_is_none(machine: Machine) -> None:
    assert machine.look("{ }", "config.warnings") == []
    (warning,) = machine.look('{ users.users.root.password = "secret"; }', "config.warnings")
    assert warning.startswith("the image carries a password of root")


def test_nothing_of_the_scripted_stage_1_is_used(machine: Machine) -> None:
    initrd = machine.look(
        "{ }",
        "with config.boot.initrd; [ postMountCommands extraUtilsCommands network.postCommands preLVMCommands ]",
    )
    assert initrd == ["", "", "", ""]


@pytest.mark.parametrize(
    "role", ["{ boot.initrd.systemd.enable = false; }", "{ networking.useNetworkd = false; }"]
)
def test_a_role_may_keep_to_the_older_ways(machine: Machine, role: str) -> None:
    assert machine.compose(f"{{ roles.a = {role}; }}")["roles"] == ["a"]


def test_a_role_may_configure_its_own_nixpkgs(machine: Machine) -> None:
    assert machine.look("{ nixpkgs.config.allowUnfree = true; }", "config.nixpkgs.config.allowUnfree") is True


def test_mistakes_name_the_role_and_the_option(machine: Machine) -> None:
    with pytest.raises(Refused, match=r"services\.ngnix' does not exist[\s\S]*composition\.nix, role server"):
        machine.compose("{ roles.server.services.ngnix.enable = true; }")
    with pytest.raises(Refused, match="must be text with one exported folder a line, not a list"):
        machine.compose((HERE / "listings" / "nfs-as-printed.nix").read_text())


def document(nix: Nix, evaluated: Evaluated) -> dict[str, Any]:
    """The manifest as the derivation is given it: what is missing are sizes and the closure."""
    text = nix.physical(evaluated["drvPath"]).read_text()
    quoted = text.split('("document",', 1)[1].split('"),(', 1)[0]
    loaded: dict[str, Any] = json.loads(json.loads(f'{quoted}"'))
    return loaded
