"""From an order to what a container is made of and is told. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from controller.boot.document import Document, fingerprint
from controller.flavours import docker_wishes
from controller.flavours.api import Briefing
from controller.flavours.docker_file import DOOR, LABEL, Service
from controller.flavours.docker_record import ContainerRecord
from controller.flavours.docker_wishes import Grants, Source, Volume
from controller.model.errors import UserError
from controller.model.machine import MachineKey, Order
from controller.model.manifest import Manifest, RoleSystem

INLINE_LIMIT = 96 * 1024
"""Bytes of a document that goes into the environment; Linux takes 128 KiB a variable (MAX_ARG_STRLEN)."""
SOCKET = f"http://unix:{DOOR}/door:"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a role wants of its host, taken apart and granted."""

    system: RoleSystem
    volumes: tuple[Volume, ...]
    ports: tuple[docker_wishes.Port, ...]

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders of the deployment that must be there."""
        return tuple(sorted({volume.name for volume in self.volumes if volume.source is Source.FOLDER}))

    @property
    def host_paths(self) -> tuple[str, ...]:
        """Paths of the host that it mounts."""
        return tuple(sorted({volume.name for volume in self.volumes if volume.source is Source.HOST}))


def wishes(manifest: Manifest, role: str, grants: Grants) -> Wishes:
    """What `role` of an image wants. Raises `UserError` for what its Testbed does not grant, named."""
    system = manifest.system_of(role)
    docker_wishes.granted(role, system.privileges, grants)
    volumes = tuple(docker_wishes.volume(role, text, grants) for text in manifest.extra_volumes.get(role, ()))
    targets = [volume.target for volume in volumes]
    if len(set(targets)) < len(targets):
        raise UserError("VolumeRefused", f"extraVolumes of role {role!r} mount two things at one place")
    return Wishes(system, volumes, docker_wishes.ports(role, manifest.docker_ports.get(role, ()), grants))


def document(
    briefing: Briefing, key: MachineKey, host: str, role: str, token: str, addresses: Mapping[str, str]
) -> Document:
    """What one node is told, with the way to its door."""
    report = f"{SOCKET}/v1/report/{token}"
    return briefing.document(node=key.node, host=host, role=role, addresses=addresses, report=report)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container will be: what of the host it sees, and its labels but for its own."""

    store: Mapping[str, str]
    door: str
    folders: Path
    labels: Mapping[str, str]
    command_line_sha256: str


def plan_container(
    order: Order, wanted: Wishes, told: Document, token: str, place: Place, *, now: datetime
) -> ContainerRecord:
    """The record of the container that an order asks for."""
    text = told.canonical()
    if len(text) <= INLINE_LIMIT:
        environment = {"NXC_INFO": base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii")}
    else:
        environment = {"NXC_URL": f"{SOCKET}/v1/info/{token}", "NXC_SHA256": fingerprint(text)}
    own = told.hosts.get(order.host)
    service = Service(
        host=order.host,
        aliases=own.aliases if own is not None else (),
        init=wanted.system.init,
        environment=environment,
        labels={
            **place.labels,
            f"{LABEL}deployment": order.deployment,
            f"{LABEL}node": order.key.node,
            f"{LABEL}attempt": str(order.key.attempt),
            f"{LABEL}owner": f"{order.owner.namespace}/{order.owner.name}",
            f"{LABEL}role": order.role,
        },
        address=own.address if own is not None else "",
        store=place.store,
        door=place.door,
        folders=place.folders,
        volumes=wanted.volumes,
        ports=wanted.ports,
        memory=order.resources.memory,
        cpus=order.resources.cpus,
        privileges=wanted.system.privileges,
    )
    return ContainerRecord(
        key=order.key,
        owner=order.owner,
        deployment=order.deployment,
        digest=order.digest,
        machine=order.machine,
        role=order.role,
        host=order.host,
        toplevel=wanted.system.toplevel,
        readiness=wanted.system.readiness,
        ports=wanted.system.ports.tcp,
        command_line_sha256=place.command_line_sha256,
        service=service.to_dict(),
        folders=wanted.folders,
        address=service.address,
        information=order.information,
        since=now,
    )
