"""What a user gets to read who applies something wrong: the field, and what to do about it."""

from __future__ import annotations

import copy
import json
from typing import Any, NamedTuple

import pytest

from tests.conformance.objects import KEY, composition, deployment, lab, node
from tests.local.kubectl.runner import Kubectl

LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


class Wrong(NamedTuple):
    """A mistake: the object that holds it, the field that the answer must name, and what it must say."""

    mistake: str
    object: dict[str, Any]
    field: str
    says: str


def roles(*items: dict[str, Any]) -> dict[str, Any]:
    return deployment(roles=list(items))


def source(**of: Any) -> dict[str, Any]:
    return composition(source=of)


def without(manifest: dict[str, Any], field: str) -> dict[str, Any]:
    remaining = copy.deepcopy(manifest)
    del remaining["spec"][field]
    return remaining


WRONG = [
    # --- Composition
    Wrong("no spec", {k: v for k, v in composition().items() if k != "spec"}, "spec", "Required value"),
    Wrong("no source", composition(source=None), "spec.source", "Required value"),
    Wrong("an empty source", source(), "spec.source", "exactly one of inline, configMap, git and flake"),
    Wrong(
        "two sources",
        source(inline="{ }", configMap={"name": "files"}),
        "spec.source",
        "exactly one of inline, configMap, git and flake",
    ),
    Wrong("an expression over 512 KiB", source(inline="#" * 524289), "spec.source.inline", "Too long"),
    Wrong("a ConfigMap with no name", source(configMap={}), "spec.source.configMap.name", "Required value"),
    Wrong(
        "a git URL that is an option",
        source(git={"url": "--upload-pack=touch /tmp/x"}),
        "spec.source.git.url",
        "should match",
    ),
    Wrong(
        "a git URL into the controller's files",
        source(git={"url": "file:///etc"}),
        "spec.source.git.url",
        "should match",
    ),
    Wrong(
        "a password in a git URL",
        source(git={"url": "https://alice:secret@example.org/repository"}),
        "spec.source.git.url",
        "name a Secret in secretRef instead",
    ),
    Wrong(
        "a git path that leaves the repository",
        source(git={"url": "https://example.org/r", "path": "../other"}),
        "spec.source.git.path",
        "should match",
    ),
    Wrong(
        "a git reference that is an option",
        source(git={"url": "https://example.org/r", "ref": "-x"}),
        "spec.source.git.ref",
        "should match",
    ),
    Wrong(
        "an interval of no time",
        source(git={"url": "https://example.org/r", "interval": "0s"}),
        "spec.source.git.interval",
        "must be a duration longer than zero",
    ),
    Wrong(
        "a flake in the controller's files",
        source(flake={"ref": "path:/etc/nixos"}),
        "spec.source.flake.ref",
        "must not name files of the controller's host",
    ),
    Wrong(
        "an entry outside of the source",
        source(configMap={"name": "files"}, entry="../composition.nix"),
        "spec.source.entry",
        "should match",
    ),
    Wrong(
        "a flavour twice", composition(flavours=["docker", "docker"]), "spec.flavours[1]", "Duplicate value"
    ),
    Wrong(
        "a flavour in capitals",
        composition(flavours=["Docker"]),
        "spec.flavours[0]",
        f"should match '{LABEL}'",
    ),
    Wrong(
        "too many flavours", composition(flavours=[f"f{n}" for n in range(17)]), "spec.flavours", "Too many"
    ),
    Wrong(
        "a time-out without a unit",
        composition(build={"timeout": "90"}),
        "spec.build.timeout",
        "should match",
    ),
    Wrong(
        "a negative number of images",
        composition(build={"keep": -1}),
        "spec.build.keep",
        "greater than or equal to 0",
    ),
    Wrong(
        "a parameter that is a number",
        composition(setup={"parameters": {"size": 3}}),
        "spec.setup.parameters.size",
        "must be of type string",
    ),
    Wrong(
        "too many parameters",
        composition(setup={"parameters": {f"p{n}": "" for n in range(65)}}),
        "spec.setup.parameters",
        "Too many",
    ),
    Wrong("a misspelt field", composition(flavors=["docker"]), "spec.flavors", "unknown field"),
    # --- Deployment
    Wrong("no composition", without(deployment(), "compositionRef"), "spec.compositionRef", "Required value"),
    Wrong("no flavour", without(deployment(), "flavour"), "spec.flavour", "Required value"),
    Wrong("a long name", deployment("a" * 41), "metadata.name", "at most 40 characters"),
    Wrong("a name with a dot", deployment("web.site"), "metadata.name", "without a dot"),
    Wrong("a role twice", roles({"name": "a"}, {"name": "a"}), "spec.roles[1]", "Duplicate value"),
    Wrong(
        "count and hostnames",
        roles({"name": "a", "count": 2, "hostnames": ["x", "y"]}),
        "spec.roles[0].hostnames",
        "count and hostnames must not be given together",
    ),
    Wrong(
        "a negative count",
        roles({"name": "a", "count": -1}),
        "spec.roles[0].count",
        "greater than or equal to 0",
    ),
    Wrong(
        "a count of 1001",
        roles({"name": "a", "count": 1001}),
        "spec.roles[0].count",
        "less than or equal to 1000",
    ),
    Wrong(
        "a count in quotes",
        roles({"name": "a", "count": "2"}),
        "spec.roles[0].count",
        "must be of type integer",
    ),
    Wrong(
        "no host names", roles({"name": "a", "hostnames": []}), "spec.roles[0].hostnames", "at least 1 items"
    ),
    Wrong(
        "a host name twice",
        roles({"name": "a", "hostnames": ["x", "x"]}),
        "spec.roles[0].hostnames[1]",
        "Duplicate",
    ),
    Wrong(
        "a host name with a dot",
        roles({"name": "a", "hostnames": ["x.example"]}),
        "spec.roles[0].hostnames[0]",
        f"should match '{LABEL}'",
    ),
    Wrong(
        "a host name that is another role's",
        roles({"name": "server"}, {"name": "b", "hostnames": ["server"]}),
        "spec.roles",
        "host names must be unique",
    ),
    Wrong(
        "more ready than there are",
        roles({"name": "a", "hostnames": ["x", "y"], "minReady": 3}),
        "spec.roles[0].minReady",
        "must not be larger than the number of the role's nodes",
    ),
    Wrong(
        "memory in a wrong unit",
        roles({"name": "a", "resources": {"memory": "256MB"}}),
        "spec.roles[0].resources.memory",
        "should match",
    ),
    Wrong(
        "memory in words",
        roles({"name": "a", "resources": {"memory": "1 gigabyte"}}),
        "spec.roles[0].resources.memory",
        "such as 256Mi",
    ),
    Wrong(
        "no processor",
        roles({"name": "a", "resources": {"cpus": 0}}),
        "spec.roles[0].resources.cpus",
        "greater than or equal to 1",
    ),
    Wrong(
        "a role's misspelt field", roles({"name": "a", "cuont": 2}), "spec.roles[0].cuont", "unknown field"
    ),
    Wrong("a machine twice", deployment(machines=["m1", "m1"]), "spec.machines[1]", "Duplicate value"),
    Wrong("a lease in days", deployment(lease={"duration": "2d"}), "spec.lease.duration", "should match"),
    Wrong("a lease in words", deployment(lease={"duration": "2 hours"}), "spec.lease.duration", "such as 2h"),
    Wrong(
        "a lease of no time", deployment(lease={"duration": "0h"}), "spec.lease.duration", "longer than zero"
    ),
    Wrong(
        "an unknown policy",
        deployment(update={"policy": "Rolling"}),
        "spec.update.policy",
        'supported values: "',
    ),
    Wrong(
        "maxUnavailable without RollingUpdate",
        deployment(update={"maxUnavailable": 2}),
        "spec.update.maxUnavailable",
        "unless policy is RollingUpdate",
    ),
    Wrong(
        "no attempt", deployment(retry={"attempts": 0}), "spec.retry.attempts", "greater than or equal to 1"
    ),
    Wrong(
        "a private key", deployment(authorizedKeys=["-----BEGIN"]), "spec.authorizedKeys[0]", "should match"
    ),
    Wrong(
        "a key on two lines",
        deployment(authorizedKeys=[KEY + "\nx"]),
        "spec.authorizedKeys[0]",
        "should match",
    ),
    Wrong(
        "a kernel parameter with a blank",
        deployment(kernelParameters=["quiet", "a b"]),
        "spec.kernelParameters[1]",
        "should match",
    ),
    Wrong(
        "a kernel parameter that is the controller's",
        deployment(kernelParameters=["init=/bin/sh"]),
        "spec.kernelParameters[0]",
        "set by the controller",
    ),
    Wrong(
        "an unknown time to test",
        deployment(test={"run": "Always"}),
        "spec.test.run",
        'supported values: "Never"',
    ),
    # --- DeployedNode
    Wrong("a node with another name", node("web.client"), "metadata.name", "must be spec.deployment, a dot"),
    Wrong("a node with no role", without(node(), "role"), "spec.role", "Required value"),
    Wrong("a node with no host", without(node(), "host"), "spec.host", "Required value"),
    # --- Testbed
    Wrong("a testbed of no kind", without(lab(), "kind"), "spec.kind", "Required value"),
    Wrong(
        "a local testbed nowhere",
        lab(kind="local"),
        "spec.host",
        "host must be given for the kinds local",
    ),
    Wrong(
        "a password in an endpoint",
        lab(endpoint="https://alice:secret@example.org/api"),
        "spec.endpoint",
        "use credentials.secretRef",
    ),
    Wrong(
        "credentials of nobody",
        lab(credentials={"mode": "Shared"}),
        "spec.credentials.secretRef",
        "Required",
    ),
    Wrong(
        "a selector that is not used",
        lab(allowedNamespaces={"from": "All", "selector": {}}),
        "spec.allowedNamespaces.selector",
        "when from is Selector, and only then",
    ),
    Wrong(
        "a selector that is missing",
        lab(allowedNamespaces={"from": "Selector"}),
        "spec.allowedNamespaces.selector",
        "when from is Selector, and only then",
    ),
    Wrong(
        "an operator without values",
        lab(
            allowedNamespaces={
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "team", "operator": "In"}]},
            }
        ),
        "spec.allowedNamespaces.selector.matchExpressions[0].values",
        "values must be given with the operators In and NotIn",
    ),
    Wrong(
        "a default lease over the maximum",
        lab(lease={"default": "1h30m", "maximum": "60m"}),
        "spec.lease.default",
        "must not be longer than maximum",
    ),
    Wrong(
        "a negative capacity",
        lab(capacity={"nodes": -1}),
        "spec.capacity.nodes",
        "greater than or equal to 0",
    ),
    Wrong("a relative path", lab(allowedHostPaths=["srv"]), "spec.allowedHostPaths[0]", "should match"),
    Wrong(
        "a path that climbs",
        lab(allowedHostPaths=["/srv/../etc"]),
        "spec.allowedHostPaths[0]",
        "parts . and ..",
    ),
    Wrong(
        "a name for an address", lab(publishAddresses=["eth0:1"]), "spec.publishAddresses[0]", "should match"
    ),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.object['kind']}: {wrong.mistake}")
