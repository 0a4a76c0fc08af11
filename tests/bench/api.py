"""Requests per second of a control plane: `python tests/bench/api.py KUBECONFIG...`.

For each server: get, list of 1,000, status patch, create, and how long one change takes to reach 20 watchers. The
client is one process with plain HTTP/1.1 over TLS; on a small machine it takes as much CPU as the server.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

GROUP = "bench-api.nxc.dev"
NAMESPACE = f"nxc-bench-{secrets.token_hex(3)}"
OBJECTS = 1000
WATCHERS = 20
SECONDS = 4.0
CONNECTIONS = 8

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"benches.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "benches", "singular": "bench", "kind": "Bench", "listKind": "BenchList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "text": {"type": "string", "maxLength": 2000},
                                    "count": {"type": "integer", "minimum": 0},
                                },
                            },
                            "status": {
                                "type": "object",
                                "properties": {
                                    "seen": {"type": "integer"},
                                    "conditions": {
                                        "type": "array",
                                        "maxItems": 16,
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["type"],
                                        "items": {
                                            "type": "object",
                                            "required": ["type", "status"],
                                            "properties": {
                                                key: {"type": "string", "maxLength": 1000}
                                                for key in ("type", "status", "reason", "message")
                                            },
                                        },
                                    },
                                },
                            },
                        },
                    }
                },
            }
        ],
    },
}
PATH = f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/benches"


class Connection:
    """One HTTP/1.1 connection; as little client as will do, so that it does not hide the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, bytes]:
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
        self.writer.write(head.encode() + data)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        code = int(lines[0].split()[1])
        fields = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
        if b"content-length" in fields:
            return code, await self.reader.readexactly(int(fields[b"content-length"]))
        answer = b""
        while size := int(await self.reader.readline(), 16):
            answer += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return code, answer

    async def must(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> bytes:
        code, answer = await self.call(method, path, body, kind)
        assert code < 300, answer
        return answer


class Server:
    """Who answers at a kubeconfig's address."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_bytes())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        where = urlsplit(cluster["server"])
        self._host, self._port = where.hostname, where.port
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            self._context.load_cert_chain(pair.name)

    async def connect(self) -> Connection:
        return Connection(
            *await asyncio.open_connection(self._host, self._port, ssl=self._context, limit=16 << 20)
        )


async def rate(
    server: Server, call: Callable[[Connection, int], Awaitable[object]], connections: int
) -> float:
    """Calls per second over some connections at once."""
    opened = [await server.connect() for _ in range(connections)]
    done = 0
    end = time.perf_counter() + SECONDS

    async def work(connection: Connection) -> None:
        nonlocal done
        while time.perf_counter() < end:
            done += 1
            await call(connection, done)

    started = time.perf_counter()
    await asyncio.gather(*map(work, opened))
    elapsed = time.perf_counter() - started
    for connection in opened:
        connection.writer.close()
    return done / elapsed


async def fan_out(server: Server) -> tuple[float, float]:
    """Milliseconds until the last of the watchers has one change; events per second delivered in a burst."""
    version = json.loads(await (await server.connect()).must("GET", f"{PATH}?limit=1"))["metadata"][
        "resourceVersion"
    ]
    arrivals: asyncio.Queue[float] = asyncio.Queue()

    async def watch() -> None:
        connection = await server.connect()
        connection.writer.write(
            f"GET {PATH}?watch=1&resourceVersion={version} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        await connection.reader.readuntil(b"\r\n\r\n")
        while line := await connection.reader.readline():
            if line.startswith(b"{"):
                arrivals.put_nowait(time.perf_counter())

    watchers = [asyncio.create_task(watch()) for _ in range(WATCHERS)]
    await asyncio.sleep(0.5)
    writer = await server.connect()
    latencies = []
    for number in range(20):
        started = time.perf_counter()
        await patch(writer, 1_000_000 + number)
        latencies.append((max([await arrivals.get() for _ in watchers]) - started) * 1000)
    writers = [await server.connect() for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    burst = 400

    async def send(connection: Connection, first: int) -> None:
        for number in range(first, burst, CONNECTIONS):
            await patch(connection, 2_000_000 + number)

    await asyncio.gather(*(send(connection, number) for number, connection in enumerate(writers)))
    for _ in range(burst * WATCHERS):
        await arrivals.get()
    elapsed = time.perf_counter() - started
    for task in watchers:
        task.cancel()
    return sorted(latencies)[len(latencies) // 2], burst * WATCHERS / elapsed


def bench(name: str) -> dict[str, Any]:
    spec = {"text": "a composition of moderate length " * 20, "count": 3}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Bench",
        "metadata": {"name": name, "labels": {"a": "b"}},
        "spec": spec,
    }


async def patch(connection: Connection, number: int) -> None:
    condition = {"type": "Ready", "status": "True", "reason": "AllReady", "message": f"node {number} answers"}
    body = {"status": {"seen": number, "conditions": [condition]}}
    await connection.must("PATCH", f"{PATH}/n{number % OBJECTS}/status", body, "application/merge-patch+json")


async def measure(server: Server) -> dict[str, float]:
    setup = await server.connect()
    await setup.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CRD)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await setup.call("POST", "/api/v1/namespaces", namespace)
    for _ in range(100):
        if (await setup.call("GET", PATH))[0] == 200:
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(2)  # the real server loses objects of a kind that it has just begun to serve
    started = time.perf_counter()
    workers = [await server.connect() for _ in range(CONNECTIONS)]

    async def fill(connection: Connection, first: int) -> None:
        for number in range(first, OBJECTS, CONNECTIONS):
            await connection.must("POST", PATH, bench(f"n{number}"))

    await asyncio.gather(*(fill(connection, number) for number, connection in enumerate(workers)))
    results = {"create/s": OBJECTS / (time.perf_counter() - started)}
    run = secrets.randbelow(OBJECTS)
    results["get/s (1 client)"] = await rate(
        server, lambda c, n: c.must("GET", f"{PATH}/n{(run + n) % OBJECTS}"), 1
    )
    results["get/s (8 clients)"] = await rate(
        server, lambda c, n: c.must("GET", f"{PATH}/n{n % OBJECTS}"), CONNECTIONS
    )
    results["list of 1,000/s"] = await rate(server, lambda c, _: c.must("GET", PATH), 2)
    results["status patch/s (1 client)"] = await rate(server, patch, 1)
    results["status patch/s (8 clients)"] = await rate(server, patch, CONNECTIONS)
    results["change to 20 watchers, ms"], results["events/s to 20 watchers"] = await fan_out(server)
    await setup.must("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    await setup.must("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/benches.{GROUP}")
    return results


def main() -> None:
    names = sys.argv[1:]
    columns = [asyncio.run(measure(Server(Path(name)))) for name in names]
    print(f"{'':30}" + "".join(f"{Path(name).parent.name[-18:]:>20}" for name in names))
    for key in columns[0]:
        print(f"{key:30}" + "".join(f"{column[key]:20,.1f}" for column in columns))


if __name__ == "__main__":
    main()
