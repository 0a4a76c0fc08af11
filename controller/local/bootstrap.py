"""What a control plane holds before anybody writes to it: roles, the four CRDs, a namespace, Testbeds."""

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
DOCKER_HOST = "unix:///var/run/docker.sock"
"""Where a Docker engine is unless the environment says otherwise."""


def install(core: ApiCore) -> None:
    """Create what is missing, and bring CRDs and default roles up to date; all else that exists is left alone.

    Raises `ApiError` as any write does.
    """
    for document in shipped.crds():
        apply(core, document)
    core.settle()
    for document in bootstrap_objects():
        if document.get("aggregationRule"):
            document = {
                key: value for key, value in document.items() if key != "rules"
            }  # `upkeep` fills them in
        if not _is_kept(core, document):
            apply(core, document)
    for document in (_namespace(), local_testbed(), *docker_testbeds(os.environ.get("DOCKER_HOST", ""))):
        create(core, document)


def _is_kept(core: ApiCore, document: Object) -> bool:
    """Whether the administrator took this default role or binding over.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation
    """
    found = core.registry.by_api_version(document["apiVersion"], document["kind"])
    stored = core.storage.get(found.storage, "", document["metadata"]["name"]) if found is not None else None
    annotations = (stored or {}).get("metadata", {}).get("annotations") or {}
    return bool(annotations.get("rbac.authorization.kubernetes.io/autoupdate") == "false")


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
    return _testbed("local", {})


def docker_testbeds(endpoint: str) -> list[Object]:
    """The Testbed `docker`, where this machine has a Docker engine. `endpoint`: DOCKER_HOST, or nothing."""
    socket = (endpoint or DOCKER_HOST).removeprefix("unix://")
    if not socket.startswith("/") or not os.path.exists(socket):
        return []
    return [_testbed("docker", {"endpoint": f"unix://{socket}"})]


def _testbed(kind: str, more: Object) -> Object:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    spare = max(memory - RESERVED_MEMORY, memory // 2) >> 20
    nodes = max(4, spare // 128)  # the smallest machine that boots has 128 MiB
    return {
        "apiVersion": "nxc.dev/v1alpha1",
        "kind": "Testbed",
        "metadata": {"name": kind},
        "spec": {
            "kind": kind,
            "host": os.uname().nodename,
            **more,
            "allowedNamespaces": {"from": "All"},
            "capacity": {"nodes": nodes, "memory": f"{spare}Mi"},
            "default": True,
        },
    }
