"""The flavour `docker`: each node a container on this host that sees its role's closure and no more of the store.

Containers are made by docker compose from a file that is rendered from typed fields, and are found by their labels;
what the engine cannot tell stands in the state directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from controller.boot.attempts import Attempt, Attempts
from controller.flavours.api import Briefing, BuiltImage, Context
from controller.flavours.docker_census import Census
from controller.flavours.docker_container import DockerContainer, House, directory_of
from controller.flavours.docker_file import LABEL
from controller.flavours.docker_fitness import Fitness
from controller.flavours.docker_plan import Place, Wishes, document, plan_container, wishes
from controller.flavours.docker_project import (
    DECK_VERSION,
    ROUTES,
    Deck,
    DockerProject,
    choose_subnet,
    unchanged,
)
from controller.flavours.docker_record import VERSION, ContainerRecord
from controller.flavours.docker_wishes import Grants
from controller.flavours.orders import Orders, put_on_record
from controller.flavours.record import Stage, kept, load
from controller.model.errors import Blame, NxcError, TestbedError, UserError
from controller.model.kinds import NODE, TESTBED, Key
from controller.model.machine import Inventory, Machine, MachineKey, Order, Phase
from controller.model.record import Unreadable, read
from controller.model.testbed import Testbed
from controller.testbeds import files
from controller.testbeds.engine import Container, Engine
from controller.testbeds.wall import Wall

logger = logging.getLogger(__name__)

PROBE_KEPT = timedelta(seconds=20)
"""So long a good answer to a probe is taken for the present one, while the engine sends events."""
COMMAND_LINE = Path("/proc/cmdline")
STORE = "/nix/store"


class DockerBackend:
    """The containers of one testbed on this host's engine."""

    def __init__(self, testbed: Testbed, context: Context, forget: Callable[[], None]) -> None:
        self._context, self._forget = context, forget
        self._testbed, self._grants = testbed.meta.name, Grants.of(testbed)
        self._endpoint = testbed.endpoint
        self._state = context.state / "containers" / testbed.meta.name
        self._runtime = files.runtime_directory(self._state)
        self._containers: dict[MachineKey, DockerContainer] = {}
        self._projects: dict[str, DockerProject] = {}
        self._orders = Orders()
        self._wall = Wall()
        self._opening: asyncio.Task[House] | None = None
        self._census: Census | None = None
        self._probed = datetime.min.replace(tzinfo=UTC)

    def grant(self, testbed: Testbed) -> None:
        """What its Testbed allows has changed; running containers stay as they are."""
        self._grants = Grants.of(testbed)

    @property
    def endpoint(self) -> str:
        """That of its engine, as the Testbed has it."""
        return self._endpoint

    @property
    def _labels(self) -> dict[str, str]:
        return {f"{LABEL}installation": self._context.installation, f"{LABEL}testbed": self._testbed}

    # ------------------------------------------------------------ verbs

    async def probe(self) -> None:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        self._see_that_the_engine_answers()
        if self._context.clock() - self._probed < PROBE_KEPT:
            return  # every change of a node asks
        await house.fitness.check()
        await self._keep_the_wall(*self._projects.values())  # others may have flushed the host's rules
        self._probed = self._context.clock()

    async def prepare(self, deployment: str) -> None:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        self._see_that_the_engine_answers()
        project = self._projects.get(deployment)
        if project is None:
            taken = [
                str(config["Subnet"])
                for network in await house.engine.networks()
                for config in network["IPAM"]["Config"] or ()
                if config.get("Subnet")
            ]
            taken += [other.deck.subnet for other in self._projects.values()]
            routes = await asyncio.to_thread(ROUTES.read_text)
            deck = Deck(deployment, choose_subnet(deployment, taken, routes))
            project = self._projects.setdefault(deployment, self._project(house, deck))
            with kept():
                await project.save()
        if project.prepared:
            return  # each node of the deployment asks; whoever removed it meanwhile is found out with the next start
        async with project.guard:
            if not project.prepared:
                await asyncio.gather(project.make_network(), self._keep_the_wall(project))
                project.prepared = True

    async def dismantle(self, deployment: str) -> bool:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        if any(container.record.deployment == deployment for container in self._containers.values()):
            return False
        if await house.engine.containers(self._labels | {f"{LABEL}deployment": deployment}):
            return False
        project = self._projects.get(deployment)
        if project is None:
            project = self._project(house, Deck(deployment, "0.0.0.0/32"))
        await project.dismantle()
        await self._wall.lift(project.bridges)
        self._projects.pop(deployment, None)
        await asyncio.to_thread(files.remove, project.home)
        files.remove_empty(self._runtime, self._runtime.parent)
        return True

    async def boot(self, order: Order) -> None:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        if order.key in self._containers:
            return
        await self._orders.take(order.key, lambda: self._take(house, order))

    async def _take(self, house: House, order: Order) -> None:
        """Put an order on record, and have it started."""
        image = await self._context.images.image(order.image)
        if image is None:
            raise NxcError("ImageMissing", f"image {order.image} is not in the store (any more)")
        wanted = wishes(image.manifest, order.role, self._grants)
        moved = [path for path in wanted.host_paths if not await asyncio.to_thread(unchanged, path)]
        if moved:
            raise UserError(
                "VolumeRefused", f"{moved[0]} of spec.allowedHostPaths is or holds a symbolic link"
            )
        briefing = await self._context.briefings.brief(order.owner, order.information)
        project = self._projects.get(order.deployment)
        if project is None:
            raise TestbedError("NoNetwork", "the network of its deployment is not there")
        token = house.attempts.token(order.key)
        addresses = self._addresses(project, briefing, order.machine)
        told = document(briefing, order.key, order.host, order.role, token, addresses)
        line = await asyncio.to_thread(COMMAND_LINE.read_bytes)
        place = Place(
            store=await self._store(image, wanted, project),
            door=str(directory_of(self._runtime, order.key.node, order.key.attempt)),
            folders=project.folders,
            labels=self._labels,
            command_line_sha256=hashlib.sha256(line.removesuffix(b"\n")).hexdigest(),
        )
        record = plan_container(order, wanted, told, token, place, now=self._context.clock())
        container = DockerContainer(house, record)
        with kept():
            await asyncio.to_thread(_make_folders, project.folders, record.folders)
            await project.save()
            attempt = Attempt(order.key, token, told.canonical(), order.information)
            await put_on_record(house.attempts, attempt, container.home, record)
            await container.open_door()
        self._containers[order.key] = container
        project.start(order.host, (host.name for host in briefing.hosts if host.machine))

    async def inform(self, key: MachineKey, information: str) -> None:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        container = self._containers.get(key)
        if container is None:
            raise TestbedError("NoSuchMachine", f"there is no container {key}")
        record = container.record
        briefing = await self._context.briefings.brief(record.owner, information)
        project = self._projects.get(record.deployment)
        if project is None:
            raise TestbedError("NoNetwork", "the network of its deployment is not there")
        addresses = self._addresses(project, briefing, record.machine)
        told = document(briefing, key, record.host, record.role, house.attempts.token(key), addresses)
        await container.push(told.canonical(), information)

    async def release(self, node: str, owner: Key) -> bool:  # noqa: ARG002 - others find their nodes by name
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        await self._orders.settled(node)
        mine = {key: container for key, container in self._containers.items() if key.node == node}
        for container in mine.values():
            await container.release()
            project = self._projects.get(container.record.deployment)
            if project is not None:
                project.leave(container.record.host)
                async with project.guard:  # a run of docker compose that makes it ends first
                    pass
        labels = self._labels | {f"{LABEL}node": node}
        left = await house.engine.containers(labels)
        for found in left:
            await house.engine.remove_container(found.id)
        if left and await house.engine.containers(labels):
            return False
        for key, container in mine.items():
            await container.forget()
            self._containers.pop(key, None)
        for project in {self._projects.get(container.record.deployment) for container in mine.values()}:
            if project is not None:
                with kept():
                    await project.write_file()
        return True

    async def machines(self, node: str) -> Sequence[Machine]:
        """See `controller.flavours.api.Backend`."""
        await self._house()
        self._see_that_the_engine_answers()
        mine = [container for key, container in self._containers.items() if key.node == node]
        await asyncio.gather(*(container.read_console() for container in mine))
        return [container.state() for container in mine]

    async def inventory(self) -> Inventory:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        found = await house.engine.containers(self._labels)
        ours = [container.state() for container in self._containers.values()]
        known = {str(machine.key) for machine in ours}
        strays = [stray for item in found if (stray := _stray(item)) is not None]
        networks = {
            str(labels[f"{LABEL}deployment"])
            for network in await house.engine.networks()
            if self._labels.items() <= (labels := network["Labels"] or {}).items()
        }
        return Inventory(
            (*ours, *(stray for stray in strays if str(stray.key) not in known)),
            tuple(sorted(networks | self._projects.keys())),
        )

    async def aclose(self) -> None:
        """See `controller.flavours.api.Backend`."""
        self._forget()
        if self._opening is None:
            return
        try:
            house = await self._opening
        except NxcError:
            return  # it never had anything
        await self._orders.settled()
        for project in self._projects.values():
            await project.aclose()
        if self._census is not None:
            await self._census.aclose()
        await asyncio.gather(*(container.aclose() for container in self._containers.values()))
        await house.engine.aclose()
        self._containers.clear()

    # ------------------------------------------------------------ what it is made of

    async def _house(self) -> House:
        """What containers share; with the first call, what an earlier process left is taken up."""
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> House:
        engine = Engine(self._endpoint)
        try:
            attempts = Attempts(self._state / "attempts", self._heard)
            decks = list(files.records(self._state / "deployments"))
            records = list(files.records(self._state / "machines"))
        except OSError as error:
            raise TestbedError(
                "StateUnusable", f"the directory of containers cannot be used: {error}"
            ) from None
        fitness = Fitness(engine, self._state, self._labels)
        house = House(self._context, self._state, self._runtime, attempts, engine, fitness)
        for home, text in decks:
            try:
                deck = read(text, DECK_VERSION, Deck.from_dict)
            except Unreadable as error:  # its network is found by its label, and goes when nobody wants it
                logger.error("the record in %s cannot be used: %s", home, error)
                continue
            self._projects[deck.deployment] = self._project(house, deck)
        for home, text in records:
            record = load(
                *(home, text, VERSION, ContainerRecord.from_dict, ContainerRecord.lost),
                installation=self._context.installation,
                now=self._context.clock(),
            )
            self._containers[record.key] = DockerContainer(house, record)
        attempts.keep_only(self._containers)
        for container in list(self._containers.values()):
            await container.open_door()
        self._census = Census(engine, self._labels, partial(self._counted, house), self._lost)
        self._census.begin()
        await self._census.first()
        for container in list(self._containers.values()):
            project = self._projects.get(container.record.deployment)
            if container.record.stage in (Stage.ORDERED, Stage.STARTING):
                if project is not None:
                    project.start(container.record.host)
                else:
                    await container.end("the record of its network is gone", Blame.CONTROLLER)
        return house

    def _project(self, house: House, deck: Deck) -> DockerProject:
        def of_it() -> list[DockerContainer]:
            return [item for item in self._containers.values() if item.record.deployment == deck.deployment]

        def services() -> Mapping[str, Mapping[str, Any]]:
            return {item.record.host: item.record.service for item in of_it() if item.wanted}

        async def waiting(hosts: list[str]) -> list[str]:
            with contextlib.suppress(NxcError):
                await self._count()
            return [
                item.record.host
                for item in of_it()
                if item.record.host in hosts and item.wanted and item.record.stage is not Stage.RUNNING
            ]

        async def failed(host: str, error: NxcError) -> None:
            for item in of_it():
                if item.record.host == host and item.wanted:
                    await item.end(f"{error.reason}: {error.message}", error.blame)

        async def starting(hosts: Sequence[str]) -> None:
            await asyncio.gather(*(item.starting() for item in of_it() if item.record.host in hosts))

        return DockerProject(
            deck,
            self._state / "deployments" / deck.deployment,
            house.engine,
            house.fitness.compose,
            self._labels,
            services=services,
            starting=starting,
            waiting=waiting,
            failed=failed,
        )

    async def _keep_the_wall(self, *projects: DockerProject) -> None:
        """Between containers and the host's services; a testbed that is trusted has none."""
        if not self._grants.trusted:
            await self._wall.keep([bridge for project in projects for bridge in project.bridges])

    def _see_that_the_engine_answers(self) -> None:
        if self._census is not None and self._census.away is not None:
            raise self._census.away

    async def _store(self, image: BuiltImage, wanted: Wishes, project: DockerProject) -> dict[str, str]:
        """What a container sees of the store: real places by logical ones."""
        closure = wanted.system.closure or tuple(sorted(image.manifest.closure))
        places = {path: image.tree(path).absolute() for path in closure}
        if self._grants.trusted:
            return {STORE: str(image.tree(wanted.system.toplevel).absolute().parent)}
        places[STORE] = await asyncio.to_thread(project.make_store, wanted.system.toplevel, places)
        return {path: str(place) for path, place in places.items() if not place.is_symlink()}

    def _addresses(self, project: DockerProject, briefing: Briefing, machine: str) -> dict[str, str]:
        """Where the machines of a deployment are; those that still run keep their place."""
        machines = [machine, *(host.machine for host in briefing.hosts if host.machine)]
        kept = [
            item.record.machine
            for item in self._containers.values()
            if item.record.deployment == project.deck.deployment
        ]
        project.deck.place(machines, kept)
        return {name: project.deck.address(name) for name in dict.fromkeys(machines)}

    # ------------------------------------------------------------ what happens

    async def _count(self) -> None:
        assert self._census is not None
        await self._census.count()

    async def _counted(self, house: House, while_away: bool) -> None:
        assert self._census is not None
        by_key = {
            (item.labels.get(f"{LABEL}node"), item.labels.get(f"{LABEL}attempt")): item
            for item in self._census.found.values()
        }
        await asyncio.gather(
            *(
                container.see(by_key.get((key.node, str(key.attempt))), while_away=while_away)
                for key, container in self._containers.items()
            )
        )
        if while_away:
            house.fitness.doubt()
            self._probed = datetime.min.replace(tzinfo=UTC)
            for project in self._projects.values():
                project.prepared = False
            self._wake_all()

    def _lost(self) -> None:
        self._wake_all()

    def _wake_all(self) -> None:
        self._context.wake(Key(TESTBED, "", self._testbed))
        for container in self._containers.values():
            self._context.wake(container.record.owner)

    def _heard(self, key: MachineKey) -> None:
        container = self._containers.get(key)
        if container is not None:
            container.heard()


def _stray(found: Container) -> Machine | None:
    """A container that carries our id and is not on record."""
    labels = found.labels
    namespace, _, name = labels.get(f"{LABEL}owner", "").partition("/")
    node, attempt = labels.get(f"{LABEL}node", ""), labels.get(f"{LABEL}attempt", "")
    if not node or not attempt.isdecimal():
        return None
    return Machine(
        key=MachineKey(labels[f"{LABEL}installation"], node, int(attempt)),
        owner=Key(NODE, namespace, name),
        deployment=labels.get(f"{LABEL}deployment", ""),
        machine=found.name,
        digest="",
        phase=Phase.RUNNING if found.up else Phase.GONE,
    )


def _make_folders(parent: Path, names: Sequence[str]) -> None:
    """The folders of a deployment, each a mount of its own: no container sees the one above."""
    for name in names:
        (parent / name).mkdir(mode=0o755, parents=True, exist_ok=True)
