"""Bad surroundings: one clear line each, no traceback, and no restart needed once they are mended."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller.kube.client import Client
from controller.model.kinds import COMPOSITION, CRD, DEPLOYMENT, NAMESPACE, Kind
from tests.loop.conftest import House
from tests.loop.process import OperatorProcess
from tests.loop.relay import Relay, kubeconfig, server_of
from tests.loop.stage import Stage, apply, composition_spec, connect, crew

RBAC = "rbac.authorization.k8s.io"
ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
ROLE = Kind(RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False)
BINDING = Kind(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", namespaced=True)
WHOLE_ROLE: list[dict[str, Any]] = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
    {"nonResourceURLs": ["*"], "verbs": ["get"]},
]
SECONDS = 20.0


class Loner(OperatorProcess):
    """An operator of the test's own, under the shared one's name: that one is stopped meanwhile."""

    async def says(self, *words: str, seconds: float = SECONDS) -> str:
        """Until one line of its output has all these words; the line."""
        return await self._until(lambda: self._line(words), f"it says {words}", seconds)

    async def is_ready(self, seconds: float = SECONDS) -> None:
        """Until /readyz answers ok and it leads."""
        await self._until(lambda: self.get("/readyz")[0] == 200 and self.leads(), "it is ready", seconds)

    async def is_not_ready(self, *words: str, seconds: float = SECONDS) -> str:
        """Until /readyz says no, with these words; it must be healthy all the same."""

        def check() -> str:
            code, text = self.get("/readyz")
            return text if code == 503 and all(word in text for word in words) else ""

        text: str = await self._until(check, f"/readyz says {words}", seconds)
        assert self.get("/healthz")[0] == 200
        return text

    def _line(self, words: tuple[str, ...]) -> str:
        return next((line for line in self.said().splitlines() if all(word in line for word in words)), "")

    async def _until(self, check: Any, what: str, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := await asyncio.to_thread(check)):
            assert self.running, f"it ended instead of: {what}; it said:\n{self.said()}"
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}; it said:\n{self.said()}"
            await asyncio.sleep(0.1)
        return found


@pytest.fixture
def directory(tmp_path: Path, house: House) -> Path:
    """For this test's operators; the shared one stands aside."""
    if house.operator.running:
        house.operator.stop()
    return tmp_path


@pytest.fixture
def loners() -> Iterator[list[Loner]]:
    """The operators that a test starts; ended after it, having said no traceback."""
    started: list[Loner] = []
    yield started
    for operator in started:
        if operator.running:
            assert operator.stop() == 0
        assert "Traceback" not in operator.said(), operator.said()


@pytest.fixture
async def admin(house: House) -> AsyncIterator[Client]:
    """The administrator, past any relay."""
    client = await connect(house.plane.kubeconfig)
    yield client
    await client.aclose()


def start(loners: list[Loner], given: Path, directory: Path, *arguments: str) -> Loner:
    operator = Loner(given, directory, *arguments)
    loners.append(operator)
    operator.spawn()
    return operator


# ------------------------------------------------------------ a kubeconfig that leads nowhere


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["there is no kubeconfig", "--kubeconfig"]),
        ("", ["cannot log in by"]),
        ("not: [yaml", ["cannot log in by"]),
        ("apiVersion: v1\nkind: Config\nclusters: []\n", ["cannot log in by"]),
        ("- a\n- list\n", ["cannot log in by"]),
    ],
    ids=["missing", "empty", "no YAML", "no context", "another thing"],
)
def test_a_kubeconfig_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | None, words: list[str]
) -> None:
    given = tmp_path / "kubeconfig"
    if content is not None:
        given.write_text(content)
    operator = OperatorProcess(given, tmp_path).spawn()
    assert operator.wait(SECONDS) == 1
    (line,) = operator.said().splitlines()
    assert str(given) in line
    assert all(word in line for word in words), line


async def test_a_context_that_is_not_there_is_named(house: House, tmp_path: Path) -> None:
    operator = OperatorProcess(house.plane.kubeconfig, tmp_path, "--context", "mars").spawn()
    assert await asyncio.to_thread(operator.wait, SECONDS) == 1
    (line,) = operator.said().splitlines()
    assert "mars" in line


async def test_a_server_that_is_not_there_yet_is_waited_for(
    house: House, directory: Path, loners: list[Loner]
) -> None:
    relay = Relay(server_of(house.plane.kubeconfig))
    url = f"https://127.0.0.1:{relay.port}"
    operator = start(loners, kubeconfig(house.plane.kubeconfig, directory / "config", server=url), directory)
    await operator.says("cannot reach", url, "is it running")
    await operator.is_not_ready("cannot reach", url)
    assert operator.said().count("cannot reach") == 1
    await relay.mend()
    await operator.says("all is there now")
    await operator.is_ready()
    await asyncio.to_thread(operator.stop)
    await relay.cut()


