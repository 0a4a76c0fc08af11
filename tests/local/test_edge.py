"""HTTP around the core: forms, headers, tokens, impersonation, faults; what no kubectl command shows by itself."""

from __future__ import annotations

import asyncio
import json
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from controller.local.backup import main as backup
from controller.local.server import Server, Settings
from controller.local.users import main as user
from tests.local.plane import ControlPlane, LocalProcess, address, http, tls

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


@pytest.fixture
def api(local_control_plane: ControlPlane) -> Iterator[httpx.Client]:
    with http(local_control_plane.kubeconfig) as client:
        yield client


@pytest.fixture
def name(api: httpx.Client) -> str:
    """A configmap that exists."""
    chosen = f"c-{secrets.token_hex(4)}"
    api.post(CONFIGMAPS, json=configmap(chosen)).raise_for_status()
    return chosen


def configmap(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@contextmanager
def events(client: httpx.Client, **query: Any) -> Iterator[Iterator[dict[str, Any]]]:
    headers = query.pop("headers", {})
    with client.stream(
        "GET", CONFIGMAPS, params={"watch": "1", "timeoutSeconds": 20, **query}, headers=headers
    ) as answer:
        assert answer.status_code == 200
        yield (json.loads(line) for line in answer.iter_lines())


# ---------------------------------------------------------------- forms


def test_an_object_as_yaml(api: httpx.Client, name: str) -> None:
    answer = api.get(f"{CONFIGMAPS}/{name}", headers={"Accept": "application/yaml"})
    assert answer.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(answer.text) == api.get(f"{CONFIGMAPS}/{name}").json()


def test_a_body_in_yaml(api: httpx.Client) -> None:
    chosen = f"y-{secrets.token_hex(4)}"
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {chosen}}}\ndata: {{when: '2024-01-01'}}\n"
    answer = api.post(CONFIGMAPS, content=text, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 201
    assert answer.json()["data"] == {"when": "2024-01-01"}


async def test_long_yaml_does_not_hold_up_others(local_control_plane: ControlPlane) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: long}\ndata:\n"
    text += "".join(f"  key-{number}: 'value {number}'\n" for number in range(12_000))
    kubeconfig = local_control_plane.kubeconfig
    async with httpx.AsyncClient(base_url=address(kubeconfig), verify=tls(kubeconfig), timeout=60) as client:
        headers = {"Content-Type": "application/yaml"}
        post = asyncio.create_task(client.post(CONFIGMAPS, content=text, headers=headers))
        await asyncio.sleep(0.1)
        answered = 0
        while not post.done():
            assert (await client.get("/readyz")).status_code == 200
            answered += 1
    assert post.result().status_code == 201
    assert answered > 5


def test_pretty_for_people(api: httpx.Client, name: str) -> None:
    path = f"{CONFIGMAPS}/{name}"
    assert "\n  " not in api.get(path).text
    assert "\n  " in api.get(path, params={"pretty": "true"}).text
    assert "\n  " in api.get(path, headers={"User-Agent": "curl/8"}).text
    assert "\n  " not in api.get(path, params={"pretty": "0"}, headers={"User-Agent": "curl/8"}).text


def test_metadata_alone(api: httpx.Client, name: str) -> None:
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    found = api.get(f"{CONFIGMAPS}/{name}", headers={"Accept": accept}).json()
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert found["metadata"]["name"] == name
    assert "data" not in found
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = api.get(CONFIGMAPS, headers={"Accept": accept}).json()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert {item["kind"] for item in listed["items"]} == {"PartialObjectMetadata"}


def test_a_watch_in_tables_names_its_columns_once(api: httpx.Client, name: str) -> None:
    version = api.get(CONFIGMAPS).json()["metadata"]["resourceVersion"]
    with events(api, resourceVersion=version, headers=TABLE) as stream:
        for _ in range(2):
            api.patch(
                f"{CONFIGMAPS}/{name}",
                json={"data": {"a": secrets.token_hex(4)}},
                headers={"Content-Type": "application/merge-patch+json"},
            ).raise_for_status()
        first, second = next(stream), next(stream)
    assert first["object"]["kind"] == "Table"
    assert first["object"]["columnDefinitions"][0]["name"] == "Name"
    assert not second["object"].get("columnDefinitions")
    assert second["object"]["rows"][0]["cells"][0] == name


