"""Projects of nixos-compose as they stand: their flake.nix is the entry, and nothing of its inputs is fetched."""

from __future__ import annotations

import pytest

from tests.compositions.conftest import Compose
from tests.compositions.evaluation import Refused

FLAKE = """{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/23.05";
  inputs.compose.url = "git+https://git.example/nixos-compose.git";
  inputs.other.url = "github:example/other";
  outputs = { self, nixpkgs, compose, other }: {
    packages.x86_64-linux = compose.lib.compose {
      inherit nixpkgs;
      system = "x86_64-linux";
      ARGUMENTS
    };
    devShell.x86_64-linux = compose.devShells.x86_64-linux.nxcShell;
  };
}"""
COMPOSITION = """{ pkgs, setup, ... }: {
  roles.server = { };
  testScript = { nodes, ... }: "${pkgs.greeting or "no overlay"} ${toString (nodes.server.everywhere or 0)}";
}"""


def files(arguments: str) -> dict[str, str]:
    return {"flake.nix": FLAKE.replace("ARGUMENTS", arguments), "composition.nix": COMPOSITION}


def test_composition_overlays_and_configurations_are_taken_from_the_call(compose: Compose) -> None:
    evaluated = compose(
        files(
            """composition = ./composition.nix;
               overlays = [ (final: prev: { greeting = "hello"; }) ];
               extraConfigurations = [ { everywhere = 7; } ];"""
        ),
        entry="flake.nix",
    )
    assert evaluated["testScript"] == "hello 7"


def test_several_compositions_and_a_custom_flavour(compose: Compose) -> None:
    arguments = """compositions = { a = ./composition.nix; b = import ./composition.nix; };
      flavour = { name = "mine"; image.type = "ramdisk"; module.everywhere = 3; };"""
    evaluated = compose(files(arguments), entry="flake.nix", select="b", flavour="mine")
    assert evaluated["compositions"] == ["a", "b"]
    assert evaluated["testScript"] == "no overlay 3"


def test_the_setup_is_the_file_that_the_call_names(compose: Compose) -> None:
    project = files(
        "composition = { setup, ... }: { roles.a = { }; testScript = setup.params.x; }; setup = ./my.toml;"
    )
    project["my.toml"] = '[params]\nx = "mine"\n'
    project["setup.toml"] = '[params]\nx = "not named"\n'
    assert compose(project, entry="flake.nix")["testScript"] == "mine"


REFUSED = {
    "another input": (
        "composition = ./composition.nix; extraConfigurations = [ other.nixosModules.default ];",
        "flake.nix: the composition needs the flake's input `other`, which is not fetched here",
    ),
    "nothing given": ("", "flake.nix: nxc.lib.compose is given neither `composition` nor `compositions`"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_flake_lacks_is_named(compose: Compose, arguments: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        compose(files(arguments), entry="flake.nix")
    assert message in str(refused.value)


def test_a_flake_of_something_else_is_refused(compose: Compose) -> None:
    with pytest.raises(Refused, match=r"is not made by nxc\.lib\.compose"):
        compose(
            {"flake.nix": "{ outputs = { self }: { packages.x86_64-linux.hello = 1; }; }"}, entry="flake.nix"
        )
