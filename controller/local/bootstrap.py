"""What a control plane holds before anybody writes to it: roles, the four CRDs, a namespace, a Testbed."""

from __future__ import annotations

import os
from typing import Any

from controller import shipped
from controller.local.core.api import ApiCore
from controller.local.core.bootstrap_rbac import bootstrap_objects
from controller.local.core.errors import ApiError
from controller.local.core.request import APPLY_PATCH, Request
from controller.local.core.storage import Object

MANAGER = "nxc-controller-up"
OPERATOR_NAMESPACE = "nxc-system"
RESERVED_MEMORY = 1 << 30
"""Bytes of this machine that the Testbed `local` leaves to its owner."""


def install(core: ApiCore) -> None:
    """Create what is missing and bring the CRDs up to date; everything else that exists is left as it is.

    Raises `ApiError` as any write does.
    """
    for document in shipped.crds():
        apply(core, document)
    core.settle()
    for document in [*bootstrap_objects(), _namespace(), local_testbed()]:
        create(core, document)


def create(core: ApiCore, document: Object) -> None:
    """Create an object unless one of its name exists."""
    try:
        core.handle(_request(core, "create", document))
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise


def apply(core: ApiCore, document: Object) -> None:
    """Server-side apply: nothing is written where nothing is new."""
    core.handle(_request(core, "patch", document, patch_type=APPLY_PATCH, force=True, field_manager=MANAGER))


def _request(core: ApiCore, verb: Any, document: Object, **more: Any) -> Request:
    found = core.registry.by_api_version(document["apiVersion"], document["kind"])
    if found is None:
        raise LookupError(f"{document['apiVersion']} {document['kind']} is not served")
    metadata = document["metadata"]
    return Request(
        verb=verb,
        group=found.group,
        version=found.version,
        plural=found.plural,
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        body=document,
        user_agent=MANAGER,
        **more,
    )


def _namespace() -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}}


def local_testbed() -> Object:
    """The Testbed `local`: this machine, open to every namespace, with what memory it can spare."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    spare = max(memory - RESERVED_MEMORY, memory // 2) >> 20
    nodes = max(4, spare // 128)  # the smallest machine that boots has 128 MiB
    return {
        "apiVersion": "nxc.dev/v1alpha1",
        "kind": "Testbed",
        "metadata": {"name": "local"},
        "spec": {
            "kind": "local",
            "host": os.uname().nodename,
            "allowedNamespaces": {"from": "All"},
            "capacity": {"nodes": nodes, "memory": f"{spare}Mi"},
            "default": True,
        },
    }
