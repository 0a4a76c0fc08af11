"""`nxc-controller up`: the control plane and the operator on this machine, until Ctrl-C.

This process is the API server; the operator is a child that reaches it through the kubeconfig like any client.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import ipaddress
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from controller.local.errors import LocalError
from controller.local.server import Server, Settings
from controller.local.state import default_directory
from controller.observe.logging import configure

log = logging.getLogger(__name__)

DEFAULT_PORT = 16443
OPERATOR_SECONDS = 30.0
"""How long the operator may take to answer at start, and to end at stop."""
_BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)
_PR_SET_PDEATHSIG = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `nxc-controller up`."""
    parser.add_argument(
        "--state",
        type=Path,
        default=default_directory(),
        metavar="DIR",
        help="where everything is kept (%(default)s)",
    )
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="where to write the kubeconfig (DIR/kubeconfig)"
    )
    parser.add_argument(
        "--bind",
        default="127.0.0.1",
        metavar="ADDR",
        help="the address to listen on (%(default)s: this machine only)",
    )
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="%(default)s; 0: any free one")
    parser.add_argument("--no-operator", action="store_true", help="start the API server alone")
    parser.add_argument("--verbose", action="store_true", help="log every request")
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="%(default)s")
    parser.add_argument("--faults", action="store_true", help=argparse.SUPPRESS)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `up` with these arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="nxc-controller up", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """Serve until a signal; 0 after a clean stop, 1 with a sentence on standard error otherwise."""
    configure(level="warning", style=args.log_format)
    logging.getLogger("controller.local").setLevel(logging.DEBUG if args.verbose else logging.INFO)
    state = args.state.expanduser().absolute()
    settings = Settings(
        state=state,
        kubeconfig=(args.kubeconfig or state / "kubeconfig").expanduser().absolute(),
        bind=args.bind,
        port=args.port,
        faults=args.faults,
    )
    try:
        return asyncio.run(_serve(settings, _operator(settings, args)))
    except LocalError as error:
        print(f"nxc-controller up: {error}", file=sys.stderr)
        return 1


def _operator(settings: Settings, args: argparse.Namespace) -> Operator | None:
    """The operator that the command line asks for: `operator_arguments` are passed on to it."""
    if args.no_operator:
        return None
    arguments: list[str] = getattr(args, "operator_arguments", [])
    if "--build-state" not in arguments:
        arguments = [*arguments, "--build-state", str(settings.state / "build")]
    if "--trust-compositions" in arguments:
        print(
            "Warning: compositions are trusted: where Nix cannot be isolated, who may write one can read this"
            " user's files and reach this machine's services.",
            file=sys.stderr,
        )
    return Operator(settings, arguments)


async def _serve(settings: Settings, child: Operator | None) -> int:
    stop = asyncio.Event()
    _on_signals(stop, child)
    if not _is_loopback(settings.bind):
        print(
            f"Warning: {settings.bind} is not loopback: everybody who reaches this address can try to log in."
            " Access still needs a certificate or token of this control plane.",
            file=sys.stderr,
        )
    server = await Server.start(settings)
    try:
        if child is not None:
            await child.start()
            await child.ready(server, stop)
        if not stop.is_set():
            _say(server.url, settings, _age())
        watching = asyncio.create_task(child.keep()) if child is not None else None
        await stop.wait()
        if watching is not None:
            watching.cancel()
    finally:
        if child is not None:
            await child.stop()
        await server.stop()
    return 0


def _on_signals(stop: asyncio.Event, child: Operator | None) -> None:
    """The first Ctrl-C stops in order, the second at once."""

    def asked() -> None:
        if stop.is_set():
            if child is not None:
                child.kill()
            os._exit(130)  # every acknowledged write is on disk already
        print("\nStopping; once more stops at once.", file=sys.stderr)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)


def _is_loopback(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


def _age() -> float:
    """Seconds since the kernel started this process, imports and all (proc(5): field 22, in clock ticks)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _say(url: str, settings: Settings, seconds: float) -> None:
    print(
        f"The control plane answers at {url} after {seconds:.1f} s; its state is in {settings.state}.\n"
        "\n"
        f"  export KUBECONFIG={settings.kubeconfig}\n"
        "  kubectl get nxc\n"
        "  kubectl apply -f examples/webserver\n"
        "\n"
        "Ctrl-C stops it; what it keeps stays.",
        flush=True,
    )


class Operator:
    """The operator as a child process that is started again when it ends by itself."""

    def __init__(self, settings: Settings, arguments: Sequence[str] = ()) -> None:
        self._settings, self._arguments = settings, tuple(arguments)
        self._log = settings.state / "operator.log"
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start the process; its output goes to operator.log in the state directory."""
        handle = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "controller",
                "run",
                "--kubeconfig",
                str(self._settings.kubeconfig),
                "--identity",
                f"up-{os.uname().nodename}",  # one operator per state: a restart need not wait for its own Lease
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                start_new_session=True,  # Ctrl-C at the terminal is ours to pass on
                preexec_fn=_die_with_parent(),
            )
        finally:
            os.close(handle)

    async def ready(self, server: Server, stop: asyncio.Event) -> None:
        """Wait until the operator holds its Lease, or `stop`.

        Raises `LocalError` when it ends first or takes too long.
        """
        assert self._process is not None
        deadline = time.monotonic() + OPERATOR_SECONDS
        while time.monotonic() < deadline:
            if self._process.returncode is not None:
                raise LocalError(
                    f"the operator ended with code {self._process.returncode}: {self._last_words()}"
                )
            if stop.is_set() or _holds_lease(server):
                return
            await asyncio.sleep(0.05)
        raise LocalError(f"the operator did not answer within {OPERATOR_SECONDS:.0f} s; see {self._log}")

    async def keep(self) -> None:
        """Start the operator again whenever it ends, less and less eagerly."""
        failures = 0
        while True:
            assert self._process is not None
            since = time.monotonic()
            code = await self._process.wait()
            if self._stopping:
                return
            failures = 0 if time.monotonic() - since > 60 else failures + 1
            pause = _BACKOFF[min(failures, len(_BACKOFF)) - 1] if failures else 0.0
            log.error(
                "the operator ended with code %s and starts again in %.0f s; see %s", code, pause, self._log
            )
            await asyncio.sleep(pause)
            await self.start()

    async def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(OPERATOR_SECONDS):
                await process.wait()
        except TimeoutError:
            log.error("the operator did not end within %.0f s and was killed", OPERATOR_SECONDS)
            process.kill()
            await process.wait()

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        return (lines[-1] if lines else "it said nothing") + f" (see {self._log})"


def _holds_lease(server: Server) -> bool:
    """Whether somebody renews the operator's Lease at this server since it was started."""
    leases = server.core.storage.collection(("coordination.k8s.io", "leases"))
    return any(
        lease.get("spec", {}).get("holderIdentity")
        and int(lease["metadata"]["resourceVersion"]) > server.started_at
        for key, lease in leases.objects.items()
        if key.startswith("nxc-system/")
    )


def _die_with_parent() -> Callable[[], None]:
    """Between fork and exec: let the kernel end the child when this process is killed (prctl(2))."""
    prctl = ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    return arrange
