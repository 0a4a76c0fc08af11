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
from controller.local.testbeds import docker_testbeds, local_testbed

MANAGER = "nxc-controller-up"
OPERATOR_NAMESPACE = "nxc-system"


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
