"""The composition language, on a package source of a few lines: what an author may write, and what comes of it."""

from __future__ import annotations

import pytest
import yaml

from tests.compositions.conftest import Compose
from tests.compositions.evaluation import HERE, Nix, Refused

ROLES = "roles = { server = { a = 1; }; client = { b = 2; }; };"


FORMS = {
    "set": "{ ROLES }",
    "function": "{ pkgs, ... }: { ROLES }",
    "any arguments": "arguments: { ROLES }",
    "all arguments": "{ pkgs, lib, system, modulesPath, helpers, flavour, setup, nur, ... }@all: { ROLES }",
    "no dots": "{ pkgs }: { ROLES }",
    "default": "{ pkgs, colour ? 3 }: { ROLES }",
    "body asks pkgs": "{ pkgs, ... }: pkgs.merged or { ROLES }",
    "nodes": "{ nodes = { server = { a = 1; }; client = { b = 2; }; }; }",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_composition_is_a_set_or_a_function_with_roles_or_nodes(compose: Compose, text: str) -> None:
    evaluated = compose(text.replace("ROLES", ROLES))
    assert evaluated["roles"] == ["client", "server"]
    assert evaluated["drvPath"].endswith(".drv")
    assert evaluated["compositions"] == ["composition"]
    assert not evaluated.warnings


@pytest.mark.parametrize(
    "role",
    [
        "{ answer = 42; }",
        "{ ... }: { answer = 42; }",
        "{ pkgs, lib, config, ... }: { config = { answer = config.other; other = 42; }; }",
        "./role.nix",
        "[ ./role.nix { other = 1; } ]",
        "{ imports = [ ./role.nix ]; }",
    ],
    ids=["set", "function", "module", "path", "list", "imports"],
)
def test_a_role_is_whatever_a_nixos_configuration_is(compose: Compose, role: str) -> None:
    files = {
        "composition.nix": f"{{ roles.server = {role}; testScript = {{ nodes, ... }}: toString nodes.server.answer; }}",
        "role.nix": "{ ... }: { answer = 42; }",
    }
    assert compose(files)["testScript"] == "42"


def test_roles_see_each_other_the_flavour_and_the_setup(compose: Compose) -> None:
    evaluated = compose(
        """{
          roles.server = { flavour, ... }: { a = flavour.name; };
          roles.client = { nodes, setup, ... }: { b = nodes.server.a + setup.params.x; };
          testScript = { nodes, ... }: nodes.client.b;
        }""",
        parameters={"x": "!"},
    )
    assert evaluated["testScript"] == "vm-ramdisk!"


def test_helpers_make_many_roles(compose: Compose) -> None:
    evaluated = compose(
        """{ helpers, ... }: {
          roles = { head = { }; }
            // helpers.makeMany { same = true; } "node" 3
            // helpers.makeManyById (id: { number = id; }) "disk" 2;
          testScript = { nodes, ... }: toString nodes.disk2.number;
        }"""
    )
    assert evaluated["roles"] == ["disk1", "disk2", "head", "node1", "node2", "node3"]
    assert evaluated["testScript"] == "2"


def test_the_flavour_decides_what_a_composition_holds(compose: Compose) -> None:
    text = """{ flavour, ... }: {
      roles = { server = { }; } // (if flavour.name == "docker" then { } else { router = { }; });
      testScript = toString (flavour.image ? distribution);
    }"""
    assert compose(text, flavour="vm-ramdisk")["roles"] == ["router", "server"]
    assert compose(text, flavour="docker")["roles"] == ["server"]
    assert compose(text, flavour="docker")["testScript"] == ""


def test_test_scripts_distribution_ports_and_volumes_reach_the_manifest(nix: Nix, compose: Compose) -> None:
    evaluated = compose(
        """{
          roles = { server = { }; client = { }; };
          testScript = "server.succeed('true')";
          rolesDistribution = { server = 1; client = [ "alice" "bob" ]; };
          dockerPorts.server = [ "8080:80" 443 ];
          extraVolumes = [ "/data:/data" ];
        }""",
        flavour="docker",
    )
    assert evaluated["rolesDistribution"] == {"server": 1, "client": ["alice", "bob"]}
    derivation = nix.physical(evaluated["drvPath"]).read_text().replace("\\", "")
    assert '"dockerPorts":{"server":["8080:80","443"]}' in derivation
    assert '"extraVolumes":{"client":["/data:/data"],"server":["/data:/data"]}' in derivation


SEVERAL = {
    "composition.nix": """{
      foo = { pkgs, ... }: { roles.one = { }; };
      bar = import ./bar.nix;
      baz = ./bar.nix;
      set = { roles.two = { }; };
    }""",
    "bar.nix": "{ ... }: { roles.bar = { }; }",
}


def test_a_file_may_hold_several_compositions_of_which_one_is_selected(compose: Compose) -> None:
    assert compose(SEVERAL, select="foo")["roles"] == ["one"]
    assert compose(SEVERAL, select="baz")["roles"] == ["bar"]
    assert compose(SEVERAL, select="set")["compositions"] == ["bar", "baz", "foo", "set"]


def test_one_named_composition_needs_no_selection(compose: Compose) -> None:
    assert compose("{ only = { ... }: { roles.server = { }; }; }")["compositions"] == ["only"]


def test_a_composition_may_bring_overlays_and_configurations_of_its_own(compose: Compose) -> None:
    evaluated = compose(
        """{ pkgs, ... }: {
          overlays = [ (final: prev: { greeting = "hello"; }) (final: prev: { greeting = prev.greeting + "!"; }) ];
          extraConfigurations = [ { everywhere = 7; } ];
          roles.server = { pkgs, ... }: { said = pkgs.greeting; };
          testScript = { nodes, ... }: "${pkgs.greeting} ${nodes.server.said} ${toString nodes.server.everywhere}";
        }"""
    )
    assert evaluated["testScript"] == "hello! hello! 7"


def test_a_custom_flavour_refines_a_shipped_one(compose: Compose) -> None:
    text = """{ flavour, ... }: {
      flavours.debug = { description = "with a debugger"; extends = "docker"; module = { debugger = true; }; };
      roles.server = { };
      testScript = { nodes, ... }:
        "${flavour.name} ${nodes.server.flavoured} ${toString (nodes.server.debugger or false)}";
    }"""
    assert compose(text, flavour="debug")["testScript"] == "debug docker 1"
    assert compose(text, flavour="docker")["testScript"] == "docker docker "


def test_the_same_composition_gives_the_same_derivation_wherever_it_lies(compose: Compose) -> None:
    text = "{ pkgs, ... }: { roles.server = { packages = [ pkgs.hello ]; }; }"
    first = compose({"a/composition.nix": text}, entry="a/composition.nix")
    assert compose({"b/c/composition.nix": text}, entry="b/c/composition.nix")["drvPath"] == first["drvPath"]


REFUSED = yaml.safe_load((HERE / "refused.yaml").read_text())


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_named_with_its_place(compose: Compose, case: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        compose(case["composition"])
    assert str(refused.value).startswith("nxc: ")
    assert case["says"] in str(refused.value)


UNKNOWN: dict[str, tuple[dict[str, str], str]] = {
    "flavour": (
        {"flavour": "vm-ramdsk", "select": "foo"},
        "the flavour `vm-ramdsk` does not exist for the package source `fake`; there are docker, vm-ramdisk;",
    ),
    "composition": (
        {"select": "fo"},
        "`fo` does not exist in composition.nix; there are bar, baz, foo, set; did",
    ),
    "nothing selected": (
        {},
        "has several compositions, bar, baz, foo, set: say with `select` which one is meant",
    ),
    "entry": ({"entry": "main.nix"}, "no file `main.nix`: name the composition's file in spec.source.entry"),
    "entry outside": ({"entry": "../source/composition.nix"}, "must be a path inside the source"),
}


@pytest.mark.parametrize(("request_", "message"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_unknown_names_are_answered_with_those_that_exist(
    compose: Compose, request_: dict[str, str], message: str
) -> None:
    with pytest.raises(Refused) as refused:
        compose(SEVERAL, **request_)
    assert message in str(refused.value)


def test_keys_without_meaning_are_warned_of(compose: Compose) -> None:
    evaluated = compose('{\n  roles.a = { };\n  testscript = "";\n}')
    (warning,) = evaluated.warnings
    assert "`testscript` (composition.nix:3:3) has no meaning in a composition and is ignored" in warning
    assert warning.endswith("did you mean `testScript`?")
