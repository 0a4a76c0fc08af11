"""Objects of the four kinds as a user would write them: the least, and one with every field."""

from __future__ import annotations

from typing import Any

API_VERSION = "nxc.dev/v1alpha1"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIjBhhPv2h1b3nZ3pyk0ixcZK2JgGkqIyJdQ0TqTqZ5L alice@laptop"
DIGEST = f"sha256:{'0' * 64}"


def manifest(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def composition(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A Composition: with no more than an inline source unless `spec` says otherwise."""
    return manifest("Composition", name, {"source": {"inline": "{ ... }: { roles = { }; }"}, **spec})


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A Deployment of `web` in Docker containers unless `spec` says otherwise."""
    return manifest("Deployment", name, {"compositionRef": {"name": "web"}, "flavour": "docker", **spec})


def node(name: str = "web.server", **spec: Any) -> dict[str, Any]:
    """The DeployedNode of host `server` of the Deployment `web` unless `spec` says otherwise."""
    return manifest("DeployedNode", name, {"deployment": "web", "host": "server", "role": "server", **spec})


def lab(name: str = "lab", **spec: Any) -> dict[str, Any]:
    """A Testbed of kind `simulated` unless `spec` says otherwise."""
    return manifest("Testbed", name, {"kind": "simulated", **spec})


FULL = [
    composition(
        "full",
        source={
            "git": {
                "url": "https://example.org/team/compositions.git",
                "ref": "v1.2",
                "path": "web/site",
                "secretRef": {"name": "git-credentials"},
                "interval": "1h30m",
            },
            "entry": "nix/composition.nix",
        },
        select="web",
        setup={"variant": "small", "parameters": {"nfs": "on", "size": "3"}},
        packageSource={"name": "seed"},
        flavours=["vm-ramdisk", "docker"],
        build={"check": True, "timeout": "90m", "keep": 0},
        suspend=True,
    ),
    deployment(
        "full",
        roles=[
            {"name": "server", "count": 1, "resources": {"memory": "256Mi", "cpus": 1}},
            {"name": "client", "hostnames": ["alice", "bob"], "minReady": 1},
        ],
        testbedRef={"name": "lab"},
        machines=["paravance-1.rennes", "paravance-2.rennes", "paravance-3.rennes"],
        lease={"duration": "2h"},
        update={"policy": "RollingUpdate", "maxUnavailable": 2},
        retry={"attempts": 5},
        authorizedKeys=[KEY],
        kernelParameters=["console=ttyS1,115200n8", "mitigations=off"],
        test={"run": "OnReady"},
        suspend=True,
    ),
    node(
        "full.server",
        deployment="full",
        aliases=["server1"],
        testbed="lab",
        machine="paravance-1.rennes",
        flavour="docker",
        image=DIGEST,
        resources={"memory": "256Mi", "cpus": 1},
        hosts=DIGEST,
        information=DIGEST,
        kernelParameters=["mitigations=off"],
        authorizedKeys=[KEY],
        retry={"attempts": 5},
    ),
    lab(
        "conformance-full",
        kind="docker",
        host="login.example.org",
        endpoint="unix:///var/run/docker.sock",
        credentials={"mode": "PerNamespace", "secretRef": {"name": "account"}},
        allowedNamespaces={
            "from": "Selector",
            "selector": {
                "matchLabels": {"team": "systems"},
                "matchExpressions": [
                    {"key": "stage", "operator": "In", "values": ["test", "lab"]},
                    {"key": "closed", "operator": "DoesNotExist"},
                ],
            },
        },
        capacity={"nodes": 100, "memory": "64Gi"},
        lease={"default": "2h", "maximum": "24h"},
        flavours=["docker"],
        default=True,
        trusted=True,
        allowedHostPaths=["/srv/data"],
        publishAddresses=["0.0.0.0"],
        suspend=True,
    ),
]
"""One object of each kind with every field of its spec; `test_crds` holds that none is missing."""
