"""What the containers of one deployment share: a network, a Compose file, volumes and folders.

Its builder has the containers that are wanted started: as many at a time as are ordered, so that sixteen take one
run of docker compose; and where a run fails, each that did not start alone, so that one bad node holds back none.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import logging
import os
import posixpath
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.flavours import docker_blame
from controller.flavours.docker_file import BASE_IMAGE, LABEL, NETWORK, Project
from controller.model.errors import NxcError, TestbedError
from controller.testbeds import files
from controller.testbeds.compose import Compose
from controller.testbeds.engine import Engine, EngineError

logger = logging.getLogger(__name__)

POOL = ipaddress.IPv4Network("10.208.0.0/12")
PREFIX = 22
"""Networks of deployments: 1024 of 1021 nodes each; a Linux bridge has 1023 ports."""
DECK_VERSION = 1
"""Of the format of a deployment's record."""
FILE = "compose.yaml"
AGAIN = (0.5, 1.0, 2.0, 5.0)
GATHER, GATHER_MOST = 0.4, 3.0
"""Seconds without a new order, and seconds in all, that orders of the deployment's other hosts are waited for."""
ROUTES = Path("/proc/net/route")


@dataclass(slots=True)
class Deck:
    """One deployment's record. `numbers`: the place of each machine in `subnet`, from 2 on (1 is the host)."""

    deployment: str
    subnet: str
    numbers: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As its file has it."""
        return {
            "version": DECK_VERSION,
            "deployment": self.deployment,
            "subnet": self.subnet,
            "numbers": dict(self.numbers),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Deck:
        """Read what `to_dict` wrote."""
        return cls(value["deployment"], value["subnet"], {k: int(v) for k, v in value["numbers"].items()})

    def place(self, machines: Iterable[str], kept: Iterable[str]) -> bool:
        """Give each machine a number, and let go of those that nobody names or `kept` has; whether that changed any."""
        machines, before = list(machines), dict(self.numbers)
        named = {*machines, *kept}
        self.numbers = {name: number for name, number in self.numbers.items() if name in named}
        for name in machines:
            if name not in self.numbers:
                taken = set(self.numbers.values())
                self.numbers[name] = next(number for number in range(2, 1 << 16) if number not in taken)
        return self.numbers != before

    def address(self, machine: str) -> str:
        """Where a machine is. Raises `TestbedError` where the network has no room for it."""
        network = ipaddress.IPv4Network(self.subnet)
        if self.numbers[machine] >= network.num_addresses - 1:
            raise TestbedError("NetworkFull", f"the network {self.subnet} has no room for more nodes")
        return str(network[self.numbers[machine]])


class DockerProject:
    """The network and the Compose file of one deployment, and the builder that starts its containers."""

    def __init__(
        self,
        deck: Deck,
        home: Path,
        engine: Engine,
        compose: Callable[[], Awaitable[Compose]],
        labels: Mapping[str, str],
        *,
        services: Callable[[], Mapping[str, Mapping[str, Any]]],
        starting: Callable[[Sequence[str]], Awaitable[None]],
        waiting: Callable[[list[str]], Awaitable[list[str]]],
        failed: Callable[[str, NxcError], Awaitable[None]],
    ) -> None:
        """`services`: what stands in the file, by host; `waiting`: which of some hosts have no running container.

        `starting` is told before docker compose may make containers of these hosts; `failed` is told of one that
        cannot be started, and why.
        """
        self.deck, self.home, self._engine, self._compose = deck, home, engine, compose
        self.guard = asyncio.Lock()
        self._services, self._starting = services, starting
        self._waiting, self._failed = waiting, failed
        self._project = Project(
            f"nxc-{deck.deployment}", deck.subnet, {**labels, f"{LABEL}deployment": deck.deployment}
        )
        self.prepared = False
        """Whether its network was seen to be there, and nothing has happened since that makes that doubtful."""
        self._wanted: set[str] = set()
        self._expected: frozenset[str] = frozenset()
        self._saving, self._saved = asyncio.Lock(), dict[str, Any]()
        self._news = asyncio.Event()
        self._builder: asyncio.Task[None] | None = None

    @property
    def folders(self) -> Path:
        """Where the folders of `extraVolumes` are."""
        return self.home / "shared"

    @property
    def name(self) -> str:
        """Its name at the engine: of the project and of its network."""
        return self._project.name

    @property
    def bridges(self) -> tuple[str, ...]:
        """The host's interfaces of its networks, whether they are there or not."""
        return tuple(self._project.bridges.values())

    async def save(self) -> None:
        """Put the deck on record, where it has changed. Raises `OSError`."""
        async with self._saving:
            deck = self.deck.to_dict()
            if deck != self._saved:
                await asyncio.to_thread(files.write_record, self.home, deck)
                self._saved = deck

    def start(self, host: str, expected: Iterable[str] = ()) -> None:
        """Have a container started, soon. `expected`: the hosts of the deployment, which may be ordered as well."""
        self._wanted.add(host)
        self._expected = frozenset(expected)
        self._news.set()
        if self._builder is None or self._builder.done():
            self._builder = asyncio.create_task(self._build())
            self._builder.add_done_callback(self._built)

    def leave(self, host: str) -> None:
        """A container is not wanted any more."""
        self._wanted.discard(host)

    def make_store(self, toplevel: str, places: Mapping[str, Path]) -> Path:
        """A directory with an empty entry for each store path: where they are mounted in a store that is read-only."""
        store = self.home / "store" / Path(toplevel).name
        store.mkdir(parents=True, exist_ok=True)
        for logical, real in places.items():
            entry = store / Path(logical).name
            if real.is_symlink():
                entry.unlink(missing_ok=True)
                entry.symlink_to(os.readlink(real))
            elif real.is_dir():
                entry.mkdir(exist_ok=True)
            else:
                entry.touch()
        return store

    async def make_network(self) -> None:
        """Have the network. Raises `TestbedError`, `NetworkNameTaken` where another has its name."""
        known = await self._engine.networks()
        for network in known:
            if network["Name"] == self.name:
                if (network["Labels"] or {}).get(f"{LABEL}deployment") != self.deck.deployment:
                    raise TestbedError(
                        "NetworkNameTaken",
                        f"the engine has a network {self.name} that is not ours; remove it "
                        f"(docker network rm {self.name})",
                    )
                return
        labels = {
            **self._project.labels,
            "com.docker.compose.project": self.name,
            "com.docker.compose.network": NETWORK,
        }
        try:
            bridge = self._project.bridges[NETWORK]
            await self._engine.create_network(self.name, self.deck.subnet, bridge, labels)
        except EngineError as error:
            if "already exists" not in error.said:
                raise docker_blame.refusal(error.said) from None

    async def write_file(self) -> Path:
        """The Compose file as it has to be now."""
        services, file = dict(self._services()), self.home / FILE

        def write() -> None:
            text = self._project.render(services)
            if not file.exists() or file.read_text() != text:
                new = file.with_suffix(".new")
                descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "w") as stream:
                    stream.write(text)
                new.replace(file)

        await asyncio.to_thread(write)
        return file

    async def dismantle(self) -> None:
        """Remove network and volumes from the engine. Raises `TestbedError`."""
        await self.aclose()
        labels = self._project.labels
        for network in await self._engine.networks():
            carried = network["Labels"] or {}
            if all(carried.get(key) == value for key, value in labels.items()):
                await self._engine.remove_network(network["Id"])
        for volume in await self._engine.volumes(labels):
            await self._engine.remove_volume(volume)

    async def aclose(self) -> None:
        """Start nothing more; a run of docker compose is ended."""
        if self._builder is not None:
            self._builder.cancel()
            await asyncio.wait([self._builder], timeout=5.0)
            self._builder = None

    # ------------------------------------------------------------ the builder

    def _built(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the builder of %s: %s", self.name, error, exc_info=error)

    async def _build(self) -> None:
        failures = 0
        while True:
            await self._news.wait()
            await self._gather()
            again = await self._round()
            if again:
                await asyncio.sleep(AGAIN[min(failures, len(AGAIN) - 1)])
                failures += 1
                self._news.set()
            else:
                failures = 0

    async def _gather(self) -> None:
        """Orders of one deployment come within moments of each other, and a run of docker compose is dear."""
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER_MOST):
                while self._expected - self._services().keys():
                    async with asyncio.timeout(GATHER):
                        await self._news.wait()
                    self._news.clear()

    async def _round(self) -> bool:
        """Start what is wanted; whether something is left to be tried again."""
        hosts, self._wanted = sorted(self._wanted), set()
        error = await self._up(hosts) if hosts else None
        if error is None:
            return False
        for host in await self._waiting(hosts):
            alone = len(hosts) == 1 or docker_blame.transient(error)
            why = error if alone else await self._up([host])
            if why is not None and docker_blame.transient(why):
                self._wanted.add(host)
            elif why is not None and await self._waiting([host]):
                await self._failed(host, why)
        if self._wanted:
            logger.warning("containers of %s are tried again: %s", self.name, error.message)
        return bool(self._wanted)

    async def _up(self, hosts: list[str]) -> NxcError | None:
        async with self.guard:
            wanted = [host for host in hosts if host in self._services()]
            if not wanted:
                return None
            try:
                if not await self._engine.has_image(BASE_IMAGE):
                    await self._engine.import_empty_image(BASE_IMAGE)
                await self.make_network()
                file = await self.write_file()
                await self._starting(wanted)
                outcome = await (await self._compose()).up(file, self.name, wanted)
            except NxcError as error:
                return error
            except OSError as error:
                return TestbedError("StateUnusable", f"the Compose file cannot be written: {error}")
        if outcome.status != 0:
            return docker_blame.refusal(outcome.said)
        if missing := await self._waiting(wanted):
            return TestbedError("EngineRefused", f"docker compose left {', '.join(missing)} without a word")
        return None


