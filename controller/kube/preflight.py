"""What must be true of an API server before the operator can work on it.

Each finding is one sentence that names what is missing and the command that mends it. The operator waits
and looks again: everything here can be mended while it runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from controller.kube.api import Forbidden, NotFound, Unreachable
from controller.kube.client import Client
from controller.model.kinds import (
    COMPOSITION,
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
    (LEASE, "", ("get", "create", "patch")),
)


async def findings(client: Client, *, revision: int, namespace: str) -> AsyncIterator[str]:
    """What is wrong, most basic first.

    `revision`: that of the CRDs this operator was made for. `namespace`: its own, where its Lease is; all else
    it must be allowed everywhere.
    """
    try:
        await client.request("GET", "/version")
    except Unreachable as error:
        yield f"{error.message}; is it running, and is this the right kubeconfig?"
        return
    missing = False
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
        found = await client.get(CRD, "", name)
    except NotFound:
        yield f"the CRD {name} is not installed: kubectl apply -f crds/"
        return
    except Forbidden:
        # Not to be allowed to read CRDs is no reason to stand still; the kind itself tells.
        try:
            await client.request("GET", f"/apis/{kind.api_version}")
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
    answer = await client.request(
        "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review
    )
    return bool((answer.get("status") or {}).get("allowed"))
