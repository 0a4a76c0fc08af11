"""A node as test scripts know it: the methods of NixOS' test driver's machines, over SSH.

Semantics are those of the NixOS manual, "Writing Tests", machine objects. What differs: nodes are booted and
brought back by the controller, so `start` waits for it, and a machine that went down comes back as it was
built; what needs QEMU's monitor, screen or keyboard is refused by name.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from controller.driver.background import Background
from controller.driver.faults import NodeFailed, NoSuchMethod, NotSupported, ScriptFailed
from controller.driver.journal import Journal
from controller.driver.link import Link
from controller.driver.session import Outcome, Session
from controller.model.errors import NxcError, UserError

Result = TypeVar("Result")
PATIENCE = 900
"""Seconds; NixOS' driver's limit for everything that waits."""
EVERY = 1.0
"""Seconds between two tries."""
DOWN_LIMIT = 60.0
SHOWN = 4000
"""Characters of a command's output that are shown with its failure."""
_PROPERTY = re.compile(r"^([^=\s]+)=(.*)$")

ONLY_QEMU = frozenset(
    {
        *("block", "unblock", "screenshot", "get_screen_text", "get_screen_text_variants", "wait_for_text"),
        *("send_key", "send_keys", "send_chars", "send_console", "send_monitor_command", "qmp_client"),
        *("wait_for_console_text", "get_console_log", "wait_for_qmp_event", "wait_for_x", "wait_for_window"),
        *("get_window_names", "get_tty_text", "wait_until_tty_matches", "dump_tty_contents", "switch_root"),
        *("shell_interact", "console_interact"),
    }
)