def choose_subnet(deployment: str, taken: Iterable[str], routes: str) -> str:
    """A subnet that no other deployment, network of the engine or route of the host has. Pure.

    `routes` as in /proc/net/route. The same deployment begins to look at the same place. Raises `TestbedError`.
    """
    used = [*_networks(taken), *_routes(routes)]
    subnets = list(POOL.subnets(new_prefix=PREFIX))
    start = int.from_bytes(hashlib.sha256(deployment.encode()).digest()[:4]) % len(subnets)
    for at in range(len(subnets)):
        subnet = subnets[(start + at) % len(subnets)]
        if not any(subnet.overlaps(other) for other in used):
            return str(subnet)
    raise TestbedError("NoSubnet", f"no subnet of {POOL} is free on this host")


def _networks(texts: Iterable[str]) -> list[ipaddress.IPv4Network]:
    found = []
    for text in texts:
        network = ipaddress.ip_network(text, strict=False)
        if isinstance(network, ipaddress.IPv4Network):
            found.append(network)
    return found


def _routes(text: str) -> list[ipaddress.IPv4Network]:
    """Destinations of /proc/net/route (hex, little endian) but the default."""
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[7] != "00000000":
            address, mask = (int.from_bytes(bytes.fromhex(words[at]), "little") for at in (1, 7))
            found.append(ipaddress.IPv4Network((address, mask.bit_count()), strict=False))
    return found


def unchanged(path: str) -> bool:
    """Whether a path of the host leads where it says: no part of it is a symbolic link. Blocks, briefly."""
    return posixpath.normpath(path) == os.path.realpath(path)
