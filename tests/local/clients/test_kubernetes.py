"""The asyncio client of the `kubernetes` package: typed and untyped calls, watches, leases."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.aio import config, watch
from kubernetes.aio.client import (
    ApiClient,
    AuthorizationV1Api,
    CoordinationV1Api,
    CoreV1Api,
    CustomObjectsApi,
    V1ConfigMap,
    V1Lease,
    V1LeaseSpec,
    V1ObjectMeta,
    V1ResourceAttributes,
    V1SelfSubjectAccessReview,
    V1SelfSubjectAccessReviewSpec,
)
from kubernetes.aio.client.exceptions import ApiException

from tests.local.clients.conftest import FaultSwitches
from tests.local.clients.proxy import Proxy
from tests.local.plane import ControlPlane
from tests.local.scratch import GROUP, VERSION, sprocket

LIMIT = 30.0


def configmap(name: str, **data: str) -> V1ConfigMap:
    return V1ConfigMap(metadata=V1ObjectMeta(name=name), data=data)


async def test_typed_objects_are_made_read_changed_and_deleted(api: ApiClient, namespace: str) -> None:
    core = CoreV1Api(api)
    made = await core.create_namespaced_config_map(namespace, configmap("c", a="1"))
    assert isinstance(made.metadata.creation_timestamp, datetime)
    patched = await core.patch_namespaced_config_map("c", namespace, {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}
    patched.data = {"only": "this"}
    replaced = await core.replace_namespaced_config_map("c", namespace, patched)
    assert replaced.data == {"only": "this"}
    with pytest.raises(ApiException) as stale:
        await core.replace_namespaced_config_map("c", namespace, patched)
    assert stale.value.status == 409
    assert json.loads(stale.value.body)["reason"] == "Conflict"
    gone = await core.delete_namespaced_config_map("c", namespace)
    assert gone["status"] == "Success"
    with pytest.raises(ApiException) as missing:
        await core.read_namespaced_config_map("c", namespace)
    assert missing.value.status == 404


async def test_custom_objects(api: ApiClient, namespace: str) -> None:
    objects = CustomObjectsApi(api)
    where = (GROUP, VERSION, namespace, "sprockets")
    made = await objects.create_namespaced_custom_object(*where, sprocket("w", size=3))
    assert made["spec"]["colour"] == "red"
    status = await objects.patch_namespaced_custom_object_status(
        *where, "w", {"status": {"phase": "Fine"}}, _content_type="application/merge-patch+json"
    )
    assert status["status"] == {"phase": "Fine"}
    scale = await objects.get_namespaced_custom_object_scale(*where, "w")
    assert scale["spec"]["replicas"] == 1
    listed = await objects.list_namespaced_custom_object(*where)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["w"]
    assert listed["kind"] == "SprocketList"
    await objects.delete_namespaced_custom_object(*where, "w")
    assert (await objects.list_namespaced_custom_object(*where))["items"] == []


async def test_lists_in_pages_are_of_one_moment(api: ApiClient, namespace: str) -> None:
    core = CoreV1Api(api)
    for n in range(7):
        await core.create_namespaced_config_map(namespace, configmap(f"c{n}"))
    first = await core.list_namespaced_config_map(namespace, limit=3)
    await core.delete_namespaced_config_map("c6", namespace)
    await core.create_namespaced_config_map(namespace, configmap("c9"))
    names = [item.metadata.name for item in first.items]
    page = first
    while page.metadata._continue:
        page = await core.list_namespaced_config_map(namespace, limit=3, _continue=page.metadata._continue)
        assert page.metadata.resource_version == first.metadata.resource_version
        names += [item.metadata.name for item in page.items]
    assert [name for name in names if name != "kube-root-ca.crt"] == [f"c{n}" for n in range(7)]


async def events(
    api: ApiClient, namespace: str, version: str, **more: Any
) -> AsyncIterator[tuple[str, str, V1ConfigMap]]:
    """(type, name, object) of configmaps, but of those that every namespace has."""
    async with watch.Watch() as stream:
        found = stream.stream(
            CoreV1Api(api).list_namespaced_config_map, namespace, resource_version=version, **more
        )
        async for event in found:
            name = event["object"].metadata.name
            if name != "kube-root-ca.crt":
                yield event["type"], name, event["object"]


async def test_a_watch_tells_every_change_after_the_list(api: ApiClient, namespace: str) -> None:
    core = CoreV1Api(api)
    await core.create_namespaced_config_map(namespace, configmap("before"))
    listed = await core.list_namespaced_config_map(namespace)
    await core.create_namespaced_config_map(namespace, configmap("c", a="1"))
    await core.patch_namespaced_config_map("c", namespace, {"data": {"a": "2"}})
    await core.delete_namespaced_config_map("c", namespace)
    seen = []
    async with asyncio.timeout(LIMIT):
        async for kind, name, obj in events(api, namespace, listed.metadata.resource_version):
            seen.append((kind, name, obj.data))
            if kind == "DELETED":
                break
    assert seen == [("ADDED", "c", {"a": "1"}), ("MODIFIED", "c", {"a": "2"}), ("DELETED", "c", {"a": "2"})]


async def test_a_watch_with_a_time_limit_ends_by_itself(api: ApiClient, namespace: str) -> None:
    async with asyncio.timeout(LIMIT):
        seen = [name async for _, name, _ in events(api, namespace, "0", timeout_seconds=1)]
    assert seen == []


async def test_a_watch_from_the_distant_past_is_410(
    api: ApiClient, namespace: str, control_plane: ControlPlane
) -> None:
    if control_plane.kind != "local":
        pytest.skip("a real control plane that is new remembers its whole past")
    switches = FaultSwitches(control_plane)
    switches.do("forget")
    switches.close()
    with pytest.raises(ApiException) as gone:
        await asyncio.wait_for(anext(events(api, namespace, "1", timeout_seconds=5)), LIMIT)
    assert gone.value.status == 410
    assert "too old resource version" in str(gone.value.reason)


async def test_initial_events_end_with_a_bookmark(api: ApiClient, namespace: str) -> None:
    objects = CustomObjectsApi(api)
    for name in "ab":
        await objects.create_namespaced_custom_object(GROUP, VERSION, namespace, "sprockets", sprocket(name))
    path = (
        f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/sprockets?watch=true&allowWatchBookmarks=true"
        "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=20"
    )
    seen = []
    async with asyncio.timeout(LIMIT):
        async for event in raw_watch(api, path):
            seen.append(event)
            if event["type"] == "BOOKMARK":
                break
    assert [(e["type"], e["object"]["metadata"].get("name")) for e in seen] == [
        ("ADDED", "a"),
        ("ADDED", "b"),
        ("BOOKMARK", None),
    ]
    bookmark = seen[-1]["object"]
    assert bookmark["kind"] == "Sprocket"
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(bookmark["metadata"]["resourceVersion"]) >= int(
        seen[1]["object"]["metadata"]["resourceVersion"]
    )


async def raw_watch(api: ApiClient, path: str) -> AsyncIterator[dict[str, Any]]:
    response = await api.call_api(
        "GET", f"{api.configuration.host}{path}", header_params={"Accept": "application/json"}
    )
    stream = response.response if hasattr(response, "response") else response
    async with contextlib.aclosing(_lines(stream)) as lines:
        async for line in lines:
            yield json.loads(line)


async def _lines(response: Any) -> AsyncIterator[bytes]:
    try:
        while line := await response.content.readline():
            yield line
    finally:
        response.close()


async def follow(kubeconfig: str, namespace: str, known: dict[str, Any], changed: asyncio.Event) -> None:
    """What every controller does: list, watch from there, and begin anew when the watch fails."""
    while True:
        with contextlib.suppress(Exception):
            async with await config.new_client_from_config(kubeconfig) as api:
                listed = await CoreV1Api(api).list_namespaced_config_map(namespace, _request_timeout=5)
                known.clear()
                known.update({item.metadata.name: item.data for item in listed.items})
                changed.set()
                version = listed.metadata.resource_version
                async for kind, name, obj in events(api, namespace, version, timeout_seconds=60):
                    if kind == "DELETED":
                        known.pop(name, None)
                    else:
                        known[name] = obj.data
                    changed.set()
        await asyncio.sleep(0.1)


async def until(known: dict[str, Any], wanted: dict[str, Any], changed: asyncio.Event) -> None:
    async with asyncio.timeout(LIMIT):
        while {name: data for name, data in known.items() if name != "kube-root-ca.crt"} != wanted:
            changed.clear()
            await changed.wait()


async def test_a_follower_catches_up_after_its_connection_was_cut(
    api: ApiClient, namespace: str, proxy: Proxy
) -> None:
    core = CoreV1Api(api)
    await core.create_namespaced_config_map(namespace, configmap("a", n="1"))
    await core.create_namespaced_config_map(namespace, configmap("b", n="1"))
    known: dict[str, Any] = {}
    changed = asyncio.Event()
    follower = asyncio.create_task(follow(str(proxy.kubeconfig), namespace, known, changed))
    try:
        await until(known, {"a": {"n": "1"}, "b": {"n": "1"}}, changed)
        await core.patch_namespaced_config_map("a", namespace, {"data": {"n": "2"}})
        await until(known, {"a": {"n": "2"}, "b": {"n": "1"}}, changed)
        await proxy.cut()
        await core.delete_namespaced_config_map("b", namespace)
        await core.create_namespaced_config_map(namespace, configmap("c", n="3"))
        await proxy.restore()
        await until(known, {"a": {"n": "2"}, "c": {"n": "3"}}, changed)
        proxy.drop()
        await core.delete_namespaced_config_map("a", namespace)
        await until(known, {"c": {"n": "3"}}, changed)
    finally:
        follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await follower


async def test_a_follower_survives_faults(
    api: ApiClient, namespace: str, control_plane: ControlPlane, faults: FaultSwitches
) -> None:
    core = CoreV1Api(api)
    known: dict[str, Any] = {}
    changed = asyncio.Event()
    faults.set(
        seed=7, plurals=["configmaps"], delay=0.02, gone=0.2, drop=0.2, expire=0.2, double=0.2,
        too_many=0.1, unavailable=0.1,
    )  # fmt: skip
    follower = asyncio.create_task(follow(str(control_plane.kubeconfig), namespace, known, changed))
    try:
        wanted = {}
        for n in range(30):
            with contextlib.suppress(ApiException):
                await core.create_namespaced_config_map(namespace, configmap(f"c{n}", n=str(n)))
        faults.set()
        for item in (await core.list_namespaced_config_map(namespace)).items:
            if item.metadata.name != "kube-root-ca.crt":
                wanted[item.metadata.name] = item.data
        assert len(wanted) > 10
        await until(known, wanted, changed)
        faults.do("drop")
        faults.do("forget")
        await core.create_namespaced_config_map(namespace, configmap("last", n="x"))
        await until(known, {**wanted, "last": {"n": "x"}}, changed)
    finally:
        follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await follower


async def test_a_lease_is_taken_renewed_and_lost_by_version(api: ApiClient, namespace: str) -> None:
    leases = CoordinationV1Api(api)
    now = datetime.now(UTC)
    spec = V1LeaseSpec(holder_identity="one", lease_duration_seconds=15, acquire_time=now, renew_time=now)
    body = V1Lease(metadata=V1ObjectMeta(name="leader"), spec=spec)
    held = await leases.create_namespaced_lease(namespace, body)
    assert held.spec.renew_time == now
    with pytest.raises(ApiException) as taken:
        await leases.create_namespaced_lease(namespace, body)
    assert json.loads(taken.value.body)["reason"] == "AlreadyExists"
    stale = await leases.read_namespaced_lease("leader", namespace)
    held.spec.renew_time = datetime.now(UTC)
    renewed = await leases.replace_namespaced_lease("leader", namespace, held)
    assert renewed.metadata.resource_version != stale.metadata.resource_version
    stale.spec.holder_identity = "two"
    with pytest.raises(ApiException) as late:
        await leases.replace_namespaced_lease("leader", namespace, stale)
    assert json.loads(late.value.body)["reason"] == "Conflict"


async def test_of_ten_candidates_for_one_version_of_a_lease_one_wins(api: ApiClient, namespace: str) -> None:
    leases = CoordinationV1Api(api)
    body = V1Lease(metadata=V1ObjectMeta(name="leader"), spec=V1LeaseSpec(holder_identity="nobody"))
    await leases.create_namespaced_lease(namespace, body)
    seen = await leases.read_namespaced_lease("leader", namespace)

    async def take(name: str) -> bool:
        mine = V1Lease(metadata=seen.metadata, spec=V1LeaseSpec(holder_identity=name))
        try:
            await leases.replace_namespaced_lease("leader", namespace, mine)
        except ApiException as lost:
            if lost.status != 409:
                raise
            return False
        return True

    won = await asyncio.gather(*(take(f"c{n}") for n in range(10)))
    assert sum(won) == 1
    held = await leases.read_namespaced_lease("leader", namespace)
    assert held.spec.holder_identity == f"c{won.index(True)}"


async def test_may_i(api: ApiClient, namespace: str) -> None:
    attributes = V1ResourceAttributes(group=GROUP, resource="sprockets", verb="delete", namespace=namespace)
    spec = V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
    review = await AuthorizationV1Api(api).create_self_subject_access_review(
        V1SelfSubjectAccessReview(spec=spec)
    )
    assert review.status.allowed is True
