"""kopf, standalone in a thread of its own, as the operator runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kopf
import pytest

from tests.local.clients.conftest import FaultSwitches
from tests.local.clients.proxy import Proxy
from tests.local.kubectl.runner import Kubectl
from tests.local.plane import ControlPlane
from tests.local.scratch import GROUP, VERSION, sprocket

LIMIT = 40.0


class Operator:
    """A kopf operator on one namespace: what its event handler last heard of each sprocket."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.registry = kopf.OperatorRegistry()
        self.known: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[str | None, str]] = []
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)

        @kopf.on.login(registry=self.registry)  # type: ignore[arg-type]
        def login(**kwargs: Any) -> Any:
            return kopf.login_with_kubeconfig(**kwargs)

        @kopf.on.event(GROUP, VERSION, "sprockets", registry=self.registry)  # type: ignore[arg-type]
        def told(event: Any, name: str, body: Any, **_: Any) -> None:
            self.heard.append((event["type"], name))
            if event["type"] == "DELETED":
                self.known.pop(name, None)
            else:
                self.known[name] = dict(body["spec"])

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(LIMIT), "kopf is not ready"

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "kopf does not stop"
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.networking.error_backoffs = (0.1, 0.2, 0.5, 1, 1, 1, 1, 1, 1, 1)
        settings.watching.reconnect_backoff = 0.1
        settings.watching.inactivity_timeout = 70
        try:
            asyncio.run(
                kopf.operator(
                    registry=self.registry, settings=settings, standalone=True, namespaces=[self.namespace],
                    stop_flag=self._stop, ready_flag=self._ready,
                )
            )  # fmt: skip
        except BaseException as error:
            self._error = error
            self._ready.set()


@pytest.fixture
def operator(
    k: Kubectl, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path | None], Operator]]:
    """Starts operators that are stopped after the test."""
    started: list[Operator] = []

    def run(kubeconfig: Path | None = None, change: Callable[[Operator], None] | None = None) -> Operator:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig or control_plane.kubeconfig))
        made = Operator(k.namespace)
        if change is not None:
            change(made)
        made.start()
        started.append(made)
        return made

    logging.getLogger("kopf").setLevel(logging.CRITICAL)
    yield run
    for each in started:
        each.stop()


async def until(condition: Callable[[], bool], what: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIMIT):
            while not condition():
                await asyncio.sleep(0.05)
    assert condition(), f"not within {LIMIT:.0f} s: {what}"


async def test_it_hears_of_what_is_there_and_of_every_change(k: Kubectl, operator: Any) -> None:
    k("create -f -", sprocket("there", size=5))
    kopf_ = operator()
    await until(lambda: kopf_.known.get("there", {}).get("size") == 5, "what was there")
    k("create -f -", sprocket("new", size=6))
    await until(lambda: kopf_.known.get("new", {}).get("size") == 6, "what is new")
    k('patch sprocket new --type=merge -p \'{"spec":{"size":7}}\'')
    await until(lambda: kopf_.known["new"]["size"] == 7, "what changed")
    k("delete sprocket there")
    await until(lambda: "there" not in kopf_.known, "what is gone")
    assert kopf_.heard[0] == (None, "there")
    assert ("ADDED", "new") in kopf_.heard


async def test_an_event_handler_writes_nothing(k: Kubectl, operator: Any) -> None:
    k("create -f -", sprocket("w"))
    before = k.get("sprocket w")
    kopf_ = operator()
    await until(lambda: "w" in kopf_.known, "the sprocket")
    await asyncio.sleep(0.5)
    assert k.get("sprocket w") == before


async def test_it_hears_what_happened_while_its_connection_was_cut(
    k: Kubectl, operator: Any, proxy: Proxy
) -> None:
    k("create -f -", [sprocket("a"), sprocket("b")])
    kopf_ = operator(proxy.kubeconfig)
    await until(lambda: {"a", "b"} <= kopf_.known.keys(), "both")
    await proxy.cut()
    k('patch sprocket a --type=merge -p \'{"spec":{"size":9}}\'')
    k("create -f -", sprocket("c", size=3))
    await proxy.restore()
    await until(lambda: kopf_.known["a"]["size"] == 9 and "c" in kopf_.known, "the changes")
    proxy.drop()
    k("delete sprocket c")
    k("create -f -", sprocket("d"))
    await until(lambda: "d" in kopf_.known, "news after a second cut")


async def test_it_survives_faults(k: Kubectl, operator: Any, faults: FaultSwitches) -> None:
    kopf_ = operator()
    faults.set(
        seed=3, plurals=["sprockets"], delay=0.02, gone=0.2, drop=0.3, expire=0.3, double=0.3,
        unavailable=0.1, too_many=0.1,
    )  # fmt: skip
    for n in range(12):
        k.until(
            f"apply --server-side -f {_manifest(k, f's{n}')}",
            lambda output: output.code == 0,
            LIMIT,
        )
    faults.set()
    faults.do("drop")
    k("create -f -", sprocket("last"))
    wanted = {f"s{n}" for n in range(12)} | {"last"}
    await until(lambda: wanted <= kopf_.known.keys(), f"all of {sorted(wanted)}")


def _manifest(k: Kubectl, name: str) -> Path:
    path = k.home / f"{k.namespace}-{name}.json"
    path.write_text(json.dumps(sprocket(name)), encoding="utf-8")
    return path


async def test_its_change_handlers_and_finalizers_work(k: Kubectl, operator: Any) -> None:
    """Not used by the operator, but by others who would try kopf on this server."""
    done: list[str] = []

    def change(made: Operator) -> None:
        @kopf.on.create(GROUP, VERSION, "sprockets", registry=made.registry)  # type: ignore[arg-type]
        def created(name: str, patch: Any, **_: Any) -> None:
            patch.status["phase"] = "Made"
            done.append(f"created {name}")

        @kopf.on.delete(GROUP, VERSION, "sprockets", registry=made.registry)  # type: ignore[arg-type]
        def deleted(name: str, **_: Any) -> None:
            done.append(f"deleted {name}")

    operator(change=change)
    k("create -f -", sprocket("w"))
    await until(lambda: "created w" in done, "the create handler")
    await asyncio.to_thread(k, "wait --for=jsonpath='{.status.phase}'=Made --timeout=20s sprocket/w")
    assert k.get("sprocket w")["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
    await asyncio.to_thread(k, "delete sprocket w --timeout=30s")
    assert done == ["created w", "deleted w"]
