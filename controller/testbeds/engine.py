"""A Docker engine on this host, through its Unix socket: as much of its API as containers of ours need.

https://docs.docker.com/reference/api/engine/version/v1.41/ (Docker 20.10 and newer)
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from controller.model.errors import TestbedError

API = "v1.41"
OLDEST = (1, 41)
"""The API of Docker 20.10."""
DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"
ANSWER_SECONDS = 25.0
EVENTS_SECONDS = 60.0
"""A stream of events that is silent for so long is opened anew: its other end may be gone."""
LOG_BYTES = 64 * 1024
BRIDGE_NAME = "com.docker.network.bridge.name"
"""The option of a network that names its interface on the host."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine lists it. `state`: created, running, paused, restarting, exited, removing or dead."""

    id: str
    name: str
    state: str
    labels: Mapping[str, str]

    @property
    def up(self) -> bool:
        """Whether its process runs."""
        return self.state in ("running", "paused", "restarting")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container ended, in the engine's words."""

    code: int
    out_of_memory: bool
    error: str


class EngineError(TestbedError):
    """The engine answered, and refused. `status`: of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__("EngineRefused", f"the Docker engine refused: {message}")
        self.status = status
        self.said = message


class Engine:
    """One engine. Every call raises `TestbedError`: `EngineAway` where nobody answers, else `EngineError`."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint`: `unix:///PATH`; empty for Docker's default. Does no I/O."""
        self.endpoint = endpoint or DEFAULT_ENDPOINT
        if not self.endpoint.startswith("unix:///"):
            raise TestbedError(
                "RemoteEngine",
                f"spec.endpoint: {endpoint}: containers mount this host's store, so the engine must be on this "
                "host, behind a Unix socket (unix:///var/run/docker.sock)",
            )
        self._socket = self.endpoint.removeprefix("unix://")
        transport = httpx.AsyncHTTPTransport(uds=self._socket, limits=httpx.Limits(max_connections=32))
        self._client = httpx.AsyncClient(
            transport=transport, base_url=f"http://docker/{API}", timeout=ANSWER_SECONDS, trust_env=False
        )

    async def aclose(self) -> None:
        """Let go of its connections."""
        await self._client.aclose()

    async def information(self) -> dict[str, Any]:
        """Version, storage and limits (`docker info`). Raises `EngineTooOld` as well."""
        answer = await self._ask("GET", "http://docker/version")
        version = str(answer.json().get("ApiVersion", "0.0"))
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise TestbedError(
                "EngineTooOld",
                f"the Docker engine speaks API {version}; 1.41 (Docker 20.10) or newer is needed",
            )
        return dict((await self._ask("GET", "/info")).json())

    async def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """All containers that carry these labels, whether they run or not."""
        found = (
            await self._ask("GET", "/containers/json", params={"all": "1", "filters": _filters(labels)})
        ).json()
        return [
            Container(item["Id"], item["Names"][0].lstrip("/"), item["State"], item["Labels"] or {})
            for item in found
            if item["Names"]
        ]

    async def ending(self, container: str) -> Ending:
        """How a container ended."""
        state = (await self._ask("GET", f"/containers/{container}/json")).json()["State"]
        return Ending(int(state["ExitCode"]), bool(state["OOMKilled"]), str(state["Error"] or ""))

    async def log(self, container: str, lines: int) -> str:
        """The last lines of a container's console, which is a terminal."""
        params = {"stdout": "1", "stderr": "1", "tail": str(lines)}
        answer = await self._ask("GET", f"/containers/{container}/logs", params=params)
        return answer.content[-LOG_BYTES:].decode("utf-8", "replace").replace("\r\n", "\n")

    async def remove_container(self, container: str) -> None:
        """End a container and remove it with its nameless volumes; also when it is gone already."""
        await self._gone("DELETE", f"/containers/{container}", params={"force": "1", "v": "1"})

    async def has_image(self, name: str) -> bool:
        """Whether an image is there."""
        try:
            await self._ask("GET", f"/images/{name}/json")
        except EngineError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return False
            raise
        return True

    async def import_empty_image(self, name: str) -> None:
        """Make an image with nothing in it."""
        empty = io.BytesIO()
        with tarfile.open(fileobj=empty, mode="w"):
            pass
        repository, _, tag = name.partition(":")
        answer = await self._ask(
            "POST",
            "/images/create",
            params={"fromSrc": "-", "repo": repository, "tag": tag},
            content=empty.getvalue(),
            headers={"Content-Type": "application/x-tar"},
        )
        said = answer.text.strip().splitlines()[-1:]
        if said and "error" in (last := json.loads(said[0])):
            raise EngineError(500, str(last["error"]))

    async def networks(self) -> list[dict[str, Any]]:
        """Every network, as the engine describes it."""
        return list((await self._ask("GET", "/networks")).json())

    async def create_network(self, name: str, subnet: str, bridge: str, labels: Mapping[str, str]) -> None:
        """Make a network that leads nowhere else. `bridge`: its interface on the host, 15 bytes at most."""
        body = {
            "Name": name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "Internal": True,
            "Options": {BRIDGE_NAME: bridge},
            "IPAM": {"Driver": "default", "Config": [{"Subnet": subnet}]},
            "Labels": dict(labels),
        }
        await self._ask("POST", "/networks/create", json=body)

    async def remove_network(self, name: str) -> None:
        """Remove a network; also when it is gone already."""
        await self._gone("DELETE", f"/networks/{name}")

    async def volumes(self, labels: Mapping[str, str]) -> list[str]:
        """The names of the volumes that carry these labels."""
        found = (await self._ask("GET", "/volumes", params={"filters": _filters(labels)})).json()
        return [str(item["Name"]) for item in found.get("Volumes") or ()]

    async def remove_volume(self, name: str) -> None:
        """Remove a volume; also when it is gone already."""
        await self._gone("DELETE", f"/volumes/{name}")

    async def see(self, path: str, image: str, labels: Mapping[str, str]) -> None:
        """Return where the engine finds `path` as we do; raise `EngineError` otherwise. Starts nothing."""
        body = {
            "Image": image,
            "Entrypoint": ["/none"],
            "Labels": dict(labels),
            "HostConfig": {"Mounts": [{"Type": "bind", "Source": path, "Target": "/see", "ReadOnly": True}]},
        }
        made = (await self._ask("POST", "/containers/create", json=body)).json()
        await self.remove_container(str(made["Id"]))

    async def events(self, labels: Mapping[str, str]) -> AsyncGenerator[None, None]:
        """A container with these labels began, ended or went: yields at once when the stream stands, and each time.

        Ends when the engine closes it or was silent for `EVENTS_SECONDS`; raises `EngineAway` where nobody answers.
        """
        filters = {
            "type": ["container"],
            "event": ["start", "die", "destroy"],
            "label": [f"{key}={value}" for key, value in labels.items()],
        }
        timeout = httpx.Timeout(ANSWER_SECONDS, read=EVENTS_SECONDS)
        try:
            async with self._client.stream(
                "GET", "/events", params={"filters": json.dumps(filters)}, timeout=timeout
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise EngineError(answer.status_code, (await answer.aread()).decode("utf-8", "replace"))
                yield
                async for line in answer.aiter_lines():
                    if line:
                        yield
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            raise self._away(error) from None

    async def _gone(self, method: str, path: str, params: Mapping[str, str] | None = None) -> None:
        try:
            await self._ask(method, path, params=params)
        except EngineError as error:
            already = error.status == httpx.codes.CONFLICT and "already in progress" in error.said
            if error.status != httpx.codes.NOT_FOUND and not already:
                raise

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise self._away(error) from None
        if answer.is_success:
            return answer
        try:
            said = str(answer.json()["message"])
        except (ValueError, KeyError, TypeError):
            said = answer.text[:500]
        raise EngineError(answer.status_code, said.strip())

    def _away(self, error: Exception) -> TestbedError:
        why = str(error) or type(error).__name__
        return TestbedError("EngineAway", f"no Docker engine answers at {self.endpoint}: {why}")


def _filters(labels: Mapping[str, str]) -> str:
    return json.dumps({"label": [f"{key}={value}" for key, value in labels.items()]})
