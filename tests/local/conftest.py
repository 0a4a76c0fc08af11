"""Local control planes for what a real one does not have, and kubectl for both; `control_plane` stands above."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.local.server import Settings
from tests.local.kubectl.runner import Kubectl
from tests.local.kubectl.serving import served
from tests.local.plane import ControlPlane, LocalProcess, LocalThread
from tests.local.scratch import GROUP, PADDOCKS, SPROCKETS

SCRATCH = "nxc.dev/scratch"
"""Label of the namespaces that these tests make."""


@pytest.fixture(scope="session")
def local_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The local plane alone, for what a real one does not have."""
    directory = tmp_path_factory.mktemp("plane")
    thread = LocalThread(Settings(directory / "state", directory / "kubeconfig", faults=True))
    try:
        yield thread.start()
    finally:
        thread.stop()


@pytest.fixture
def local_server_process(tmp_path: Path) -> Iterator[LocalProcess]:
    """A process of our own with fresh state, not started yet; killed after the test if it still runs."""
    process = LocalProcess(tmp_path)
    try:
        yield process
    finally:
        if process.process is not None and process.process.poll() is None:
            process.kill()


def context_file(path: Path, kubeconfig: str, namespace: str, user: dict[str, Any] | None = None) -> str:
    """A KUBECONFIG value: the plane's own file, and before it one that chooses namespace (and user)."""
    with open(kubeconfig, encoding="utf-8") as stream:
        given = yaml.safe_load(stream)
    current = next(c["context"] for c in given["contexts"] if c["name"] == given["current-context"])
    context = {**current, "namespace": namespace}
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": "scratch"}
    if user is not None:
        context["user"] = "scratch"
        document["users"] = [{"name": "scratch", "user": user}]
    document["contexts"] = [{"name": "scratch", "context": context}]
    path.write_text(json.dumps(document), encoding="utf-8")
    path.chmod(0o600)
    return f"{path}:{kubeconfig}"


@pytest.fixture(scope="session")
def admin(control_plane: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl as the administrator, the scratch kinds installed."""
    home = tmp_path_factory.mktemp("home")
    k = Kubectl(str(control_plane.kubeconfig), home, "default")
    run = f"nxc-run-{secrets.token_hex(3)}"
    k(
        "apply -f -",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": run, "labels": {SCRATCH: "run"}}},
    )
    k("apply --server-side --force-conflicts -f -", [SPROCKETS, PADDOCKS])
    served(k, SPROCKETS)
    served(k, PADDOCKS)
    yield k
    k(f"delete namespace {run} --wait=false")
    others = [
        n for n in k(f"get namespaces -l {SCRATCH}=run -o name").stdout.split() if n != f"namespace/{run}"
    ]
    if not others:  # another session on the same server may still use the kinds
        k(f"delete crd sprockets.{GROUP} paddocks.{GROUP} --ignore-not-found --timeout=60s")


@pytest.fixture
def k(admin: Kubectl, control_plane: Any, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl as the administrator, in a fresh namespace."""
    name = f"nxc-{secrets.token_hex(3)}"
    admin(
        "create -f -",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {SCRATCH: "test"}}},
    )
    kubeconfig = context_file(tmp_path / "context", str(control_plane.kubeconfig), name)
    kubectl = Kubectl(kubeconfig, admin.home, name)
    yield kubectl
    held = kubectl.run(f"get sprockets.{GROUP},configmaps -o jsonpath='{{.items[?(@.metadata.finalizers)]}}'")
    if held.stdout:  # a test that failed half way must not leave a namespace that never goes
        for thing in kubectl(f"get sprockets.{GROUP},configmaps -o name").stdout.split():
            kubectl.run(f'patch {thing} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\'')
    admin.run(f"delete namespace {name} --wait=false --ignore-not-found")


@pytest.fixture
def as_user(control_plane: Any, k: Kubectl, tmp_path: Path) -> Callable[[str], Kubectl]:
    """kubectl with a bearer token instead of the administrator's certificate, in the same namespace."""

    def with_token(token: str) -> Kubectl:
        path = tmp_path / f"user-{secrets.token_hex(3)}"
        return k.with_kubeconfig(
            context_file(path, str(control_plane.kubeconfig), k.namespace, {"token": token})
        )

    return with_token


@pytest.fixture(scope="session")
def discovered(admin: Kubectl) -> set[str]:
    """What discovery says is served: `plural.group`, groups and `group/version`."""
    names = set(admin("api-resources -o name --cached=false").stdout.split())
    return names | set(admin("api-versions").stdout.split())


@pytest.fixture
def needs(discovered: set[str], admin: Kubectl) -> Callable[[str], None]:
    """Skip, by name, a test of something that the real control plane's core is too old for."""

    def check(what: str) -> None:
        if what.startswith("/"):
            if admin.run(f"get --raw {what}").code != 0:
                pytest.skip(f"this server does not serve {what}")
        elif what not in discovered:
            pytest.skip(f"this server does not serve {what}")

    return check
