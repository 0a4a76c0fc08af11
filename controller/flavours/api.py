"""The contract between the operator and a flavour's backend.

A backend makes machines and tells what is there. It decides nothing, writes nothing to the API, and is
written so that every verb can be repeated: the operator may die between an action and its record, and
does the action again. Decisions about attempts, retries and blame stand in `controller.plan.node`.

Rules that a backend keeps:

* Everything it makes in the world carries the `MachineKey`, and is found again by it after a restart.
* `boot` of a key makes at most one machine, ever. The record that a key was booted outlives its machine,
  until `release`: a machine that ended or vanished is reported as GONE, not as absent.
* `release` gives back True only when nothing of the node is left, and is safe when nothing was there.
* A change that a reader of `machines` would see is announced by `wake(node)`, at once.
* Failures are raised as `NxcError` with blame; anything else that escapes is a bug in the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from controller.boot.document import Document, Interface, Neighbour
from controller.model.errors import NxcError
from controller.model.information import Host
from controller.model.kinds import Key
from controller.model.machine import Inventory, Machine, MachineKey, Order
from controller.model.manifest import Manifest
from controller.model.testbed import Testbed

ENTRY_POINT_GROUP = "nxc.flavours"


@dataclass(frozen=True, slots=True)
class ClientKey:
    """The SSH key pair of a deployment: the public half as in authorized_keys, the private one as OpenSSH's PEM."""

    public: str
    private: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a node's deployment information is made of, apart from the node itself. Holds no secret."""

    deployment: str
    namespace: str
    hosts: tuple[Host, ...]
    authorized_keys: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)

    def document(
        self,
        *,
        node: str,
        host: str,
        role: str,
        addresses: Mapping[str, str],
        report: str,
        interfaces: tuple[Interface, ...] = (),
    ) -> Document:
        """What one node is told. `addresses`: of machines; a host whose machine has none yet is left out."""
        names = {each.name for each in self.hosts}
        return Document(
            deployment=self.deployment,
            namespace=self.namespace,
            node=node,
            host=host,
            role=role,
            hosts={
                each.name: Neighbour(
                    addresses[each.machine], tuple(alias for alias in each.aliases if alias not in names)
                )
                for each in self.hosts
                if each.machine in addresses
            },
            authorized_keys=self.authorized_keys,
            interfaces=interfaces,
            parameters=self.parameters,
            report=report,
        )


class Briefings(Protocol):
    """Where a backend asks what to tell a node, and with which key to log in."""

    async def brief(self, node: Key, information: str) -> Briefing:
        """What stands behind a digest of deployment information; `NxcError` while that is not known."""

    async def client_key(self, node: Key) -> ClientKey:
        """The key pair of a node's deployment, made where there is none; `NxcError` where it cannot be had."""


class BuiltImage(Protocol):
    """An image on this host."""

    @property
    def manifest(self) -> Manifest:
        """What it is made of."""

    def locate(self, path: str) -> Path:
        """The real file of a logical path of the manifest; `UserError` where it is no file of the image."""

    def tree(self, path: str) -> Path:
        """The real place of a store path of the manifest's closure; `UserError` for any other."""


class ImageSource(Protocol):
    """Where a backend finds images by their digest."""

    async def image(self, digest: str) -> BuiltImage | None:
        """An image that was built here; `None` where it is not, or no longer."""


class Nowhere:
    """No images and no briefings: enough for backends that ask for neither."""

    async def image(self, digest: str) -> BuiltImage | None:
        del digest
        return None

    async def brief(self, node: Key, information: str) -> Briefing:
        raise NxcError("NotKnown", f"nobody knows what to tell {node} ({information})")

    async def client_key(self, node: Key) -> ClientKey:
        raise NxcError("NotKnown", f"nobody knows the key of {node}")


@dataclass(frozen=True, slots=True)
class Context:
    """What a backend gets to live on. `state`: a directory for its records, which outlive the process."""

    installation: str
    wake: Callable[[Key], None]
    clock: Callable[[], datetime]
    state: Path = Path("nxc-state")
    images: ImageSource = field(default_factory=Nowhere)
    briefings: Briefings = field(default_factory=Nowhere)


@runtime_checkable
class Backend(Protocol):
    """One flavour on one testbed."""

    async def probe(self) -> None:
        """Return when the testbed answers and can be used; raise `TestbedError` when it cannot."""

    async def prepare(self, deployment: str) -> None:
        """Make what the nodes of a deployment share (its network). `deployment`: a uid."""

    async def dismantle(self, deployment: str) -> bool:
        """Take that away again; True when nothing of it is left."""

    async def boot(self, order: Order) -> None:
        """Have the machine made. Returns when the order is safely taken, not when it is done."""

    async def inform(self, key: MachineKey, information: str) -> None:
        """Push changed deployment information to a running machine."""

    async def release(self, node: str, owner: Key) -> bool:
        """End and forget every machine of a node, of any attempt; True when nothing is left."""

    async def machines(self, node: str) -> Sequence[Machine]:
        """The machines of a node, by its uid: usually one, none before the first boot."""

    async def inventory(self) -> Inventory:
        """Everything here that carries our installation's id."""

    async def aclose(self) -> None:
        """Let go of connections; machines stay."""


class Flavour(Protocol):
    """What an entry point of the group `nxc.flavours` names: a flavour that can be opened on a testbed."""

    @property
    def name(self) -> str:
        """The value of `spec.flavour`."""

    @property
    def testbed_kinds(self) -> frozenset[str]:
        """The kinds of Testbed that serve it."""

    @property
    def shares_network(self) -> bool:
        """Whether nodes of a deployment need `prepare` and `dismantle`."""

    @property
    def boots_kernel(self) -> bool:
        """Whether nodes boot a kernel of their own: `spec.kernelParameters` is without effect where not."""

    def open(self, testbed: Testbed, context: Context) -> Backend:
        """A backend for this flavour on this testbed. Does no I/O."""


@runtime_checkable
class Particular(Protocol):
    """A flavour of which an image may want more than a testbed grants."""

    def refuse(self, manifest: Manifest, roles: Collection[str], testbed: Testbed) -> None:
        """Raise `UserError` for what these roles want of the host and will not get. Pure; asked before a node is."""
