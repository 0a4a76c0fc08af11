"""What a user may write is accepted, completed with defaults, shown and explained."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.objects import FULL, composition, deployment, lab, node
from tests.local.kubectl.runner import Kubectl

LEAST = [
    composition("least"),
    deployment("least"),
    node("least.server", deployment="least"),
    lab("least"),
]


@pytest.fixture
def own(nxc: Kubectl) -> str:
    """A Testbed's name that no other run uses."""
    return f"lab-{nxc.namespace}"


@pytest.mark.parametrize("manifest", LEAST, ids=lambda manifest: manifest["kind"])
def test_the_least_is_enough(nxc: Kubectl, manifest: dict[str, Any]) -> None:
    nxc("apply --dry-run=server -f -", manifest)


@pytest.mark.parametrize("manifest", FULL, ids=lambda manifest: manifest["kind"])
def test_every_field_is_kept(nxc: Kubectl, manifest: dict[str, Any]) -> None:
    kept = nxc("apply --dry-run=server -o json -f -", manifest).json()
    assert kept["spec"] == manifest["spec"]


def test_many_named_hosts_are_accepted(nxc: Kubectl) -> None:
    """The rules' cost stays within a server's budget up to the limits that the fields state."""
    roles = [{"name": f"r{n}", "hostnames": [f"r{n}h{host}" for host in range(1000)]} for n in range(8)]
    named = [{"name": f"solo{n}"} for n in range(56)]
    nxc("create --dry-run=server -f -", deployment("many", roles=[*roles, *named]))


def test_a_role_that_is_left_out_takes_no_host_name(nxc: Kubectl) -> None:
    roles = [{"name": "server", "count": 0}, {"name": "other", "hostnames": ["server"]}]
    nxc("create --dry-run=server -f -", deployment("left-out", roles=roles))


def test_defaults_are_filled_in(nxc: Kubectl) -> None:
    def spec(manifest: dict[str, Any]) -> Any:
        return nxc("apply --dry-run=server -o json -f -", manifest).json()["spec"]

    made = spec(composition("defaults", source={"git": {"url": "git@example.org:team/web"}}))
    assert made["source"]["entry"] == "composition.nix"
    assert made["source"]["git"] == {
        "url": "git@example.org:team/web",
        "ref": "HEAD",
        "path": "",
        "interval": "5m",
    }
    assert made["build"] == {"check": False, "timeout": "1h", "keep": 2}
    assert made["suspend"] is False
    wanted = spec(deployment("defaults"))
    assert wanted["update"] == {"policy": "Recreate"}
    assert wanted["retry"] == {"attempts": 3}
    assert wanted["test"] == {"run": "Never"}
    assert wanted["suspend"] is False
    assert "roles" not in wanted
    place = spec(lab("defaults"))
    assert place["allowedNamespaces"] == {"from": "None"}
    assert place["trusted"] is False
    assert place["default"] is False


def test_only_the_status_subresource_writes_the_status(nxc: Kubectl) -> None:
    nxc("apply -f -", {**deployment("reported"), "status": {"testbed": "elsewhere"}})
    assert "status" not in nxc.get("nxd reported")
    patch = '{"status":{"nodes":{"summary":"3/4"},"testbed":"lab"},"spec":{"flavour":"other"}}'
    nxc(f"patch nxd reported --subresource=status --type=merge --patch '{patch}'")
    reported = nxc.get("nxd reported")
    assert reported["status"]["nodes"]["summary"] == "3/4"
    assert reported["spec"]["flavour"] == "docker"
    assert reported["metadata"]["generation"] == 1


def test_columns(nxc: Kubectl) -> None:
    nxc("apply -f -", deployment("columns"))
    ready = '{"type":"Ready","status":"False","reason":"Booting"}'
    status = f'{{"status":{{"conditions":[{ready}],"nodes":{{"summary":"3/4"}}}}}}'
    nxc(f"patch nxd columns --subresource=status --type=merge --patch '{status}'")
    header, row = nxc("get nxd columns").lines
    assert header.split() == ["NAME", "READY", "NODES", "FLAVOUR", "LEASE", "END", "AGE"]
    assert row.split()[:4] == ["columns", "False", "3/4", "docker"]
    header, row = nxc("get nxd columns -o wide").lines
    assert header.split()[-3:] == ["TESTBED", "COMPOSITION", "REASON"]
    assert row.split()[-2:] == ["web", "Booting"]


def test_short_names_and_the_category(nxc: Kubectl) -> None:
    nxc("apply -f -", [composition("named"), deployment("named"), node("named.server", deployment="named")])
    names = nxc("get nxc -o name").lines
    for name in (
        "composition.nxc.dev/named",
        "deployment.nxc.dev/named",
        "deployednode.nxc.dev/named.server",
    ):
        assert name in names
    assert nxc("get nxcomp,nxd,nxn -o name").lines


def test_objects_are_found_by_field(nxc: Kubectl, own: str) -> None:
    nxc(
        "apply -f -",
        [deployment("field", flavour="vm-field", testbedRef={"name": "lab-field"}), lab(own)],
    )
    nxc("apply -f -", node("field.db", deployment="field", host="db", role="database"))
    try:
        for selector in ("spec.flavour=vm-field", "spec.testbedRef.name=lab-field"):
            assert nxc(f"get nxd -o name --field-selector {selector}").lines == ["deployment.nxc.dev/field"]
        assert (
            "deployment.nxc.dev/field"
            in nxc("get nxd -o name --field-selector spec.compositionRef.name=web").lines
        )
        assert nxc("get nxd -o name --field-selector spec.flavour=none").lines == []
        for selector in ("spec.deployment=field", "spec.role=database"):
            assert nxc(f"get nxn -o name --field-selector {selector}").lines == [
                "deployednode.nxc.dev/field.db"
            ]
        assert f"testbed.nxc.dev/{own}" in nxc("get nxt -o name --field-selector spec.kind=simulated").lines
    finally:
        nxc(f"delete nxt {own}")


def test_explain_teaches(nxc: Kubectl) -> None:
    said = " ".join(nxc("explain nxd.spec.roles").stdout.split())
    assert "How many nodes each role gets" in said
    assert "Host names of the nodes, one node each, instead of count." in said
    assert "A change while it runs: live." in said
    assert "exactly one of inline, configMap, git and flake" in " ".join(
        nxc("explain nxcomp.spec.source").stdout.split()
    )
    assert "Immutable." in nxc("explain nxt.spec.kind").stdout
    assert "Immutable." in nxc("explain nxn.spec.role").stdout
