"""The kinds of objects that the operator reads and writes, and the keys that name one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

GROUP = "nxc.dev"
VERSION = "v1alpha1"

MACHINE_FINALIZER = "nxc.dev/machine"
RESERVATION_FINALIZER = "nxc.dev/reservation"
IN_USE_FINALIZER = "nxc.dev/in-use"

DEPLOYMENT_LABEL = "nxc.dev/deployment"
ROLE_LABEL = "nxc.dev/role"
NETWORK_LABEL = "nxc.dev/network"
"""Of a DeployedNode: the uid of the Deployment on whose network it is, also when that is gone (orphans)."""
REQUESTED_AT = "nxc.dev/requestedAt"
"""Annotation: a new value asks the operator to look at the object again (Flux's `requestedAt` convention)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, with what a URL needs to reach it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return self.kind


COMPOSITION = Kind(GROUP, VERSION, "Composition", "compositions", namespaced=True)
DEPLOYMENT = Kind(GROUP, VERSION, "Deployment", "deployments", namespaced=True)
NODE = Kind(GROUP, VERSION, "DeployedNode", "deployednodes", namespaced=True)
TESTBED = Kind(GROUP, VERSION, "Testbed", "testbeds", namespaced=False)
WATCHED = (COMPOSITION, DEPLOYMENT, NODE, TESTBED)

EVENT = Kind("", "v1", "Event", "events", namespaced=True)
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
SECRET = Kind("", "v1", "Secret", "secrets", namespaced=True)
CONFIGMAP = Kind("", "v1", "ConfigMap", "configmaps", namespaced=True)
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
CRD = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)


class Key(NamedTuple):
    """The name of one object. `namespace` is empty for cluster-scoped kinds."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        path = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind.kind} {path}"
