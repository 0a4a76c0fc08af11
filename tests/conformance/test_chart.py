"""The Helm chart: what it installs is accepted by an API server, and what it must refuse it refuses."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller import shipped
from controller.kube.client import Client
from controller.kube.config import load
from controller.kube.preflight import findings
from tests.local.kubectl.runner import Kubectl

CHART = Path(__file__).parents[2] / "charts" / "nxc-controller"
IMAGE = "image.repository=example.org/nxc-controller"

pytestmark = pytest.mark.skipif(
    shutil.which("helm") is None, reason="no helm on the PATH; `make chart` gets one"
)


def helm(*settings: str, namespace: str, release: str) -> subprocess.CompletedProcess[str]:
    values = [word for setting in settings for word in ("--set", setting)]
    command = ["helm", "template", release, str(CHART), "--namespace", namespace, *values]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def rendered(
    *settings: str, namespace: str = "nxc-system", release: str = "nxc-controller"
) -> list[dict[str, Any]]:
    done = helm(IMAGE, *settings, namespace=namespace, release=release)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_it_installs_the_crds_as_they_are_and_keeps_them() -> None:
    found = [document for document in rendered() if document["kind"] == "CustomResourceDefinition"]
    for crd in found:
        assert crd["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
    assert sorted(found, key=lambda crd: crd["metadata"]["name"]) == shipped.crds()
    kinds = [document["kind"] for document in rendered("crds.enabled=false")]
    assert "CustomResourceDefinition" not in kinds


def test_the_operator_may_not_read_all_secrets() -> None:
    role = next(
        d for d in rendered() if d["kind"] == "ClusterRole" and d["metadata"]["name"] == "nxc-controller"
    )
    verbs = {verb for rule in role["rules"] if "secrets" in rule["resources"] for verb in rule["verbs"]}
    assert verbs & {"list", "watch", "*", "deletecollection"} == set()
    assert not any("*" in rule["resources"] or "*" in rule["verbs"] for rule in role["rules"])


def test_only_who_builds_is_privileged() -> None:
    def pod(*settings: str) -> dict[str, Any]:
        spec: dict[str, Any] = next(d for d in rendered(*settings) if d["kind"] == "Deployment")["spec"]
        return dict(spec["template"]["spec"])

    plain, builder = pod(), pod("builds.enabled=true", "builds.claim=store")
    assert plain["securityContext"]["runAsNonRoot"] is True
    assert plain["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert builder["containers"][0]["securityContext"]["privileged"] is True
    assert {"name": "state", "persistentVolumeClaim": {"claimName": "store"}} in builder["volumes"]


async def test_the_operator_may_do_what_it_needs(nxc: Kubectl, tmp_path: Path) -> None:
    """The chart's roles, given to a ServiceAccount, leave the operator's own check nothing to complain of."""
    name = f"chart-{secrets.token_hex(3)}"
    wanted = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    documents = [d for d in rendered(namespace=nxc.namespace, release=name) if d["kind"] in wanted]
    nxc("apply -f -", documents)
    try:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(nxc("config view --raw --minify --flatten").stdout)
        kubeconfig.chmod(0o600)
        account = nxc.with_kubeconfig(str(kubeconfig))
        token = nxc(f"create token {name}").stdout.strip()
        account(f"config set-credentials {name} --token={token}")
        account(f"config set-context --current --user={name}")
        client = Client(await load(str(kubeconfig)))
        try:
            found = [finding async for finding in findings(client, revision=1, namespace=nxc.namespace)]
        finally:
            await client.aclose()
        assert found == []
    finally:
        nxc("delete -f -", documents)


def test_users_write_no_status_and_no_testbed() -> None:
    roles = [document for document in rendered() if document["kind"] == "ClusterRole"]
    edit = next(role for role in roles if role["metadata"]["name"] == "nxc-controller-edit")
    written = {resource for rule in edit["rules"] for resource in rule["resources"]}
    assert written == {"compositions", "deployments", "deployednodes"}


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("image.repository=", "/image/repository"),
        ("replicas=3", "/replicas"),
        ("replica=1", "'replica' not allowed"),
    ],
)
def test_wrong_values_are_refused_by_name(setting: str, says: str) -> None:
    done = helm(IMAGE, setting, namespace="nxc-system", release="nxc-controller")
    assert done.returncode != 0
    assert says in done.stderr


def test_the_api_server_accepts_all_of_it(nxc: Kubectl) -> None:
    known = set(nxc("api-resources -o name --cached=false").stdout.split())
    plurals = {"Deployment": "deployments.apps"}
    documents = rendered("replicas=2", "extraArgs={--verbose}")
    served = [d for d in documents if plurals.get(d["kind"], "") in known | {""}]
    for document in served:
        if document["metadata"].get("namespace"):
            document["metadata"]["namespace"] = nxc.namespace
    nxc("apply --server-side --force-conflicts --dry-run=server -f -", served)