class Machine:
    """One node. `name` is its host name."""

    def __init__(self, link: Link, background: Background, journal: Journal, output: Path) -> None:
        self.name = link.host
        self._link, self._background, self._journal, self._output = link, background, journal, output
        self.checks: list[Callable[[], None]] = []
        """Called before each command: the script's polling conditions."""

    def __repr__(self) -> str:
        return f"<Machine {self.name!r}>"

    def __getattr__(self, name: str) -> Any:
        if name in ONLY_QEMU:
            raise NotSupported(
                f"{name}() needs QEMU's monitor, screen or keyboard: this driver reaches nodes by SSH alone",
                host=self.name,
            )
        raise NoSuchMethod(f"machines have no method {name!r}")

    # ------------------------------------------------------------ commands

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: float | None = PATIENCE,
    ) -> tuple[int, str]:
        """Run a shell command under `set -euo pipefail`; its exit status and standard output.

        Without `check_return` the status is -1, and a session that ends with the command is no failure.
        """
        self._run_checks()
        patient = check_return and check_output
        outcome = self._shell(command, timeout, expect_end=not patient)
        if not check_output:
            return -2, ""
        return (outcome.status if check_return else -1), outcome.output

    def succeed(self, *commands: str, timeout: float | None = None) -> str:
        """Run commands, each of which must end with 0; their outputs together."""
        output = ""
        for command in commands:
            with self.nested(f"must succeed: {command}"):
                status, said = self.execute(command, timeout=timeout)
                if status != 0:
                    self._fail(f"command `{command}` failed (exit code {status})", said)
                output += said
        return output

    def fail(self, *commands: str, timeout: float | None = None) -> str:
        """Run commands, none of which may end with 0; their outputs together."""
        output = ""
        for command in commands:
            with self.nested(f"must fail: {command}"):
                status, said = self.execute(command, timeout=timeout)
                if status == 0:
                    self._fail(f"command `{command}` unexpectedly succeeded", said)
                output += said
        return output

    def wait_until_succeeds(self, command: str, timeout: float = PATIENCE) -> str:
        """Repeat a command each second until it ends with 0; the output of that time."""
        with self.nested(f"waiting for success: {command}"):
            return self._repeat(command, timeout, lambda status: status == 0, "did not succeed")

    def wait_until_fails(self, command: str, timeout: float = PATIENCE) -> str:
        """Repeat a command each second until it does not end with 0; the output of that time."""
        with self.nested(f"waiting for failure: {command}"):
            return self._repeat(command, timeout, lambda status: status != 0, "did not fail")

    def sleep(self, secs: float) -> None:
        """Let time pass on the node."""
        self.succeed(f"sleep {secs}")

    # ------------------------------------------------------------ units

    def systemctl(self, q: str, user: str | None = None) -> tuple[int, str]:
        """systemctl(1), or a user's own: exit status and output."""
        if user is None:
            return self.execute(f"systemctl {q}")
        inner = f"XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user {q}"
        return self.execute(f"su -l {shlex.quote(user)} --shell /bin/sh -c {shlex.quote(inner)}")

    def get_unit_info(self, unit: str, user: str | None = None) -> dict[str, str]:
        """A unit's properties (systemctl show)."""
        status, lines = self.systemctl(f"--no-pager show {shlex.quote(unit)}", user)
        if status != 0:
            self._fail(f'properties of unit "{unit}" cannot be had (exit code {status})', lines)
        return {match[1]: match[2] for match in map(_PROPERTY.match, lines.splitlines()) if match}

    def get_unit_property(
        self,
        unit: str,
        property: str,  # noqa: A002 - its name in NixOS' driver
        user: str | None = None,
    ) -> str:
        """One property of a unit."""
        info = self.get_unit_info(unit, user)
        if property not in info:
            self._fail(f'unit "{unit}" has no property {property!r}')
        return info[property]

    def require_unit_state(self, unit: str, require_state: str = "active") -> None:
        """Fail unless a unit is in a state now."""
        with self.nested(f"checking that unit {unit} is {require_state}"):
            state = self.get_unit_property(unit, "ActiveState")
            if state != require_state:
                self._fail(f'unit "{unit}" is in state "{state}", not "{require_state}"')

    def wait_for_unit(self, unit: str, user: str | None = None, timeout: float = PATIENCE) -> None:
        """Wait until a unit is active. Fails at once where it failed, or where nobody is starting it."""

        def active(_: bool) -> bool:
            state = self.get_unit_property(unit, "ActiveState", user)
            if state == "failed":
                self._fail(f'unit "{unit}" reached state "failed"', self._status_of(unit, user))
            if state == "inactive" and "No jobs" in self.systemctl("list-jobs --full 2>&1", user)[1]:
                again = self.get_unit_property(unit, "ActiveState", user)
                if again == state:
                    known = self.get_unit_property(unit, "LoadState", user) != "not-found"
                    why = "is inactive and there are no pending jobs" if known else "does not exist"
                    self._fail(f'unit "{unit}" {why}')
            return state == "active"

        with self.nested(f"waiting for unit {unit}{f' of user {user}' if user else ''}"):
            self._wait(active, timeout, f'unit "{unit}" is not active')

    def start_job(self, jobname: str, user: str | None = None) -> tuple[int, str]:
        """`systemctl start`."""
        return self.systemctl(f"start {jobname}", user)

    def stop_job(self, jobname: str, user: str | None = None) -> tuple[int, str]:
        """`systemctl stop`."""
        return self.systemctl(f"stop {jobname}", user)

    def wait_for_job(self, jobname: str) -> None:
        """`wait_for_unit`."""
        self.wait_for_unit(jobname)

    # ------------------------------------------------------------ files and ports

    def wait_for_file(self, filename: str, timeout: float = PATIENCE) -> None:
        """Wait until a file exists; `filename` as the shell reads it."""
        with self.nested(f"waiting for file {filename}"):
            self._wait(
                lambda _: self.execute(f"test -e {filename}")[0] == 0, timeout, f"there is no file {filename}"
            )

    def wait_for_open_port(self, port: int, addr: str = "localhost", timeout: float = PATIENCE) -> None:
        """Wait until a TCP port accepts, seen from the node."""
        with self.nested(f"waiting for TCP port {port} on {addr}"):
            self._wait(
                lambda _: self._listens(addr, port), timeout, f"nothing listens on TCP port {port} on {addr}"
            )

    def wait_for_closed_port(self, port: int, addr: str = "localhost", timeout: float = PATIENCE) -> None:
        """Wait until a TCP port does not accept, seen from the node."""
        with self.nested(f"waiting for TCP port {port} on {addr} to be closed"):
            self._wait(
                lambda _: not self._listens(addr, port), timeout, f"TCP port {port} on {addr} is still open"
            )

    def wait_for_open_unix_socket(
        self, addr: str, is_datagram: bool = False, timeout: float = PATIENCE
    ) -> None:
        """Wait until somebody listens on a UNIX socket."""
        flags = "-z -uU" if is_datagram else "-z -U"
        with self.nested(f"waiting for UNIX socket {addr}"):
            self._wait(
                lambda _: self.execute(f"nc {flags} {addr}")[0] == 0, timeout, f"nothing listens on {addr}"
            )

    def copy_from_host(self, source: str, target: str) -> None:
        """Copy a file or a folder from here to the node."""
        path = Path(source)
        if not path.exists():
            raise ScriptFailed(f"copy_from_host: there is no {path.absolute()} here", host=self.name)
        with self.nested(f"copying {source} to {target}"):
            self._over(lambda session: session.put(path, target))

    def copy_from_host_via_shell(self, source: str, target: str) -> None:
        """Copy a file from here to the node through a shell, where the node has no SFTP."""
        try:
            content = Path(source).read_bytes()
        except OSError as error:
            raise ScriptFailed(
                f"copy_from_host_via_shell: {source}: {error.strerror}", host=self.name
            ) from None
        command = f'mkdir -p -- "$(dirname -- {shlex.quote(target)})" && cat > {shlex.quote(target)}'
        with self.nested(f"copying {source} to {target} through the shell"):
            outcome = self._shell(command, PATIENCE, stdin=content)
            if outcome.status != 0:
                self._fail(f"copying to {target} failed (exit code {outcome.status})", outcome.output)

    def copy_from_machine(self, source: str, target_dir: str = "") -> None:
        """Copy a file or a folder from the node to `target_dir` here, below --output."""
        folder = self._output / target_dir
        folder.mkdir(parents=True, exist_ok=True)
        with self.nested(f"copying {source} to {folder}"):
            self._over(lambda session: session.get(source, folder / Path(source).name))

    copy_from_vm = copy_from_machine  # its older name

    def forward_port(self, host_port: int = 8080, guest_port: int = 80) -> None:
        """Have a port of this machine's loopback lead to one of the node's, until the test ends."""

        async def forward(session: Session) -> None:
            await session.connection.forward_local_port("127.0.0.1", host_port, "localhost", guest_port)

        self._over(forward)

    # ------------------------------------------------------------ its life

    def is_up(self) -> bool:
        """Whether there is a session with it."""
        return self._link.up

    def start(self, allow_reboot: bool = False) -> None:
        """Have it up: the controller boots it by itself; the next command waits for that."""
        del allow_reboot
        self._link.wanted()

    def connect(self) -> None:
        """Wait until it can be logged in to."""
        if not self._link.up:
            with self.nested("waiting for the node to answer"):
                self._link_call(self._link.session())

    def wait_for_shutdown(self) -> None:
        """Wait until it is down."""
        with self.nested("waiting for the node to power off"):
            if not self._link_call(self._link.ended(DOWN_LIMIT)):
                self._fail(f"is still up after {DOWN_LIMIT:.0f} s")

    def shutdown(self) -> None:
        """Power it off in order, and wait until it is down. The controller then boots it anew."""
        if self._link.down:
            return
        with self.nested("shutting down"):
            self._go_down("systemctl poweroff || poweroff")

    def crash(self) -> None:
        """End it at once, as a power failure does. The controller then boots it anew."""
        if self._link.down:
            return
        with self.nested("crashing"):
            self._go_down("echo 1 > /proc/sys/kernel/sysrq; echo o > /proc/sysrq-trigger; sleep 60")

    def reboot(self) -> None:
        """Have it restart, and wait until it answers again, freshly booted."""
        with self.nested("rebooting"):
            self._go_down("systemctl reboot || reboot")
        self.start()
        self.connect()

    def _go_down(self, command: str) -> None:
        self._link_call(self._link.session())
        self.execute(command, check_return=False, check_output=False, timeout=DOWN_LIMIT)
        if not self._link_call(self._link.ended(DOWN_LIMIT)):
            self._fail(f"did not go down within {DOWN_LIMIT:.0f} s")

    # ------------------------------------------------------------ telling

    def log(self, msg: str) -> None:
        """A line in the test's log."""
        self._journal.log(f"{self.name}: {msg}")

    def nested(self, msg: str, attrs: dict[str, str] | None = None) -> AbstractContextManager[None]:
        """A step of the test's log."""
        del attrs
        return self._journal.step(f"{self.name}: {msg}")

    def _fail(self, message: str, output: str = "") -> NoReturn:
        raise ScriptFailed(message, host=self.name, output=output[-SHOWN:])

    # ------------------------------------------------------------ how it is done

    def _shell(
        self, command: str, timeout: float | None, *, expect_end: bool = False, stdin: bytes = b""
    ) -> Outcome:
        return self._over(
            lambda session: session.shell(
                command,
                seconds=timeout,
                complain=lambda line: self._journal.complain(self.name, line),
                stdin=stdin,
            ),
            otherwise=Outcome(-1, "") if expect_end else None,
        )

    def _listens(self, addr: str, port: int) -> bool:
        self._run_checks()
        return self._over(lambda session: session.listens(addr, port))

    def _over(self, work: Callable[[Session], Awaitable[Result]], otherwise: Result | None = None) -> Result:
        """Do something over the session. `otherwise`: what comes of it where the node goes meanwhile."""
        try:
            return self._link_call(self._link.do(work, may_end=otherwise is not None))
        except UserError as error:
            raise ScriptFailed(error.message) from None
        except EOFError:
            assert otherwise is not None
            return otherwise

    def _link_call(self, work: Coroutine[Any, Any, Result]) -> Result:
        try:
            return self._background.call(work)
        except UserError:
            raise
        except NxcError as error:
            raise NodeFailed(self.name, error.message, blame=error.blame) from None

    def _run_checks(self) -> None:
        checks, self.checks = self.checks, []  # a check runs commands of its own
        try:
            for check in checks:
                check()
        finally:
            self.checks = checks

    def _repeat(self, command: str, timeout: float, enough: Callable[[int], bool], failing: str) -> str:
        last = Outcome(0, "")

        def attempt(_: bool) -> bool:
            nonlocal last
            last = Outcome(*self.execute(command, timeout=timeout))
            return enough(last.status)

        self._wait(attempt, timeout, f"command `{command}` {failing}", lambda: last.output)
        return last.output

    def _wait(
        self,
        check: Callable[[bool], bool],
        timeout: float,
        failing: str,
        output: Callable[[], str] = lambda: "",
    ) -> None:
        try:
            retry(check, timeout)
        except ScriptFailed as error:
            if isinstance(error.__cause__, TimeoutError):
                self._fail(f"{failing} after {timeout:g} s", output())
            raise

    def _status_of(self, unit: str, user: str | None) -> str:
        return self.systemctl(f"--no-pager --full status {shlex.quote(unit)} 2>&1", user)[1]


def retry(fn: Callable[[bool], bool], timeout: float = PATIENCE) -> None:
    """Call `fn(last_try)` each second until it gives True; fails once `timeout` seconds have passed."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if fn(False):
            return
        time.sleep(min(EVERY, max(0.0, deadline - time.monotonic())))
    if not fn(True):
        raise ScriptFailed(f"action timed out after {timeout:g} seconds") from TimeoutError()