def test_head_is_get_without_the_body(api: httpx.Client, name: str) -> None:
    answer = api.head(f"{CONFIGMAPS}/{name}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert api.head(f"{CONFIGMAPS}/none").status_code == 404


def test_warnings_are_headers(api: httpx.Client) -> None:
    body = {**configmap(f"w-{secrets.token_hex(4)}"), "colour": "red"}
    answer = api.post(CONFIGMAPS, json=body, params={"fieldValidation": "Warn"})
    assert answer.status_code == 201
    assert answer.headers["Warning"] == '299 - "unknown field \\"colour\\""'


def test_a_field_that_stands_twice_is_named(api: httpx.Client) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}'
    headers = {"Content-Type": "application/json"}
    answer = api.post(CONFIGMAPS, content=body, params={"fieldValidation": "Strict"}, headers=headers)
    assert answer.status_code == 400
    assert 'duplicate field "data.a"' in answer.json()["message"]


def test_discovery_is_not_sent_twice(api: httpx.Client) -> None:
    for path in ("/apis", "/api/v1", "/openapi/v3"):
        first = api.get(path)
        again = api.get(path, headers={"If-None-Match": first.headers["Etag"]})
        assert (again.status_code, again.content) == (304, b""), path


def test_an_openapi_document_with_its_hash_may_be_kept_for_ever(api: httpx.Client) -> None:
    url = api.get("/openapi/v3").json()["paths"]["apis/nxc.dev/v1alpha1"]["serverRelativeURL"]
    answer = api.get(url)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]


def test_metrics_are_prometheus(api: httpx.Client, name: str) -> None:
    api.get(f"{CONFIGMAPS}/{name}")
    text = api.get("/metrics").text
    assert (
        'apiserver_request_total{code="200",group="",resource="configmaps",subresource="",verb="GET",version="v1"}'
        in text
    )
    assert "apiserver_request_duration_seconds_bucket" in text
    with events(api):
        assert (
            'apiserver_longrunning_requests{group="",resource="configmaps",verb="WATCH"} 1.0'
            in api.get("/metrics").text
        )


def test_names_that_clients_make_up_do_not_reach_the_metrics(api: httpx.Client) -> None:
    api.get("/apis/example.org/v1/made-up-by-me/made-up-too/made-up-again")
    api.get(f"{CONFIGMAPS}/x/made-up-as-well")
    assert "made-up" not in api.get("/metrics").text


# ---------------------------------------------------------------- watches


def test_a_watch_ends_when_its_time_is_up(api: httpx.Client) -> None:
    version = api.get(CONFIGMAPS).json()["metadata"]["resourceVersion"]
    with events(api, resourceVersion=version, timeoutSeconds=1, allowWatchBookmarks="true") as stream:
        [last] = list(stream)
    assert last["type"] == "BOOKMARK"
    assert int(last["object"]["metadata"]["resourceVersion"]) >= int(version)


async def test_bookmarks_come_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.local.watching.BOOKMARK_EVERY", 0.1)
    server = await Server.start(Settings(tmp_path / "state", tmp_path / "config"))
    try:
        async with httpx.AsyncClient(base_url=server.url, verify=tls(tmp_path / "config")) as client:
            query = {
                "watch": "1",
                "allowWatchBookmarks": "true",
                "timeoutSeconds": "10",
                "resourceVersion": "0",
            }
            async with client.stream("GET", CONFIGMAPS, params=query) as answer, asyncio.timeout(5):
                kinds = []
                async for line in answer.aiter_lines():
                    kinds.append(json.loads(line)["type"])
                    if kinds.count("BOOKMARK") == 3:
                        break
    finally:
        await server.stop()


