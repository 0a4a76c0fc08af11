"""systemd's units in NixOS's form, as the run time gets them (config.system.build.units)."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.nix.evaluation import SEED, evaluate, value_of

COMMANDS: list[tuple[str, list[str]]] = [
    # systemd.service(5), "COMMAND LINES": the line, and the arguments that the program gets.
    (r"P a b", ["a", "b"]),
    (r"P  a   b ", ["a", "b"]),
    (r'P "a b" c', ["a b", "c"]),
    (r"P 'a b' c", ["a b", "c"]),
    (r'P a"b c"d', ["ab cd"]),
    (r"P ''", [""]),
    (r'P "it\'s"', ["it's"]),
    (r'P "say \"hi\""', ['say "hi"']),
    (r"P a\ b", ["a b"]),
    (r"P $X", ["one", "two"]),
    (r"P ${X}", ["one two"]),
    (r"P a${X}b", ["aone twob"]),
    (r"P a$X", ["a$X"]),
    (r"P $$X $$", ["$X", "$"]),
    (r"P $MISSING ${MISSING}", [""]),
    (r"P * ? ~ a>b |c &d #e `f` $(g)", ["*", "?", "~", "a>b", "|c", "&d", "#e", "`f`", "$(g)"]),
    (r"P 100%% %n %p %i %t %u", ["100%", "web@x.service", "web", "x", "/run", "alice"]),
    (r"P --config={a:1,b:2}", ["--config={a:1,b:2}"]),
    ("P a \\\n  b", ["a", "b"]),
    (r":P $X ${X}", ["$X", "${X}"]),
    (r"@P ignored a", ["a"]),
]


@pytest.fixture(scope="module")
def parsed() -> list[list[dict[str, Any]]]:
    lines = " ".join(json.dumps(line).replace("$", "\\$") for line, _ in COMMANDS)
    expression = f"""
      let
        lib = import {SEED}/lib;
        parse = import {SEED}/modules/systemd/command.nix lib {{
          what = "ExecStart";
          specifiers = {{ n = "web@x.service"; p = "web"; i = "x"; t = "/run"; u = "alice"; }};
        }};
      in map parse [ {lines} ]"""
    found: list[list[dict[str, Any]]] = evaluate(expression)[0]
    return found


@pytest.mark.parametrize("which", range(len(COMMANDS)), ids=[line for line, _ in COMMANDS])
def test_a_command_line_means_what_it_means_to_systemd(
    parsed: list[list[dict[str, Any]]], which: int
) -> None:
    (command,) = parsed[which]
    script = f"P() {{ printf '%s\\0' \"$@\"; }}; set -f; {command['sh']}"
    ended = subprocess.run(["sh", "-c", script], capture_output=True, env={"X": "one two"}, check=True)
    assert ended.stdout.decode().split("\0")[:-1] == COMMANDS[which][1]


def test_prefixes_and_several_commands_in_one_line() -> None:
    units = value_of(
        """{ systemd.services.a.serviceConfig = {
               Type = "oneshot";
               ExecStartPre = [ "-/bin/false" "+/bin/root" "!/bin/caps" "-+/bin/both" ];
               ExecStart = "/bin/a x ; /bin/b y";
               ExecStop = [ "/bin/lost" "" "/bin/kept" ];
             }; }""",
        'build.units."a.service"',
    )
    assert [(c["sh"], c["ignoreFailure"], c["privileged"]) for c in units["execStartPre"]] == [
        ("/bin/false", True, False),
        ("/bin/root", False, True),
        ("/bin/caps", False, True),
        ("/bin/both", True, True),
    ]
    assert [c["sh"] for c in units["execStart"]] == ["/bin/a x", "/bin/b y"]
    assert [c["command"] for c in units["execStop"]] == ["/bin/kept"]


def test_spans_of_time_are_milliseconds() -> None:
    spans = {
        "5": 5000, "5s": 5000, "500ms": 500, "1min 30s": 90000, "1.5s": 1500, "2h": 7200000,
        "infinity": None, "0": 0, "1min30s": 90000, "1d": 86400000,
    }  # fmt: skip
    expression = f"""
      let lib = import {SEED}/lib; in
      map (import {SEED}/modules/systemd/time.nix lib "x") [ {" ".join(json.dumps(s) for s in spans)} 7 ]"""
    assert evaluate(expression)[0] == [*spans.values(), 7000]


SERVICE = """{ pkgs, ... }: {
  users.users.bob = { isSystemUser = true; group = "bob"; };
  users.groups.bob = { };
  systemd.services.web = {
    description = "A web server";
    wantedBy = [ "multi-user.target" ];
    requiredBy = [ "other.service" ];
    after = [ "network.target" ];
    requires = [ "db.service" ];
    bindsTo = [ "b.service" ];
    partOf = [ "p.service" ];
    environment = { A = "1"; GONE = null; };
    path = [ pkgs.curl ];
    preStart = "echo before";
    script = "exec serve";
    postStart = "echo after";
    reload = "echo again";
    preStop = "echo stop";
    scriptArgs = "%i --fast";
    unitConfig = { ConditionPathExists = [ "!/no" "|/yes" ]; Wants = "w.service"; StartLimitBurst = 3; };
    startLimitIntervalSec = 60;
    serviceConfig = {
      Restart = "on-failure"; RestartSec = "2s"; User = "bob"; WorkingDirectory = "-%S/web";
      Environment = [ "B=2 C=3" "\\"D=4 5\\"" ]; EnvironmentFile = [ "/etc/web.env" "-/etc/more.env" ];
      RuntimeDirectory = "web web/sub"; StateDirectory = "web"; StateDirectoryMode = "0700";
      LimitNOFILE = 4096; PrivateTmp = true; ProtectSystem = "strict"; TimeoutStartSec = "infinity";
      KillSignal = "INT"; SuccessExitStatus = [ 3 "SIGKILL" ]; PIDFile = "web.pid";
    };
  };
  systemd.services.off = { enable = false; script = "true"; };
  systemd.services.once = { script = "true"; serviceConfig = { Type = "oneshot"; RemainAfterExit = true; }; };
  systemd.targets.all = { description = "All"; wants = [ "web.service" ]; };
}"""


@pytest.fixture(scope="module")
def units() -> dict[str, Any]:
    found: dict[str, Any] = value_of(SERVICE, "{ inherit (build) units scripts; }")
    return found


def test_relations_between_units(units: dict[str, Any]) -> None:
    web = units["units"]["web.service"]
    assert web["wantedBy"] == ["multi-user.target"]
    assert web["requiredBy"] == ["other.service"]
    assert web["requires"] == ["db.service"]
    assert web["wants"] == ["w.service"]
    assert web["bindsTo"] == ["b.service"]
    assert web["partOf"] == ["p.service"]
    assert web["after"] == ["network.target"]
    assert units["units"]["all.target"]["wants"] == ["web.service"]


def test_a_service_that_is_not_enabled_does_not_exist(units: dict[str, Any]) -> None:
    assert set(units["units"]) == {"web.service", "once.service", "all.target"}
    assert not any(name.startswith("off") for name in units["scripts"])


def test_settings_of_a_service(units: dict[str, Any]) -> None:
    web = units["units"]["web.service"]
    assert web["type"] == "simple"
    assert (web["restart"], web["restartMs"]) == ("on-failure", 2000)
    assert (web["timeoutStartMs"], web["timeoutStopMs"]) == (None, 90000)
    assert web["user"] == "bob"
    assert web["workingDirectory"] == "-/var/lib/web"
    assert web["environmentFiles"] == [
        {"path": "/etc/web.env", "optional": False},
        {"path": "/etc/more.env", "optional": True},
    ]
    assert web["runtimeDirectory"]["names"] == ["web", "web/sub"]
    assert web["stateDirectory"] == {"names": ["web"], "mode": "0700", "preserve": False}
    assert web["limits"] == {"NOFILE": "4096"}
    assert web["killSignal"] == "SIGINT"
    assert web["successExitStatus"] == ["3", "SIGKILL"]
    assert web["pidFile"] == "/run/web.pid"
    assert (web["startLimitIntervalSec"], web["startLimitBurst"]) == (60, 3)


def test_environment(units: dict[str, Any]) -> None:
    environment = units["units"]["web.service"]["environment"]
    assert {name: environment[name] for name in "ABCD"} == {"A": "1", "B": "2", "C": "3", "D": "4 5"}
    assert "GONE" not in environment
    first, second, *_ = environment["PATH"].split(":")
    assert "-curl-" in first
    assert "-busybox-" in second


def test_sandboxing_is_accepted_and_listed_as_not_enforced(units: dict[str, Any]) -> None:
    assert units["units"]["web.service"]["unenforced"] == ["PrivateTmp", "ProtectSystem"]


def test_conditions(units: dict[str, Any]) -> None:
    assert units["units"]["web.service"]["conditions"] == [
        {"kind": "PathExists", "argument": "/no", "negate": True, "trigger": False},
        {"kind": "PathExists", "argument": "/yes", "negate": False, "trigger": True},
    ]


def test_scripts_stand_in_the_system_and_run_under_bash(units: dict[str, Any]) -> None:
    assert set(units["scripts"]) == {
        "once-start", "web-start", "web-pre-start", "web-post-start", "web-reload", "web-pre-stop",
    }  # fmt: skip
    shebang, fails, text = units["scripts"]["web-start"].splitlines()
    assert shebang.startswith("#!/nix/store/")
    assert shebang.endswith("/bin/bash")
    assert (fails, text) == ("set -e", "exec serve")
    (start,) = units["units"]["web.service"]["execStart"]
    # The place of the system itself, which Nix fills in when it is built.
    assert start["sh"].endswith("/scripts/web-start '' --fast")


def test_a_oneshot_may_take_its_time(units: dict[str, Any]) -> None:
    once = units["units"]["once.service"]
    assert (once["type"], once["remainAfterExit"], once["timeoutStartMs"]) == ("oneshot", True, None)


def test_a_dynamic_user_exists_all_the_time() -> None:
    found = value_of(
        '{ systemd.services.a = { script = "true"; serviceConfig.DynamicUser = true; }; }',
        '{ user = build.units."a.service".user; inherit (build.accounts) passwd group; }',
    )
    assert found["user"] == "a"
    assert "\na:x:999:999:" in found["passwd"]
    assert "\na:x:999:" in found["group"]


def test_serviceconfig_of_two_modules() -> None:
    # As in NixOS, equal values are fine and lists are joined.
    found = value_of(
        """{ imports = [
               { systemd.services.a.serviceConfig = { Type = "exec"; ExecStartPre = [ "/b" ]; }; }
               { systemd.services.a.serviceConfig = { Type = "exec"; ExecStartPre = "/a"; ExecStart = "/x"; }; }
             ]; }""",
        'build.units."a.service"',
    )
    assert found["type"] == "exec"
    assert [c["sh"] for c in found["execStartPre"]] == ["/b", "/a"]


def test_tmpfiles_rules_and_settings() -> None:
    found = value_of(
        """{ systemd.tmpfiles.rules = [ "d /a 0755 root root" ];
             systemd.tmpfiles.settings.x."/b".d = { mode = "1777"; user = "root"; }; }""",
        "build.tmpfiles",
    )
    assert found == ["d /a 0755 root root", "d '/b' 1777 root - - "]