async def test_a_certificate_of_another_authority_is_refused_by_name(
    house: House, directory: Path, loners: list[Loner]
) -> None:
    other = base64.b64encode(_another_authority()).decode()
    operator = start(loners, kubeconfig(house.plane.kubeconfig, directory / "config", ca=other), directory)
    await operator.says("cannot reach", "certificate verify failed")
    await operator.is_not_ready("certificate verify failed")


async def test_a_token_that_does_not_count_is_told(
    house: House, directory: Path, loners: list[Loner]
) -> None:
    given = kubeconfig(house.plane.kubeconfig, directory / "config", user={"token": "made-up"})
    operator = start(loners, given, directory)
    await operator.says("does not accept the login of this kubeconfig")
    await operator.is_not_ready("does not accept the login")


# ------------------------------------------------------------ CRDs, namespace, permissions


async def test_an_older_crd_is_named_and_waited_for(
    house: House, directory: Path, loners: list[Loner], admin: Client
) -> None:
    crd = "deployments.nxc.dev"
    await admin.patch(CRD, "", crd, {"metadata": {"annotations": {"nxc.dev/crd-revision": "0"}}})
    operator = start(loners, house.plane.kubeconfig, directory)
    await operator.says(crd, "older than this operator", "kubectl apply -f crds/")
    await operator.is_not_ready(crd, "older")
    await apply(admin, CRD, _manifest("deployments"))
    await operator.is_ready()


async def test_crds_that_are_missing_are_named_and_waited_for(
    house: House, directory: Path, loners: list[Loner], admin: Client
) -> None:
    if house.plane.kind != "local":
        pytest.skip("deleting the CRDs would delete everybody's objects on a control plane that others use")
    # not testbeds: one that was in use has our finalizer, and its kind cannot go while nobody works
    names = ("deployednodes", "compositions")
    for name in names:
        await admin.request(
            "DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}.nxc.dev"
        )
    operator = start(loners, house.plane.kubeconfig, directory)
    for name in names:
        await operator.says(f"the CRD {name}.nxc.dev is not installed", "kubectl apply -f crds/")
    for name in names:
        await apply(admin, CRD, _manifest(name))
    await operator.is_ready()


async def test_the_operator_s_namespace_is_missing(
    house: House, directory: Path, loners: list[Loner], admin: Client
) -> None:
    name = f"nxc-{secrets.token_hex(3)}"
    operator = start(loners, house.plane.kubeconfig, directory, "--namespace", name)
    await operator.says(f"there is no namespace {name}", f"kubectl create namespace {name}")
    await admin.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await operator.is_ready()
    await asyncio.to_thread(operator.stop)
    await admin.request("DELETE", f"/api/v1/namespaces/{name}")


async def test_a_permission_that_is_missing_is_named_and_may_be_given_and_taken(
    stage: Stage, house: House, directory: Path, loners: list[Loner]
) -> None:
    admin, name = stage.client, f"loner-{secrets.token_hex(3)}"
    meta = {"metadata": {"name": name}}
    await apply(admin, ACCOUNT, {"metadata": {"name": name, "namespace": stage.namespace}})
    await apply(
        admin, ROLE, {**meta, "rules": [{**WHOLE_ROLE[0], "verbs": ["get", "list", "watch"]}, WHOLE_ROLE[1]]}
    )
    subject = {"kind": "ServiceAccount", "name": name, "namespace": stage.namespace}
    role_ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}
    await apply(admin, BINDING, {**meta, "roleRef": role_ref, "subjects": [subject]})
    try:
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        where = f"/api/v1/namespaces/{stage.namespace}/serviceaccounts/{name}/token"
        token = (await admin.request("POST", where, body=request))["status"]["token"]
        given = kubeconfig(house.plane.kubeconfig, directory / "config", user={"token": token})
        operator = start(loners, given, directory)
        await operator.says("the operator may not create deployednodes.nxc.dev", "ClusterRole")
        await operator.is_not_ready("may not patch deployments.nxc.dev/status")

        await apply(admin, ROLE, {**meta, "rules": WHOLE_ROLE})
        await operator.is_ready()
        await stage.composition()
        await stage.deployment("first", flavour="simulated-fast")
        await stage.ready("first")

        # taken away while it runs: said in the log and in the status of what it holds up
        reading = {**WHOLE_ROLE[0], "verbs": ["get", "list", "watch"]}
        writing = {**WHOLE_ROLE[0], "resources": ["*/status", "deployments", "events", "leases"]}
        short = [reading, writing, WHOLE_ROLE[1]]
        await apply(admin, ROLE, {**meta, "rules": short})
        await asyncio.sleep(1.0)
        await stage.deployment("second", flavour="simulated-fast")
        await operator.says("forbidden")
        assert operator.get("/healthz")[0] == 200
        await apply(admin, ROLE, {**meta, "rules": WHOLE_ROLE})
        await stage.ready("second")
        for deployment in ("first", "second"):
            await stage.delete(DEPLOYMENT, deployment)
        await stage.nothing_left()
        await asyncio.to_thread(operator.stop)
    finally:
        for kind in (ROLE, BINDING):
            await stage.delete(kind, name)