def test_a_watch_with_initial_events_says_when_they_end(api: httpx.Client, name: str) -> None:
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    with events(api, fieldSelector=f"metadata.name={name}", **query) as stream:
        first, second = next(stream), next(stream)
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", name)
    assert second["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


# ---------------------------------------------------------------- who


def service_account(api: httpx.Client) -> tuple[str, str, dict[str, str]]:
    namespace, account = f"n-{secrets.token_hex(4)}", "robot"
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    api.post("/api/v1/namespaces", json=body).raise_for_status()
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    api.post(path, json=body).raise_for_status()
    answer = api.post(f"{path}/{account}/token", json={"spec": {"expirationSeconds": 600}})
    assert answer.status_code == 201
    return namespace, account, {"Authorization": f"Bearer {answer.json()['status']['token']}"}


def test_a_token_speaks_for_a_service_account_until_that_is_deleted(
    api: httpx.Client, local_control_plane: ControlPlane
) -> None:
    namespace, account, bearer = service_account(api)
    path = f"/api/v1/namespaces/{namespace}"
    with http(local_control_plane.kubeconfig, identity=False) as robot:
        denied = robot.get(f"{path}/secrets", headers=bearer)
        assert denied.status_code == 403
        assert (
            f'User "system:serviceaccount:{namespace}:{account}" cannot list resource "secrets"'
            in denied.text.replace("\\", "")
        )
        group = "rbac.authorization.k8s.io"
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "robot"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }
        api.post(f"/apis/{group}/v1/namespaces/{namespace}/rolebindings", json=binding).raise_for_status()
        assert robot.get(f"{path}/secrets", headers=bearer).status_code == 200
        assert robot.get("/api/v1/namespaces/default/secrets", headers=bearer).status_code == 403
        api.delete(f"{path}/serviceaccounts/{account}").raise_for_status()
        assert robot.get(f"{path}/secrets", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    ("spec", "code", "says"),
    [
        ({"expirationSeconds": 60}, 422, "10 minutes"),
        ({"expirationSeconds": 1 << 33}, 422, "2^32"),
        ({"audiences": "vault"}, 400, "audiences"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}, 400, "Secret"),
        ({"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "none"}}, 404, "none"),
    ],
)
def test_a_token_that_cannot_be(api: httpx.Client, spec: dict[str, Any], code: int, says: str) -> None:
    answer = api.post("/api/v1/namespaces/default/serviceaccounts/default/token", json={"spec": spec})
    assert answer.status_code == code
    assert says in answer.json()["message"]


def test_a_token_of_nobody(api: httpx.Client) -> None:
    assert api.post("/api/v1/namespaces/default/serviceaccounts/nobody/token", json={}).status_code == 404


def test_a_token_review(api: httpx.Client) -> None:
    namespace, account, bearer = service_account(api)
    token = bearer["Authorization"].removeprefix("Bearer ")
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = api.post("/apis/authentication.k8s.io/v1/tokenreviews", json=body)
    assert answer.status_code == 201
    assert answer.json()["status"]["user"]["username"] == f"system:serviceaccount:{namespace}:{account}"


def test_an_administrator_may_act_as_another(api: httpx.Client) -> None:
    whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    headers = [("Impersonate-User", "alice"), ("Impersonate-Group", "lab"), ("Impersonate-Group", "staff")]
    info = api.post(whoami, json=body, headers=headers).json()["status"]["userInfo"]
    assert info["username"] == "alice"
    assert set(info["groups"]) == {"lab", "staff", "system:authenticated"}
    robot = api.post(whoami, json=body, headers={"Impersonate-User": "system:serviceaccount:lab:robot"})
    assert "system:serviceaccounts:lab" in robot.json()["status"]["userInfo"]["groups"]


def test_nobody_else_may(api: httpx.Client, local_control_plane: ControlPlane) -> None:
    _, _, bearer = service_account(api)
    with http(local_control_plane.kubeconfig, identity=False) as robot:
        answer = robot.get("/api/v1/secrets", headers={**bearer, "Impersonate-User": "nxc-admin"})
        assert answer.status_code == 403
        assert "cannot impersonate resource" in answer.json()["message"]
        answer = robot.get(
            "/api/v1/secrets",
            headers={**bearer, "Impersonate-User": "x", "Impersonate-Group": "system:masters"},
        )
        assert answer.status_code == 403


def test_nobody_grants_more_than_they_have(api: httpx.Client) -> None:
    alice = {"Impersonate-User": f"alice-{secrets.token_hex(4)}"}
    group = "rbac.authorization.k8s.io"
    path = f"/apis/{group}/v1/namespaces/default"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": alice["Impersonate-User"]},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": alice["Impersonate-User"]}],
    }
    api.post(f"{path}/rolebindings", json=binding).raise_for_status()
    role = {
        "apiVersion": f"{group}/v1",
        "kind": "Role",
        "metadata": {"name": alice["Impersonate-User"]},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    }
    assert api.post(f"{path}/roles", json=role, headers=alice).status_code == 201
    more = [
        {"op": "add", "path": "/rules/-", "value": {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}}
    ]
    answer = api.patch(
        f"{path}/roles/{alice['Impersonate-User']}",
        json=more,
        headers={**alice, "Content-Type": "application/json-patch+json"},
    )
    assert answer.status_code == 403
    assert "attempting to grant RBAC permissions not currently held" in answer.json()["message"]
    stored = api.get(f"{path}/roles/{alice['Impersonate-User']}").json()
    assert len(stored["rules"]) == 1


