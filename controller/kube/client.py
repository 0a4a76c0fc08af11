"""`Api` over HTTP, by the asyncio client of the `kubernetes` package.

Its generated classes parse every answer into model objects, several times the cost of the JSON; what is
used of it here is the login: kubeconfig or service account, TLS context, refreshed tokens.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException

from controller.kube.api import ApiError, Listing, Unauthorized, Unreachable, refusal
from controller.model.kinds import Kind
from controller.model.meta import Object

logger = logging.getLogger(__name__)

CHUNK = 500
"""Objects in one page of a list."""
CONNECTIONS = 32
TIME_LIMIT = 30.0
CONNECT_LIMIT = 10.0
FIELD_MANAGER = "nxc-controller"


class Client:
    """An API server, reached by a kubernetes client `Configuration`."""

    def __init__(self, configuration: Configuration) -> None:
        self._client = ApiClient(configuration)
        self._host = configuration.host
        self._session: aiohttp.ClientSession | None = None
        self._options = _options(configuration)
        self.trouble = ""
        """Why the server cannot be used now, in a sentence; empty while it answers."""
        self.outspoken = False
        """Whether the beginning and end of trouble are logged here, once for all who ask."""

    @property
    def server(self) -> str:
        """The URL of the server, for messages."""
        return str(self._host)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
        await self._client.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """See `Api.get`."""
        return await self.request("GET", path(kind, namespace, name))

    async def list(self, kind: Kind, *, namespace: str = "") -> Listing:
        """See `Api.list`."""
        items: list[Object] = []
        token = ""
        while True:
            query = {"limit": str(CHUNK)} | ({"continue": token} if token else {})
            page = await self.request("GET", path(kind, namespace), query=query)
            for item in page.get("items") or ():
                item.get("metadata", {}).pop("managedFields", None)  # half of an object, and of no use here
                items.append(item)
            metadata = page.get("metadata") or {}
            token = metadata.get("continue") or ""
            if not token:
                return Listing(tuple(items), metadata.get("resourceVersion", ""))

    async def create(self, kind: Kind, obj: Object) -> Object:
        """See `Api.create`."""
        namespace = (obj["metadata"].get("namespace") or "") if kind.namespaced else ""
        query = {"fieldManager": FIELD_MANAGER}
        return await self.request("POST", path(kind, namespace), query=query, body=obj)

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str = "",
    ) -> Object:
        """See `Api.patch`."""
        target = path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return await self.request(
            "PATCH",
            target,
            query={"fieldManager": FIELD_MANAGER},
            body=patch,
            content_type="application/merge-patch+json",
        )

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """See `Api.delete`. Dependents go in the background (garbage collection)."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        await self.request("DELETE", path(kind, namespace, name), body=options)

    async def request(
        self,
        method: str,
        target: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """One request; the JSON it is answered with. Raises `ApiError`."""
        try:
            answer = await self._exchange(method, target, query, body, content_type)
        except Unauthorized as error:
            self._troubled(f"{self.server} does not accept our login: {error.message}")
            raise
        except Unreachable as error:
            self._troubled(error.message)
            raise
        except ApiError:
            self._answered()
            raise
        self._answered()
        return answer

    def _troubled(self, why: str) -> None:
        if self.outspoken and not self.trouble:
            logger.warning("%s", why)
        self.trouble = why

    def _answered(self) -> None:
        if self.outspoken and self.trouble:
            logger.info("%s answers again", self.server)
        self.trouble = ""

    async def _exchange(
        self, method: str, target: str, query: Mapping[str, str] | None, body: Any, content_type: str
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": FIELD_MANAGER}
        url = f"{self._host}{target}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else orjson.dumps(body)
        limits = aiohttp.ClientTimeout(total=TIME_LIMIT, sock_connect=CONNECT_LIMIT)
        try:
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], target, method, body)
            async with self._connections().request(
                method, url, headers=headers, data=data, timeout=limits, **self._options
            ) as response:
                answer = await response.read()
        except TimeoutError:
            raise Unreachable(f"{self.server} did not answer within {TIME_LIMIT:.0f} s") from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise Unreachable(f"cannot reach {self.server}: {error}") from error
        except ApiException as error:
            raise Unreachable(f"cannot ask {self.server}: {error.reason}") from error
        return _answer(response.status, response.headers, answer, method, target)

    def _connections(self) -> aiohttp.ClientSession:
        """The pool of connections, made when an event loop runs.

        aiohttp's `trust_env` stays off: with it ~/.netrc and the environment are read anew for every request,
        in a thread, which was a fifth of the operator's time. What counts of them, the proxy, is read once.
        """
        if self._session is None:
            context = self._client.rest_client.ssl_context
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


def _options(configuration: Configuration) -> dict[str, Any]:
    """What every request is told of TLS and proxy."""
    options: dict[str, Any] = {"allow_redirects": False}
    if proxy := configuration.proxy or environment_proxy(configuration.host):
        options["proxy"] = proxy
    if configuration.proxy_headers:
        options["proxy_headers"] = configuration.proxy_headers
    if configuration.tls_server_name:
        options["server_hostname"] = configuration.tls_server_name
    return options


def environment_proxy(url: str) -> str | None:
    """The proxy that `$HTTPS_PROXY` and its like name for a URL, unless `$NO_PROXY` excepts its host."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def _answer(status: int, headers: Mapping[str, str], data: bytes, method: str, target: str) -> dict[str, Any]:
    try:
        content = orjson.loads(data)
    except json.JSONDecodeError:
        # a proxy's page, or an answer cut short
        text = data[:200].decode(errors="replace")
        raise ApiError(status, "NotJson", f"{method} {target} gave HTTP {status}: {text!r}") from None
    if status < 400 and isinstance(content, dict):
        return content
    after = headers.get("Retry-After", "")
    raise refusal(
        status,
        content if isinstance(content, dict) else {},
        retry_after=float(after) if after.isdecimal() else None,
    )


def path(kind: Kind, namespace: str = "", name: str = "") -> str:
    """The URL path of a collection, or of one object."""
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace and kind.namespaced else ""
    return f"{root}{scope}/{kind.plural}" + (f"/{quote(name, safe='')}" if name else "")
