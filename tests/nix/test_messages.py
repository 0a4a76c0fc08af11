"""What the seed says of mistakes: role, option, place, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nix.evaluation import EvaluationError, evaluate, message, role

TOPLEVEL = "config.system.build.toplevel.drvPath"


def said(tmp_path: Path, configuration: str, attribute: str = TOPLEVEL) -> str:
    """The message for a composition's role in a file, with the file's place taken off."""
    file = tmp_path / "composition.nix"
    file.write_text(configuration)
    return message(role(f"import {file}", attribute)).replace(f"{tmp_path}/", "")


def test_an_unknown_option_is_named_with_role_place_and_the_nearest_name(tmp_path: Path) -> None:
    assert said(tmp_path, "{ ... }:\n{\n  services.ngnix.enable = true;\n}").startswith(
        'error: nxc: role "server": the option services.ngnix does not exist;'
        " did you mean services.nginx? (composition.nix:3:3)"
    )


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (
            "{ networking.firewall.allowedTcpPorts = [ 80 ]; }",
            "did you mean networking.firewall.allowedTCPPorts?",
        ),
        ("{ environment.systemPackage = [ ]; }", "did you mean environment.systemPackages?"),
        ("{ systemPackages = [ ]; }", "did you mean environment.systemPackages?"),
        ("{ service.nginx.enable = true; }", "did you mean services?"),
        ("{ users.users.alice.isNormaluser = true; }", "did you mean users.users.alice.isNormalUser?"),
        ("{ systemd.services.a.wantedby = [ ]; }", "did you mean systemd.services.a.wantedBy?"),
        (
            '{ services.nginx = { enable = true; virtualHosts.a.locations."/".rot = "/"; }; }',
            '.locations."/".root?',
        ),
        ('{ environment.etc.motd.txt = ""; }', "did you mean environment.etc.motd.text?"),
        ("{ zzz = 1; }", "there are assertions, boot,"),
        ("{ networking.zzz = 1; }", "networking has "),
    ],
)
def test_the_nearest_name(tmp_path: Path, configuration: str, expected: str) -> None:
    text = said(tmp_path, configuration)
    assert expected in text
    assert "composition.nix:1:" in text


def test_several_unknown_options_are_told_at_once(tmp_path: Path) -> None:
    text = said(tmp_path, "{\n  services.ngnix.enable = true;\n  boot.kernelModule = [ ];\n}")
    assert "services.ngnix" in text
    assert "boot.kernelModule does not exist" in text
    assert "composition.nix:3:3" in text


@pytest.mark.parametrize(
    "configuration",
    [
        "{ services.k3s.enable = true; }",
        "{ virtualisation.docker.enable = true; }",
        "{ programs.git.enable = true; }",
        "{ systemd.timers.a = { }; }",
        "{ networking.nat.enable = true; }",
        "{ security.acme.acceptTerms = true; }",
    ],
)
def test_an_option_of_nixos_that_the_seed_lacks(tmp_path: Path, configuration: str) -> None:
    assert "the seed has no such option; with packageSource nixpkgs it exists" in said(
        tmp_path, configuration
    )


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (
            '{ services.nginx.enable = "true"; }',
            'type boolean; found the string "true" (composition.nix:1:3); write true without quotes',
        ),
        (
            '{ networking.firewall.allowedTCPPorts = [ 80 "443" ]; }',
            'found the string "443" (composition.nix:1:3); write 443 without quotes',
        ),
        ("{ networking.firewall.allowedTCPPorts = 80; }", "list of 16 bit unsigned integer"),
        ("{ networking.firewall.allowedTCPPorts = [ 70000 ]; }", "found the number 70000"),
        ("{ pkgs, ... }: { environment.systemPackages = pkgs.busybox; }", "found the package busybox"),
        (
            '{ environment.systemPackages = [ "curl" ]; }',
            'element 1 of environment.systemPackages must be a value of type package; found the string "curl"',
        ),
        (
            '{ services.nfs.server = { enable = true; exports = [ "/srv" ]; }; }',
            "it is one string, not a list: write the lines between ''",
        ),
        ("{ environment.variables.A = { }; }", "found an empty set"),
        ("{ networking = 3; }", "networking is a set of options ("),
        (
            "{ systemd.services.a = 3; }",
            "systemd.services.a must be a value of type submodule; found the number 3",
        ),
        ("{ time.timeZone = 1; }", 'write it in quotes: "1"'),
        ('{ boot.kernelModules = "nfs"; }', "a list is written [ … ], also with one element"),
    ],
)
def test_a_wrong_type_says_what_is_expected_found_and_where(
    tmp_path: Path, configuration: str, expected: str
) -> None:
    text = said(tmp_path, configuration, f"[ {TOPLEVEL} build.openPorts ]")
    assert expected in text
    assert 'nxc: role "server": ' in text
    assert "composition.nix:1:" in text


def test_a_conflict_lists_both_places(tmp_path: Path) -> None:
    text = said(
        tmp_path,
        '{ imports = [\n  { networking.domain = "a"; }\n  { networking.domain = "b"; }\n]; }',
        "config.networking.domain",
    )
    assert 'role "server": networking.domain has conflicting definitions:' in text
    assert '- the string "a" (composition.nix:2:5)' in text
    assert '- the string "b" (composition.nix:3:5)' in text
    assert "lib.mkForce" in text


def test_failed_assertions_are_told_all_at_once(tmp_path: Path) -> None:
    text = said(
        tmp_path,
        """{
          assertions = [
            { assertion = false; message = "first"; }
            { assertion = true; message = "holds"; }
            { assertion = false; message = "second"; }
          ];
        }""",
    )
    assert text.startswith('error: nxc: role "server": failed assertions:')
    assert "- first" in text
    assert "- second" in text
    assert "holds" not in text


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (
            "{ users.users.a.isNormalUser = true; users.users.a.isSystemUser = true; }",
            "exactly one of users.users.a.isSystemUser and users.users.a.isNormalUser must be true",
        ),
        (
            "{ users.users.a.isSystemUser = true; }",
            "users.users.a.group is not set; give it a group of its own",
        ),
        ('{ users.users.a = { isNormalUser = true; group = "b"; }; }', "users.groups.b = { }; makes it"),
        (
            "{ users.users = { a = { isNormalUser = true; uid = 7; }; b = { isNormalUser = true; uid = 7; }; }; }",
            "the users a and b have the same number 7",
        ),
        ('{ systemd.services.a.serviceConfig.User = "b"; }', "there is no such user; users.users.b makes it"),
        ('{ systemd.services.a.serviceConfig.ExecStrat = "/x"; }', "did you mean ExecStart?"),
        ('{ systemd.services.a.unitConfig.ConditionPathExist = "/x"; }', "did you mean ConditionPathExists?"),
        ('{ systemd.services.a.serviceConfig.RootDirectory = "/x"; }', "the seed changes no root"),
        ('{ systemd.services.a.startAt = "daily"; }', "the seed has no timers"),
        ('{ systemd.services."a@" = { }; }', "the seed has no templates"),
        ('{ fileSystems."/d" = { device = "/dev/vda"; fsType = "xfs"; }; }', "the seed mounts tmpfs"),
        ('{ systemd.tmpfiles.rules = [ "/tmp/x" ]; }', "is no line of tmpfiles.d"),
        (
            "{ services.nginx = { enable = true; virtualHosts.a.forceSSL = true; }; }",
            "set sslCertificate and sslCertificateKey",
        ),
        ("{ services.slurm.dbdserver.enable = true; }", "the seed has no accounting database"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, configuration: str, expected: str) -> None:
    text = said(tmp_path, configuration)
    assert 'nxc: role "server": failed assertion:' in text
    assert expected in text


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (
            '{ systemd.services.a.serviceConfig = { ExecStart = "/x"; RestartSec = "soon"; }; }',
            "RestartSec is no span of time",
        ),
        (
            '{ systemd.services.a.serviceConfig = { ExecStart = "/x"; Type = "simpel"; }; }',
            "serviceConfig.Type is one of simple,",
        ),
        ('{ systemd.services.a.serviceConfig.ExecStart = "/x %y"; }', "the specifier %y is not known"),
    ],
)
def test_directives_that_mean_nothing(tmp_path: Path, configuration: str, expected: str) -> None:
    assert expected in said(tmp_path, configuration, "build.units")


def test_a_module_without_a_value_it_wants_says_which(tmp_path: Path) -> None:
    text = said(tmp_path, "{ lib, ... }: { options.a = lib.mkOption { type = lib.types.int; }; }", "config.a")
    assert 'role "server": a is used but has no value' in text


def test_an_argument_that_nobody_gives_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    text = said(tmp_path, "{ pkg, ... }: { environment.systemPackages = [ pkg.curl ]; }")
    assert "a module wants the argument `pkg`, which nobody gives (composition.nix)" in text
    assert "pkgs" in text


def test_options_beside_config_are_pointed_at(tmp_path: Path) -> None:
    text = said(tmp_path, "{\n  config = { };\n  services.nginx.enable = true;\n}")
    assert "services stands beside it (composition.nix:3:3); move it to config.services" in text


def test_an_imported_file_is_named_where_the_mistake_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "web.nix").write_text("{\n  services.nginx.enabled = true;\n}\n")
    text = said(tmp_path, "{ imports = [ ./web.nix ]; }")
    assert "services.nginx.enabled does not exist; did you mean services.nginx.enable? (web.nix:2:3)" in text


def test_the_store_is_no_part_of_a_place() -> None:
    expression = f"""
      let blame = (import {Path(__file__).parents[2]}/nix/seed/lib).blame; in
      map blame.readable [
        "/nix/store/00000000000000000000000000000000-source/a/composition.nix"
        "/nix/store/00000000000000000000000000000000-composition.nix"
        "/var/lib/nxc/nix/store/00000000000000000000000000000000-source/b.nix"
        "/home/a.nix"
      ]"""
    assert evaluate(expression)[0] == ["a/composition.nix", "composition.nix", "b.nix", "/home/a.nix"]


def test_infinite_recursion_is_told_as_nix_tells_it(tmp_path: Path) -> None:
    text = said(
        tmp_path,
        "{ config, ... }: { networking.domain = config.networking.domain; }",
        "config.networking.domain",
    )
    assert "infinite recursion" in text


def test_warnings_name_the_role() -> None:
    _, warnings = evaluate(role('{ warnings = [ "mind the gap" ]; }', TOPLEVEL))
    assert warnings == ['nxc-warning: role "server": mind the gap']


def test_nothing_is_warned_about_without_reason() -> None:
    assert evaluate(role("{ }", TOPLEVEL))[1] == []


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ('{ users.users.root.password = "x"; }', "no image carries a password"),
        ("{ services.nginx.enable = true; }", "it answers on no port"),
        ("{ services.openssh.settings.PasswordAuthentication = true; }", "nobody logs in by password"),
        ("{ nxc.root-sshKeys.enable = true; }", "no image carries a key"),
        ("{ security.sudo.enable = true; }", "the seed has no sudo"),
        (
            "{ services.redis.enable = true; }",
            "services.redis.enable has been renamed to services.redis.servers",
        ),
    ],
)
def test_what_has_no_effect_is_warned_about(configuration: str, expected: str) -> None:
    (warning,) = evaluate(role(configuration, TOPLEVEL))[1]
    assert expected in warning


def test_roles_without_mistakes_do_not_fail() -> None:
    try:
        evaluate(role("{ }", TOPLEVEL))
    except EvaluationError as error:
        pytest.fail(str(error))
