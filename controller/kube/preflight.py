"""What must be true of an API server before the operator can work on it.

Each finding is one sentence that names what is missing and the command that mends it. The operator waits
and looks again: everything here can be mended while it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from controller.kube.api import ApiError, Forbidden, NotFound, Unauthorized, Unreachable
from controller.kube.client import Client, path
from controller.model.kinds import (
    COMPOSITION,
    CONFIGMAP,
    CRD,
    DEPLOYMENT,
    EVENT,
    GROUP,
    LEASE,
    NAMESPACE,
    NODE,
    SECRET,
    TESTBED,
    WATCHED,
    Kind,
)

CRD_REVISION = "nxc.dev/crd-revision"
"""Annotation on our CRDs: counts up with every change of a schema that the operator relies on."""

NEEDS: tuple[tuple[Kind, str, Sequence[str]], ...] = (
    *((kind, "", ("list", "watch", "get")) for kind in WATCHED),
    *((kind, "status", ("patch",)) for kind in (COMPOSITION, DEPLOYMENT, NODE, TESTBED)),
    (DEPLOYMENT, "", ("patch",)),
    (TESTBED, "", ("patch",)),
    (NODE, "", ("create", "patch", "delete")),
    (EVENT, "", ("get", "create", "patch")),
    (NAMESPACE, "", ("get",)),
    (SECRET, "", ("get",)),
    (CONFIGMAP, "", ("get",)),
    (LEASE, "", ("get", "create", "patch")),
)


TRIES = 10
PAUSE, PAUSE_LIMIT = 0.2, 2.0
"""Seconds between two tries of one question, where the server does not name them."""
TOO_MANY, SERVER_ERROR = 429, 500


async def findings(client: Client, *, revision: int, namespace: str) -> AsyncIterator[str]:
    """What is wrong, most basic first.

    `revision`: that of the CRDs this operator was made for. `namespace`: its own, where its Lease is; all else
    it must be allowed everywhere.
    """
    try:
        await _ask(client, "GET", "/version")
    except Unreachable as error:
        yield f"{error.message}; is it running, and is this the right kubeconfig?"
        return
    except Unauthorized as error:
        yield f"{client.server} does not accept the login of this kubeconfig ({error.message}): renew it"
        return
    missing = False
    if not await _exists(client, NAMESPACE, namespace):
        missing = True
        yield f"there is no namespace {namespace} for the operator's Lease: kubectl create namespace {namespace}"
    for kind in WATCHED:
        async for finding in _crd(client, kind, revision):
            missing = True
            yield finding
    if missing:
        return
    for kind, subresource, verbs in NEEDS:
        for verb in verbs:
            where = namespace if kind is LEASE else ""
            if not await _may(client, kind, subresource, verb, where):
                resource = f"{kind.plural}.{kind.group}".rstrip(".") + (
                    f"/{subresource}" if subresource else ""
                )
                yield (
                    f"the operator may not {verb} {resource}: its ClusterRole lacks that "
                    "(charts/nxc-controller has the whole of it)"
                )


async def _crd(client: Client, kind: Kind, revision: int) -> AsyncIterator[str]:
    name = f"{kind.plural}.{GROUP}"
    try:
        found = await _ask(client, "GET", path(CRD, "", name))
    except NotFound:
        yield f"the CRD {name} is not installed: kubectl apply -f crds/"
        return
    except Forbidden:
        # Not to be allowed to read CRDs is no reason to stand still; the kind itself tells.
        try:
            await _ask(client, "GET", f"/apis/{kind.api_version}")
        except NotFound:
            yield f"the API server does not know {name}: kubectl apply -f crds/"
        return
    have = (found["metadata"].get("annotations") or {}).get(CRD_REVISION, "0")
    if not have.isdecimal() or int(have) < revision:
        yield (
            f"the CRD {name} is older than this operator (revision {have}, needed {revision}): "
            "kubectl apply -f crds/"
        )


async def _may(client: Client, kind: Kind, subresource: str, verb: str, namespace: str) -> bool:
    """`namespace`: empty for all of them."""
    attributes = {"group": kind.group, "resource": kind.plural, "verb": verb, "namespace": namespace}
    if subresource:
        attributes["subresource"] = subresource
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await _ask(client, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
    return bool((answer.get("status") or {}).get("allowed"))


async def _exists(client: Client, kind: Kind, name: str) -> bool:
    """Whether a cluster-scoped object is there; taken for granted where we may not look."""
    try:
        await _ask(client, "GET", path(kind, "", name))
    except NotFound:
        return False
    except Forbidden:
        return True
    return True


async def _ask(client: Client, method: str, target: str, *, body: Any = None) -> dict[str, Any]:
    """One request, repeated a few times where the server is overloaded or stumbles: there are many to come."""
    tries = 1
    while True:
        try:
            return await client.request(method, target, body=body)
        except ApiError as error:
            if tries == TRIES or not (error.code == TOO_MANY or error.code >= SERVER_ERROR):
                raise
            await asyncio.sleep(min(PAUSE_LIMIT, error.retry_after or PAUSE))
            tries += 1
