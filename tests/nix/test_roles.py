"""What the run time gets of a role's configuration: accounts, files, network."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.nix.evaluation import SEED, etc, evaluate, lines, role, value_of

# ---- accounts

ACCOUNTS = """{
  users.users = {
    zoe = { isNormalUser = true; extraGroups = [ "wheel" "work" ]; };
    zoe.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA zoe" ];
    alice = { isNormalUser = true; description = "Alice L."; home = "/data/alice"; };
    carl = { isNormalUser = true; uid = 1000; createHome = false; };
    web = { isSystemUser = true; group = "web"; };
    app = { isSystemUser = true; group = "web"; uid = 999; };
    gone = { isNormalUser = true; enable = false; };
  };
  users.groups = { web = { }; work = { gid = 500; members = [ "alice" ]; }; };
}"""


@pytest.fixture(scope="module")
def accounts() -> dict[str, Any]:
    found: dict[str, Any] = value_of(ACCOUNTS, "build.accounts")
    return found


def test_numbers_are_given_or_allotted_by_name(accounts: dict[str, Any]) -> None:
    # NixOS: normal users from 1000 upwards, system users from 999 downwards; numbers that are taken are left out.
    numbers = {line.split(":")[0]: int(line.split(":")[2]) for line in lines(accounts["passwd"])}
    assert numbers == {
        "root": 0, "web": 998, "app": 999, "carl": 1000, "alice": 1001, "zoe": 1002, "nobody": 65534,
    }  # fmt: skip


def test_entries_of_passwd(accounts: dict[str, Any]) -> None:
    shell = "/run/current-system/sw/bin/sh"
    assert f"zoe:x:1002:100::/home/zoe:{shell}" in lines(accounts["passwd"])
    assert f"alice:x:1001:100:Alice L.:/data/alice:{shell}" in lines(accounts["passwd"])
    assert "web:x:998:999::/var/empty:/run/current-system/sw/bin/nologin" in lines(accounts["passwd"])


def test_groups_and_their_members(accounts: dict[str, Any]) -> None:
    assert "wheel:x:1:zoe" in lines(accounts["group"])
    assert "work:x:500:alice,zoe" in lines(accounts["group"])
    assert "users:x:100:" in lines(accounts["group"])


def test_nobody_has_a_password(accounts: dict[str, Any]) -> None:
    assert all(line.split(":")[1] == "*" for line in lines(accounts["shadow"]))


def test_homes_and_keys(accounts: dict[str, Any]) -> None:
    assert {home["path"] for home in accounts["homes"]} == {"/home/zoe", "/data/alice"}
    assert accounts["authorizedKeys"] == {"zoe": ["ssh-ed25519 AAAA zoe"]}


def test_known_services_have_one_number_everywhere() -> None:
    numbers = {
        tuple(sorted(line.split(":")[2] for line in lines(passwd) if line.startswith("munge:")))
        for passwd in (
            value_of("{ services.munge.enable = true; }", "build.accounts.passwd"),
            value_of(
                '{ services.munge.enable = true; users.users.aa = { isSystemUser = true; group = "users"; }; }',
                "build.accounts.passwd",
            ),
        )
    }
    assert numbers == {("391",)}


def test_a_shell_is_a_package_or_a_path() -> None:
    configuration = """{ pkgs, ... }: {
      users.users.a = { isNormalUser = true; shell = pkgs.bash; };
      users.users.b = { isNormalUser = true; shell = "/bin/x"; };
    }"""
    passwd = value_of(configuration, "build.accounts.passwd")
    assert re.search(r"^a:.*:/nix/store/\w+-bash-[^/]*/bin/bash$", passwd, re.MULTILINE)
    assert re.search(r"^b:.*:/bin/x$", passwd, re.MULTILINE)


# ---- files


def test_files_below_etc() -> None:
    configuration = """{ pkgs, ... }: { environment.etc = {
      "a/b".text = "x\\n";
      secret = { text = "s"; mode = "0400"; user = "root"; group = "keys"; };
      tree.source = pkgs.curl;
      other = { target = "renamed"; text = ""; };
      gone = { enable = false; text = ""; };
    }; }"""
    found = {entry["target"]: entry for entry in value_of(configuration, "{ inherit (build) etc; }")["etc"]}
    assert found["a/b"]["text"] == "x\n"
    assert found["a/b"]["mode"] == "symlink"
    assert (found["secret"]["mode"], found["secret"]["group"]) == ("0400", "keys")
    assert found["tree"]["text"] is None
    assert "-curl-" in found["tree"]["source"]
    assert "renamed" in found
    assert "gone" not in found


def test_text_and_source_at_once_are_a_conflict() -> None:
    with pytest.raises(Exception, match="conflicting definitions"):
        value_of(
            '{ pkgs, ... }: { environment.etc.a = { text = ""; source = pkgs.curl; }; }',
            "config.environment.etc.a.source.outPath",
        )


def test_profile_has_variables_and_aliases() -> None:
    configuration = """{
      environment.variables = { EDITOR = "nano"; LISTED = [ "a" "b" ]; };
      environment.shellAliases.ll = "ls -l";
      environment.interactiveShellInit = "echo hi";
    }"""
    profile = etc(configuration, "profile")["text"]
    assert 'export EDITOR="nano"' in profile
    assert 'export LISTED="a:b"' in profile
    assert "/run/current-system/sw/bin" in profile
    assert "alias ll='ls -l'" in etc(configuration, "interactive")["text"]
    assert "echo hi" in etc(configuration, "interactive")["text"]


def test_hosts() -> None:
    configuration = (
        '{ networking.hosts."10.0.0.9" = [ "files" "f" ]; networking.extraHosts = "10.0.0.8 eight"; }'
    )
    assert lines(etc(configuration, "hosts")["text"]) == [
        "10.0.0.9 files f",
        "127.0.0.1 localhost",
        "::1 localhost",
        "10.0.0.8 eight",
    ]
    assert etc(configuration, "hostname")["text"] == "server\n"


def test_configuration_of_the_ssh_client() -> None:
    configuration = """{
      programs.ssh.extraConfig = "StrictHostKeyChecking no";
      programs.ssh.knownHosts.git = { extraHostNames = [ "g" ]; publicKey = "ssh-ed25519 AAAA"; };
    }"""
    assert etc(configuration, "ssh/ssh_config")["text"] == "StrictHostKeyChecking no\n"
    assert etc(configuration, "ssh/ssh_known_hosts")["text"] == "git,g ssh-ed25519 AAAA\n"


# ---- network, kernel, mounts


def test_network_kernel_and_mounts() -> None:
    found = value_of(
        """{
          networking.interfaces.eth1.ipv4.addresses = [ { address = "10.1.0.1"; prefixLength = 24; } ];
          networking.interfaces.eth1.useDHCP = false;
          networking.interfaces.eth1.mtu = 1400;
          networking.interfaces.eth1.ipv4.routes = [ { address = "10.9.0.0"; prefixLength = 16; via = "10.1.0.3"; } ];
          networking.defaultGateway = "10.1.0.254";
          networking.localCommands = "ip link";
          networking.firewall.allowedTCPPorts = [ 80 443 80 ];
          boot.kernelModules = [ "dummy" ];
          boot.kernelParams = [ "quiet" ];
          boot.kernel.sysctl = { "net.ipv4.ip_forward" = true; "vm.swappiness" = 10; "a.b" = null; };
          boot.postBootCommands = "echo boot";
          nxc.postBootCommands = "echo nxc";
          fileSystems."/" = { device = "/dev/vda1"; fsType = "ext4"; };
          fileSystems."/scratch" = { fsType = "tmpfs"; options = [ "size=64m" ]; };
          fileSystems."/scratch/in" = { device = "server:/data"; fsType = "nfs"; };
        }""",
        """{ inherit (build) interfaces firewall openPorts kernelModules kernelParams sysctl;
             inherit (build) postBootCommands fileSystems;
             kernel = build.kernel.version; network = build.scripts.network-local-commands-start; }""",
    )
    assert found["interfaces"]["eth1"]["addresses"] == ["10.1.0.1/24"]
    assert lines(found["network"])[2:] == [
        "ip link set dev eth1 mtu 1400",
        "ip route replace 10.9.0.0/16 via 10.1.0.3 dev eth1",
        "ip route replace default via 10.1.0.254",
        "ip link",
    ]
    assert found["firewall"]["tcp"] == [80, 443]
    assert found["openPorts"] == {"tcp": [80, 443], "udp": []}
    assert set(found["kernelModules"]) == {"dummy", "nfs", "nfsv3", "nfsv4"}
    assert found["kernelParams"] == ["quiet"]
    assert found["sysctl"] == {"net.ipv4.ip_forward": "1", "vm.swappiness": "10"}
    assert lines(found["postBootCommands"]) == ["echo boot", "echo nxc"]
    assert [(fs["mountPoint"], fs["fsType"]) for fs in found["fileSystems"]] == [
        ("/scratch", "tmpfs"),
        ("/scratch/in", "nfs"),
    ]
    assert "cloud" in found["kernel"]


def test_the_other_kernel() -> None:
    version = value_of(
        "{ pkgs, ... }: { boot.kernelPackages = pkgs.linuxPackages_generic; }", "build.kernel.version"
    )
    assert "cloud" not in version


# ---- nxc


def test_shared_directories_are_exported_by_one_role_and_mounted_by_others() -> None:
    share = 'nxc.sharedDirs."/srv/shared"'
    exporting = value_of(
        f"{{ {share}.export = true; }}", "{ inherit (config.services.nfs.server) enable exports; }"
    )
    assert exporting["enable"]
    assert exporting["exports"].startswith("/srv/shared *(rw,")
    mounting = value_of(f'{{ {share}.server = "server"; }}', "build.fileSystems")
    assert mounting[0]["device"] == "server:/srv/shared"


def test_readiness_and_users_of_nxc() -> None:
    found = value_of(
        '{ nxc.readiness = [ "true" ]; nxc.users.names = [ "u" ]; nxc.users.prefixHome = "/data"; }',
        "{ inherit (build) readiness; inherit (build.accounts) homes; }",
    )
    assert found["readiness"] == ["true"]
    assert found["homes"][0]["path"] == "/data/u"


# ---- the whole


def test_roles_may_look_at_each_other() -> None:
    expression = f"""
      let
        source = import {SEED} {{ }};
        pkgs = source.pkgs [ ];
        nodes = builtins.mapAttrs (name: module: (source.evalRole {{
          inherit name pkgs;
          modules = [ module ];
          specialArgs = {{ inherit nodes; }};
        }}).config) {{
          server = {{ networking.domain = "example.org"; }};
          client = {{ nodes, ... }}: {{ environment.etc.server.text = nodes.server.networking.fqdn; }};
        }};
      in nodes.client.environment.etc.server.text"""
    assert evaluate(expression)[0] == "server.example.org"


def test_overlays_of_a_role() -> None:
    found = value_of(
        """{ imports = [
          { nixpkgs.overlays = [ (final: prev: { mine = prev.jq; }) (final: prev: { also = final.mine; }) ]; }
          ({ pkgs, ... }: { environment.systemPackages = [ pkgs.also ]; })
        ]; }""",
        'map (p: p.pname or "") config.environment.systemPackages',
    )
    assert "jq" in found


def test_what_is_without_effect_is_accepted() -> None:
    evaluate(
        role(
            """{
              system.stateVersion = "24.11";
              nix.settings.experimental-features = [ "flakes" ];
              nixpkgs.config.allowUnfree = true;
              documentation.enable = false;
              console.keyMap = "fr";
              boot.loader.grub.enable = false;
              boot.initrd.kernelModules = [ "virtio" ];
              hardware.enableRedistributableFirmware = true;
              i18n.defaultLocale = "en_US.UTF-8";
              services.openssh.enable = true;
              services.journald.extraConfig = "x";
              environment.noXlibs = false;
              boot.tmpOnTmpfs = true;
              services.openssh.forwardX11 = false;
            }""",
            "build.toplevel.drvPath",
        )
    )


def test_eight_roles_take_well_under_a_second() -> None:
    many = " ".join(
        role(
            "{ pkgs, ... }: { services.nginx.enable = true; services.redis.servers.a.enable = true;"
            ' services.nginx.virtualHosts.a.root = "/"; environment.systemPackages = [ pkgs.curl ]; }',
            "build.toplevel.drvPath",
            name=f"role{n}",
        ).join("()")
        for n in range(8)
    )
    begin = time.monotonic()
    evaluate(f"[ {many} ]")
    # Ten times what an idle machine needs, as others may be busy on this one.
    assert time.monotonic() - begin < 5
