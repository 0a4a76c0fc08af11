"""What the plugin asks of the API server, with errors for people: what is missing, and what to do."""

from __future__ import annotations

import base64
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.driver.target import Identity, Target, target_of
from controller.kube.api import Api, Forbidden, NotFound
from controller.model.composition import Composition
from controller.model.deployment import Deployment
from controller.model.errors import TestbedError, UserError
from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, SECRET, TESTBED
from controller.model.names import natural, secret_name
from controller.model.node import Node

PRIVATE_KEY = "ssh-privatekey"
"""Field of a Secret of type `kubernetes.io/ssh-auth`."""


@dataclass(frozen=True, slots=True)
class Access:
    """One namespace of an API server, with the caller's rights."""

    api: Api
    namespace: str

    async def deployment(self, name: str) -> Deployment:
        """A Deployment. Raises `UserError` where there is none of the name."""
        try:
            return Deployment.parse(await self.api.get(DEPLOYMENT, self.namespace, name))
        except NotFound:
            raise UserError("NoSuchDeployment", await self._missing(name)) from None

    async def nodes(self, deployment: str) -> list[Node]:
        """Its nodes, by role and host."""
        listing = await self.api.list(NODE, namespace=self.namespace)
        nodes = [Node.parse(obj) for obj in listing.items]
        nodes = [node for node in nodes if node.spec.deployment == deployment]
        return sorted(nodes, key=lambda node: (natural(node.spec.role), natural(node.spec.host)))

    async def node(self, deployment: str, host: str) -> Node | None:
        """One node as it stands now."""
        try:
            return Node.parse(await self.api.get(NODE, self.namespace, f"{deployment}.{host}"))
        except NotFound:
            return None

    async def composition(self, deployment: Deployment) -> Composition:
        """The composition of a Deployment. Raises `UserError` where it is gone."""
        try:
            return Composition.parse(await self.api.get(COMPOSITION, self.namespace, deployment.composition))
        except NotFound:
            raise UserError(
                "NoSuchComposition",
                f"nxd/{deployment.meta.name} is made from composition {deployment.composition!r}, which is not there",
            ) from None

    async def identity(self, deployment: str, *, user: str, file: Path | None) -> Identity:
        """Who logs in: by the caller's own key file, or else by the deployment's key.

        Raises `UserError` where the Secret may not be read, or is not there.
        """
        if file is not None:
            return _own(user, file)
        name = secret_name(deployment)
        try:
            secret = await self.api.get(SECRET, self.namespace, name)
        except Forbidden:
            raise UserError(
                "KeyForbidden",
                f"you may not read Secret {self.namespace}/{name} with the deployment's SSH key: that takes the "
                f"role edit in namespace {self.namespace}. With view alone, have your own public key added to "
                f"spec.authorizedKeys of nxd/{deployment} (it is pushed to running nodes at once) and name its "
                "private half with --identity FILE",
            ) from None
        except NotFound:
            raise UserError(
                "NoKey",
                f"there is no Secret {self.namespace}/{name}: the controller makes it with the first node (kubectl nxc "
                f"status {deployment} says how far it is), and puts it back within five minutes if it was deleted",
            ) from None
        try:
            key = base64.b64decode((secret.get("data") or {})[PRIVATE_KEY], validate=True).decode()
        except (KeyError, ValueError):
            raise UserError(
                "NoKey",
                f"Secret {self.namespace}/{name} has no key in {PRIVATE_KEY}: delete it, it is made anew",
            ) from None
        return Identity(user, key=key)

    async def targets(self, deployment: Deployment, nodes: Sequence[Node], *, via: str) -> list[Target]:
        """Where nodes answer. Raises `TestbedError` for the first that does not, and where they are elsewhere."""
        if not nodes:
            raise TestbedError("NoNodes", await self.no_nodes(deployment))
        targets = [target_of(node) for node in nodes]
        await self.look_around(deployment, targets, via=via)
        return targets

    async def look_around(self, deployment: Deployment, targets: Sequence[Target], *, via: str) -> None:
        """Raises `TestbedError` where nodes answer on the controller's host alone, and this is another."""
        if via or not any(target.loopback for target in targets):
            return
        host = await self._testbed_host(deployment.status.testbed)
        if host and host != socket.gethostname():
            raise TestbedError(
                "NotThisHost",
                f"the nodes of nxd/{deployment.meta.name} answer on the controller's host {host} alone "
                f"({targets[0].address}), and this is {socket.gethostname()}: run this there, or name a way "
                f"to it that ssh knows with --via {host}",
            )

    async def no_nodes(self, deployment: Deployment) -> str:
        """Why a deployment has no nodes, in a sentence."""
        conditions = deployment.status.conditions
        told = [conditions[type] for type in ("Expired", "Stalled", "Reconciling", "Ready")]
        why = next((condition.message for condition in told if condition is not None), "")
        why = why or "the controller has not looked at it yet (is it running?)"
        return f"nxd/{deployment.meta.name} has no nodes: {why}"

    async def _testbed_host(self, name: str) -> str:
        """The host that a testbed is on; empty where it is not bound to one, or is not ours to read."""
        if not name:
            return ""
        try:
            testbed = await self.api.get(TESTBED, "", name)
        except (Forbidden, NotFound):
            return ""
        return str((testbed.get("spec") or {}).get("host") or "")

    async def _missing(self, name: str) -> str:
        try:
            listing = await self.api.list(DEPLOYMENT, namespace=self.namespace)
        except NotFound:
            return (
                "this cluster has no deployments.nxc.dev: nxc-controller is not installed there, "
                "or this is another cluster than you mean (kubectl config current-context)"
            )
        except Forbidden:
            return f"there is no nxd {name!r} in namespace {self.namespace!r}"
        names = sorted((item["metadata"]["name"] for item in listing.items), key=natural)
        there = f"there are: {', '.join(names)}" if names else "it has none at all"
        return (
            f"there is no nxd {name!r} in namespace {self.namespace!r}; {there} (another namespace: -n NAME)"
        )


def _own(user: str, file: Path) -> Identity:
    file = file.expanduser()
    if not file.is_file():
        raise UserError("NoIdentity", f"--identity: there is no file {file}")
    return Identity(user, file=file)