# ---------------------------------------------------------------- commands


def test_user_add_gives_a_kubeconfig_with_a_role(
    tmp_path: Path, local_server_process: LocalProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    process = local_server_process.start()
    target = tmp_path / "alice.kubeconfig"
    where = ["--state", str(process.state), "--kubeconfig", str(target)]
    assert user(["add", "alice", "--namespace", "lab", "--role", "edit", *where]) == 0
    assert "alice has the role edit in the namespace lab" in capsys.readouterr().out
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with http(target) as alice:
        deployments = "/apis/nxc.dev/v1alpha1/namespaces/{}/deployments"
        assert alice.get(deployments.format("lab")).status_code == 200
        assert alice.get(deployments.format("default")).status_code == 403
        assert alice.get("/apis/nxc.dev/v1alpha1/testbeds").status_code == 200
        assert alice.get("/api/v1/nodes").status_code == 403
    assert (
        user(["add", "alice", "--namespace", "lab", "--role", "edit", *where]) == 0
    )  # again: a new certificate
    port = address(process.kubeconfig).rpartition(":")[2]
    assert user(["add", "alice", *where, "--server", f"https://localhost:{port}"]) == 0
    assert (
        yaml.safe_load(target.read_text())["clusters"][0]["cluster"]["server"] == f"https://localhost:{port}"
    )
    with http(target) as alice:
        assert alice.get(deployments.format("lab")).status_code == 200
    assert user(["add", "alice", *where, "--server", f"https://example.org:{port}"]) == 1
    assert "--bind example.org" in capsys.readouterr().err
    process.stop()
    assert user(["add", "bob", *where]) == 1
    assert "nxc-controller up" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "system:admin"], "cannot be a user's name"),
        (["add", "al/ice"], "cannot be a user's name"),
        (["add", "alice"], "nxc-controller up"),
    ],
)
def test_user_add_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    target = tmp_path / "k"
    assert user([*arguments, "--state", str(tmp_path / "state"), "--kubeconfig", str(target)]) == 1
    assert says in capsys.readouterr().err
    assert not target.exists()