# ------------------------------------------------------------ the server goes away and comes back


async def test_a_server_that_goes_away_for_a_while_is_survived(
    stage: Stage, house: House, directory: Path, loners: list[Loner]
) -> None:
    relay = Relay(server_of(house.plane.kubeconfig))
    await relay.mend()
    url = f"https://127.0.0.1:{relay.port}"
    operator = start(loners, kubeconfig(house.plane.kubeconfig, directory / "config", server=url), directory)
    await operator.is_ready()
    await stage.composition()
    await stage.deployment("before", roles=crew(client=2))
    await stage.ready("before", nodes=2)

    await relay.cut()
    await operator.is_not_ready("cannot reach", url)
    await stage.deployment("meanwhile")
    await stage.delete(DEPLOYMENT, "before")
    await relay.mend()
    await operator.is_ready()
    await operator.says("answers again")
    await stage.ready("meanwhile")
    await stage.gone(DEPLOYMENT, "before")

    await relay.cut()
    await operator.says("lost the lease", seconds=30)  # longer than it may lead without a renewal
    await stage.edit(DEPLOYMENT, "meanwhile", {"roles": crew(server=1, client=1)})
    await relay.mend()
    await stage.ready("meanwhile", nodes=2, seconds=60)
    await operator.is_ready()
    await stage.matches()
    await stage.delete(DEPLOYMENT, "meanwhile")
    await stage.nothing_left()
    await asyncio.to_thread(operator.stop)
    await relay.cut()


# ------------------------------------------------------------ much of everything


async def test_objects_of_a_megabyte(stage: Stage, operator: OperatorProcess) -> None:
    filler = "\n".join(f"# {index:08} {'x' * 80}" for index in range(5400))
    assert len(filler) > 490_000
    await stage.composition(text="large\n" + filler)
    data = {f"{index}.nix": "x" * 100_000 for index in range(10)}
    meta = {"name": "large", "namespace": stage.namespace}
    await stage.client.create(
        CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
    )
    note = {"example.org/note": "x" * 200_000}
    await stage.edit(COMPOSITION, "web", annotations=note)
    spec = {"source": {"configMap": {"name": "large"}}, "packageSource": {"name": "simulated"}}
    await stage.create(COMPOSITION, "of-files", spec)
    await stage.deployment(roles=crew(client=2))
    await stage.ready(nodes=2)
    await stage.deployment("files", "of-files", roles=[{"name": "node"}])
    await stage.ready("files")
    assert operator.get("/healthz")[0] == 200


async def test_an_object_that_is_too_large_is_refused_by_the_server_and_hurts_nobody(
    stage: Stage, operator: OperatorProcess
) -> None:
    await stage.composition()
    with pytest.raises(Exception, match=r"(?i)too l(ong|arge)"):
        await stage.composition("huge", text="x" * 600_000)
    await stage.deployment()
    await stage.ready(nodes=1)


@pytest.mark.slow
async def test_three_hundred_namespaces(stage: Stage, operator: OperatorProcess) -> None:
    """Each with a Composition, every tenth with a Deployment, all on one testbed."""
    run = secrets.token_hex(2)
    names = [f"many-{run}-{index}" for index in range(300)]
    rooms = [Stage(stage.client, name, stage.world, stage.testbed) for name in names[::10]]
    side_by_side = asyncio.Semaphore(8)

    async def furnish(name: str) -> None:
        async with side_by_side:
            await apply(stage.client, NAMESPACE, {"metadata": {"name": name}})
            meta = {"name": "web", "namespace": name}
            await apply(stage.client, COMPOSITION, {"metadata": meta, "spec": composition_spec()})

    try:
        await asyncio.gather(*(furnish(name) for name in names))
        for room in rooms:
            await room.deployment(flavour="simulated-fast")
        for room in rooms:
            await room.ready(nodes=1)
        await asyncio.gather(*(room.delete(DEPLOYMENT, "web") for room in rooms))
        for room in rooms:
            await room.nothing_left()
    finally:
        for room in rooms:
            room.close()
        for name in names:
            await stage.client.request("DELETE", f"/api/v1/namespaces/{name}")


def _manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "crds" / f"{name}.yaml").read_text())
    return found


def _another_authority() -> bytes:
    """A CA certificate (PEM) that signed nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
