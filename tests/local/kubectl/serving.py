"""When a new kind can be relied on."""

from __future__ import annotations

from typing import Any

from tests.local.kubectl.runner import Kubectl, Output


def served(k: Kubectl, crd: dict[str, Any], limit: float = 30) -> None:
    """Wait until every version of a CRD answers.

    Where the CRDs are served by an aggregated server, as in the real control plane that developers test
    on, the front server answers for a new group itself until its APIService points there; what is written
    meanwhile is lost. So wait until the group is served by whoever serves CRDs.
    """
    group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
    k(f"wait --for=condition=Established --timeout={limit:.0f}s crd/{plural}.{group}")
    service = k.run("get apiservice v1.apiextensions.k8s.io -o jsonpath='{.spec.service.name}'").stdout
    for version in crd["spec"]["versions"]:
        if not version["served"]:
            continue
        if service:
            k.until(f"get apiservice {version['name']}.{group} -o json", lambda o: _by(o, service), limit)
        k.until(f"get {plural}.{version['name']}.{group}", lambda o: o.code == 0, limit)


def _by(output: Output, service: str) -> bool:
    """The APIService is available and handled by this service."""
    if output.code != 0:
        return False
    api = output.json()
    conditions = {c["type"]: c["status"] for c in api.get("status", {}).get("conditions", [])}
    return (api["spec"].get("service") or {}).get("name") == service and conditions.get("Available") == "True"
