"""What a Nix process is told: its environment and its settings. Pure.

The environment is empty but for these, and no configuration file of the host is in sight.
Settings: nix.conf(5); each is understood by Nix 2.8 and by today's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from controller.build.limits import BuildLimits

HOME = "/tmp"  # noqa: S108  the jail's own, a new directory for each process

Settings = Mapping[str, str]

COMMON: Settings = {
    "experimental-features": "nix-command",  # no flakes: nothing has a configuration to be accepted, or a registry
    # Nothing comes from elsewhere, nothing goes elsewhere.
    "substituters": "",
    "builders": "",  # the hook itself stays: Nix 2.8 cannot do without, and with no builders it declines
    "pre-build-hook": "",
    "post-build-hook": "",
    "run-diff-hook": "false",
    "netrc-file": "/etc/no-netrc",
    "allowed-uris": "",
    "download-attempts": "1",
    # The sandbox: without the host's shell in it, and never left out.
    "build-users-group": "",
    "sandbox": "true",
    "sandbox-fallback": "false",
    "sandbox-paths": "",
    "sandbox-dev-shm-size": "64m",
    "filter-syscalls": "true",
    "allow-new-privileges": "false",
    "allowed-impure-host-deps": "",
    "system-features": "",
    "extra-platforms": "",
    "keep-build-log": "false",
    "warn-dirty": "false",
}

EVALUATION: Settings = {
    "pure-eval": "true",
    "restrict-eval": "true",
    "allow-import-from-derivation": "false",
    "allow-unsafe-native-code-during-evaluation": "false",
    "max-jobs": "0",
    "show-trace": "true",
}


def evaluation(*, import_from_derivation: bool = False) -> Settings:
    """Settings of an evaluation."""
    if not import_from_derivation:
        return EVALUATION
    return {**EVALUATION, "allow-import-from-derivation": "true", "max-jobs": "1"}


def build(limits: BuildLimits) -> Settings:
    """Settings of a build. Times are whole seconds, and 0 would mean for ever."""
    return {
        "timeout": str(max(1, math.ceil(limits.seconds))),
        "max-silent-time": str(max(1, math.ceil(limits.silent))),
        "max-build-log-size": str(max(1, limits.log)),
        "max-jobs": str(limits.jobs),
        "cores": str(limits.cores),
        "log-lines": "25",
    }


def environment(settings: Settings, *, sandbox: bool = True) -> dict[str, str]:
    """The whole environment of a Nix process."""
    effective = {**COMMON, **settings} | ({} if sandbox else {"sandbox": "false"})
    return {
        "HOME": HOME,
        "TMPDIR": HOME,
        "PATH": "/usr/bin",
        "LC_ALL": "C.UTF-8",
        "NIX_REMOTE": "local",
        "NIX_CONF_DIR": "/etc/nix",
        "NIX_CONFIG": "".join(f"{name} = {value}\n" for name, value in effective.items()),
    }