def test_a_role_that_is_not_there(
    local_server_process: LocalProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = local_server_process.start()
    where = ["--state", str(process.state), "--kubeconfig", str(tmp_path / "k")]
    assert user(["add", "alice", "--role", "emperor", *where]) == 1
    assert "there is no ClusterRole 'emperor'" in capsys.readouterr().err


def test_a_backup_of_a_running_server_is_a_state_to_start_from(
    tmp_path: Path, local_server_process: LocalProcess
) -> None:
    process = local_server_process.start()
    with http(process.kubeconfig) as client:
        client.post(CONFIGMAPS, json=configmap("kept")).raise_for_status()
        copy = tmp_path / "copy.db"
        assert backup([str(copy), "--state", str(process.state)]) == 0
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        client.delete(f"{CONFIGMAPS}/kept").raise_for_status()
    process.stop()
    copy.rename(process.state / "state.db")
    process.start()
    with http(process.kubeconfig) as client:
        assert client.get(f"{CONFIGMAPS}/kept").status_code == 200


def test_a_restart_writes_nothing(local_server_process: LocalProcess) -> None:
    process = local_server_process.start()
    with http(process.kubeconfig) as client:
        version = client.get(CONFIGMAPS).json()["metadata"]["resourceVersion"]
    process.stop()
    process.start()
    with http(process.kubeconfig) as client:
        assert client.get(CONFIGMAPS).json()["metadata"]["resourceVersion"] == version


# ---------------------------------------------------------------- faults


@pytest.fixture
def faulty(api: httpx.Client) -> Iterator[httpx.Client]:
    yield api
    api.put("/nxc-faults", json={}).raise_for_status()


def test_faults_strike_only_what_they_are_for(faulty: httpx.Client, name: str) -> None:
    faulty.put("/nxc-faults", json={"conflict": 1, "plurals": ["configmaps"]}).raise_for_status()
    assert faulty.get("/nxc-faults").json()["conflict"] == 1.0
    patch = {"headers": {"Content-Type": "application/merge-patch+json"}, "json": {"data": {"a": "b"}}}
    assert faulty.patch(f"{CONFIGMAPS}/{name}", **patch).json()["reason"] == "Conflict"  # type: ignore[arg-type]
    assert faulty.get(f"{CONFIGMAPS}/{name}").status_code == 200
    faulty.put("/nxc-faults", json={"too_many": 1, "retry_after": 3}).raise_for_status()
    answer = faulty.get(f"{CONFIGMAPS}/{name}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    faulty.put("/nxc-faults", json={"gone": 1}).raise_for_status()
    assert faulty.get(CONFIGMAPS).status_code == 200  # a list of what is there now cannot be too old
    assert faulty.get(CONFIGMAPS, params={"resourceVersion": "1"}).status_code == 410
    assert faulty.put("/nxc-faults", json={"storm": 1}).status_code == 400


def test_watches_drop_on_demand(faulty: httpx.Client) -> None:
    version = faulty.get(CONFIGMAPS).json()["metadata"]["resourceVersion"]
    with events(faulty, resourceVersion=version) as stream:
        faulty.post("/nxc-faults/drop").raise_for_status()
        assert list(stream) == []


def test_the_past_is_forgotten_on_demand(faulty: httpx.Client, name: str) -> None:
    version = int(faulty.get(f"{CONFIGMAPS}/{name}").json()["metadata"]["resourceVersion"]) - 1
    faulty.post("/nxc-faults/forget").raise_for_status()
    with events(faulty, resourceVersion=version) as stream:
        [only] = list(stream)
    assert (only["type"], only["object"]["code"]) == ("ERROR", 410)


def test_doubled_events(faulty: httpx.Client, name: str) -> None:
    version = faulty.get(CONFIGMAPS).json()["metadata"]["resourceVersion"]
    faulty.put("/nxc-faults", json={"double": 1}).raise_for_status()
    with events(faulty, resourceVersion=version) as stream:
        faulty.delete(f"{CONFIGMAPS}/{name}").raise_for_status()
        assert [next(stream)["type"], next(stream)["type"]] == ["DELETED", "DELETED"]


def test_without_the_flag_there_are_no_faults(local_server_process: LocalProcess) -> None:
    process = local_server_process.start()
    with http(process.kubeconfig) as client:
        assert client.get("/nxc-faults").status_code == 404
    assert address(process.kubeconfig).startswith("https://127.0.0.1:")
