from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from controller.kube import client as module
from controller.kube.api import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    Unauthorized,
    Unreachable,
)
from controller.kube.client import Client, environment_proxy, path
from controller.model.kinds import DEPLOYMENT, NODE, SECRET, TESTBED


class Server:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, Any, dict[str, str]]] = []

    def will(self, status: int, body: Any, **headers: str) -> None:
        self.answers.append((status, body, headers))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path, dict(request.query), await request.read()))
        status, body, headers = self.answers.pop(0)
        if body == "hang":
            await asyncio.sleep(0.5)
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=headers)
        return web.json_response(body, status=status, headers=headers)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, Client]]:
    made = Server()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = Client(configuration)
    yield made, client
    await client.aclose()
    await runner.cleanup()


def status(reason: str, message: str = "no") -> dict[str, str]:
    return {"kind": "Status", "reason": reason, "message": message}


def test_paths_follow_the_api_s_rules():
    assert path(DEPLOYMENT, "lab", "web") == "/apis/nxc.dev/v1alpha1/namespaces/lab/deployments/web"
    assert path(DEPLOYMENT) == "/apis/nxc.dev/v1alpha1/deployments"
    assert path(TESTBED, "", "local") == "/apis/nxc.dev/v1alpha1/testbeds/local"
    assert path(SECRET, "lab", "a/b") == "/api/v1/namespaces/lab/secrets/a%2Fb"


async def test_a_list_is_read_to_its_end_in_pages(server):
    made, client = server
    made.will(200, {"items": [{"a": 1}], "metadata": {"continue": "next", "resourceVersion": "7"}})
    made.will(200, {"items": [{"a": 2}], "metadata": {"resourceVersion": "7"}})
    listing = await client.list(NODE)
    assert listing.items == ({"a": 1}, {"a": 2})
    assert listing.resource_version == "7"
    assert made.asked[1][2]["continue"] == "next"


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (403, "Forbidden", Forbidden),
        (422, "Invalid", ApiError),
    ],
)
async def test_a_refusal_is_raised_as_what_it_is(server, code, reason, error):
    made, client = server
    made.will(code, status(reason, "because"))
    with pytest.raises(error, match="because") as caught:
        await client.get(DEPLOYMENT, "lab", "web")
    assert caught.value.code == code
    assert type(caught.value) is error


async def test_the_server_s_wish_to_be_left_alone_is_passed_on(server):
    made, client = server
    made.will(429, status("TooManyRequests"), **{"Retry-After": "7"})
    with pytest.raises(ApiError) as caught:
        await client.get(DEPLOYMENT, "lab", "web")
    assert caught.value.retry_after == 7


async def test_a_proxy_s_page_is_quoted_and_not_parsed(server):
    made, client = server
    made.will(502, "<html>Bad Gateway</html>")
    with pytest.raises(ApiError, match=r"502.*Bad Gateway"):
        await client.get(DEPLOYMENT, "lab", "web")


async def test_patches_are_merge_patches_and_deletes_name_the_uid(server):
    made, client = server
    made.will(200, {"ok": True})
    made.will(200, {"ok": True})
    await client.patch(NODE, "lab", "web.a", {"status": {}}, subresource="status")
    await client.delete(NODE, "lab", "web.a", uid="u1")
    assert made.asked[0][:2] == ("PATCH", "/apis/nxc.dev/v1alpha1/namespaces/lab/deployednodes/web.a/status")
    assert json.loads(made.asked[1][3])["preconditions"] == {"uid": "u1"}


async def test_a_server_that_is_not_there_is_named():
    configuration = Configuration()
    configuration.host = "http://127.0.0.1:9"
    client = Client(configuration)
    with pytest.raises(Unreachable, match=r"cannot reach http://127\.0\.0\.1:9"):
        await client.get(DEPLOYMENT, "lab", "web")
    await client.aclose()


async def test_a_server_that_does_not_answer_is_given_up(server, monkeypatch):
    made, client = server
    monkeypatch.setattr(module, "TIME_LIMIT", 0.1)
    made.will(200, "hang")
    with pytest.raises(Unreachable, match="did not answer"):
        await client.get(DEPLOYMENT, "lab", "web")


def test_the_proxy_of_the_environment_counts_unless_the_host_is_excepted(monkeypatch):
    for name in (
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    assert environment_proxy("https://api.example.org:6443") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.internal")
    assert environment_proxy("https://api.example.org:6443") == "http://proxy.example.org:3128"
    assert environment_proxy("https://127.0.0.1:6443") is None
    assert environment_proxy("https://api.internal") is None


async def test_netrc_and_environment_are_not_read_for_every_request(server, monkeypatch):
    made, client = server
    monkeypatch.setattr("aiohttp.client.netrc_from_env", lambda: pytest.fail("read ~/.netrc"))
    made.will(200, {"kind": "Namespace"})
    await client.get(TESTBED, "", "local")


async def test_trouble_is_remembered_until_the_server_answers_again(server, caplog):
    made, client = server
    client.outspoken = True
    made.will(401, status("Unauthorized", "Unauthorized"))
    with pytest.raises(Unauthorized):
        await client.get(TESTBED, "", "local")
    assert client.trouble == f"{client.server} does not accept our login: Unauthorized"
    made.will(401, status("Unauthorized", "Unauthorized"))
    with pytest.raises(Unauthorized):
        await client.get(TESTBED, "", "local")
    made.will(404, status("NotFound"))
    with pytest.raises(NotFound):
        await client.get(TESTBED, "", "local")
    assert client.trouble == ""
    said = [record.getMessage() for record in caplog.records if record.name == module.__name__]
    assert said[0] == f"{client.server} does not accept our login: Unauthorized"
    assert len(said) <= 2
