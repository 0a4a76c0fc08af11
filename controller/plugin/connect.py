"""`kubectl nxc connect`: ssh to one node; to several, tmux with a pane a node.

Each pane runs `kubectl nxc connect NXD NODE` for itself: a key is on disk only as long as its own ssh runs, and
a session that one detaches from needs nobody to look after it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

from controller.driver.target import Identity, Target
from controller.model.errors import NxcError, UserError
from controller.plugin import openssh
from controller.plugin.keyring import temporary

PANES = 9
"""In one window; further nodes get further windows."""
FAILED = 255
"""ssh's own exit status, where it was not the remote command's."""


def ssh(target: Target, identity: Identity, *, via: str = "") -> int:
    """An interactive session; ssh's exit status, or 128 plus the signal that ended it."""
    _need("ssh", "OpenSSH's client")
    with temporary([target], identity, via=via) as keyring:
        before = signal.signal(signal.SIGTERM, _terminated)
        try:
            process = subprocess.Popen(openssh.command(keyring.config, target.host))  # noqa: S603 - ours
            try:
                return _wait(process)
            except BaseException:
                process.terminate()
                process.wait()
                raise
        finally:
            signal.signal(signal.SIGTERM, before)


def _wait(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            continue  # it went to ssh as well, and is its to answer
        return status if status >= 0 else 128 - status


def _terminated(signum: int, _: object) -> None:
    raise SystemExit(128 + signum)


def tmux(session: str, panes: Sequence[tuple[str, Sequence[str]]], *, together: bool = False) -> int:
    """A session with a pane for each (title, command), attached to; found again where it is there already.

    `together`: what is typed goes to all panes of a window. Inside tmux its windows are added to the present
    session.
    """
    _need(
        "tmux",
        "several nodes are shown side by side by tmux; name one node instead, or use `kubectl nxc run`",
    )
    inside = bool(os.environ.get("TMUX"))
    if not inside and _tmux("has-session", "-t", f"={session}", check=False) == 0:
        print(f"kubectl nxc: tmux session {session} is open already: attached to it", file=sys.stderr)
        return _tmux("attach-session", "-t", f"={session}", check=False)
    for command in tmux_commands(session, panes, inside=inside, together=together):
        _tmux(*command)
    return 0 if inside else _tmux("attach-session", "-t", f"={session}", check=False)


def tmux_commands(
    session: str, panes: Sequence[tuple[str, Sequence[str]]], *, inside: bool, together: bool
) -> list[list[str]]:
    """tmux's commands that make the windows, in order. Pure."""
    commands: list[list[str]] = []
    groups = [panes[start : start + PANES] for start in range(0, len(panes), PANES)]
    for number, group in enumerate(groups):
        name = session if len(groups) == 1 else f"{session}-{number + 1}"
        for index, (title, command) in enumerate(group):
            line = shlex.join(command)
            if index == 0 and number == 0 and not inside:
                commands.append(
                    ["new-session", "-d", "-s", session, "-n", name, "-x", "200", "-y", "50", line]
                )
            elif index == 0:
                commands.append(["new-window", *([] if inside else ["-t", f"={session}:"]), "-n", name, line])
            else:
                commands.append(["split-window", *_at(session, name, inside), line])
                commands.append(["select-layout", *_at(session, name, inside), "tiled"])
            commands.append(["select-pane", *_at(session, name, inside), "-T", title])
        commands.append(["set-window-option", *_at(session, name, inside), "pane-border-status", "top"])
        commands.append(["set-window-option", *_at(session, name, inside), "remain-on-exit", "failed"])
        if together:
            commands.append(["set-window-option", *_at(session, name, inside), "synchronize-panes", "on"])
    if not inside:
        first = session if len(groups) == 1 else f"{session}-1"
        commands.append(["select-window", *_at(session, first, inside)])
    return commands


def _at(session: str, window: str, inside: bool) -> list[str]:
    """Where a command acts: inside tmux, in the window that was just made and is therefore the present one."""
    return [] if inside else ["-t", f"={session}:={window}"]


def _tmux(*arguments: str, check: bool = True) -> int:
    try:
        done = subprocess.run(  # noqa: S603 - arguments are quoted by us
            [shutil.which("tmux") or "tmux", *arguments],
            stderr=subprocess.PIPE if check or arguments[0] == "has-session" else None,
            text=True,
        )
    except OSError as error:
        raise NxcError("TmuxFailed", f"tmux cannot be run: {error.strerror}") from None
    if check and done.returncode and arguments[0] != "set-window-option":  # older ones know fewer options
        raise NxcError("TmuxFailed", f"tmux {arguments[0]} failed: {done.stderr.strip()}")
    return done.returncode


def _need(program: str, why: str) -> None:
    if shutil.which(program) is None:
        raise UserError("ProgramMissing", f"there is no {program} on this machine: {why}")