def test_refused_at_apply(nxc: Kubectl, wrong: Wrong) -> None:
    """The answer has one line (or one cause) that names the field and says what is wrong with it."""
    answer = nxc.fails("apply -f -", wrong.object)
    lines = [line for line in answer.stderr.splitlines() if wrong.field in line]
    assert any(wrong.says in line for line in lines), str(answer)


@pytest.mark.parametrize("field", ["deployment", "host", "role"])
def test_a_node_stays_what_it_is(nxc: Kubectl, field: str) -> None:
    nxc("apply -f -", node())
    answer = nxc.fails(
        f"patch nxn web.server --type=merge --patch '{json.dumps({'spec': {field: 'other'}})}'"
    )
    assert f"spec.{field}: Invalid value" in answer.stderr
    assert f"{field} is immutable; delete the node, its Deployment makes a new one" in answer.stderr


def test_a_testbed_stays_of_its_kind(nxc: Kubectl) -> None:
    place = lab(f"lab-{nxc.namespace}")
    nxc("apply -f -", place)
    try:
        place["spec"]["kind"] = "grid5000"
        answer = nxc.fails("apply -f -", place)
        assert "spec.kind: Invalid value" in answer.stderr
        assert "kind is immutable; make another testbed" in answer.stderr
    finally:
        nxc(f"delete nxt lab-{nxc.namespace}")
