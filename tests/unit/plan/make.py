"""Small worlds for tests of decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from controller.model.composition import Composition
from controller.model.conditions import true
from controller.model.deployment import Deployment
from controller.model.errors import Blame
from controller.model.kinds import MACHINE_FINALIZER, NODE, Key
from controller.model.machine import Machine, MachineKey, Phase, Signal
from controller.model.names import node_name
from controller.model.node import Node, NodeSpec
from controller.model.testbed import Testbed

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def deployment(
    *, status: dict[str, Any] | None = None, meta: dict[str, Any] | None = None, **spec: Any
) -> Deployment:
    base: dict[str, Any] = {
        "compositionRef": {"name": "web"},
        "flavour": "simulated",
        "roles": [{"name": "server", "count": 1}, {"name": "client", "count": 2}],
    }
    return Deployment.parse(
        {
            "metadata": {
                "name": "web",
                "namespace": "lab",
                "uid": "uid-web",
                "generation": 1,
                "resourceVersion": "10",
                "creationTimestamp": "2026-01-01T11:00:00Z",
                "finalizers": ["nxc.dev/reservation"],
                **(meta or {}),
            },
            "spec": base | spec,
            "status": status or {},
        }
    )


def composition(*, image: str = "sha256:a", state: str = "Ready", **image_fields: Any) -> Composition:
    obj: dict[str, Any] = {
        "metadata": {"name": "web", "namespace": "lab", "uid": "uid-c", "generation": 1},
        "spec": {"source": {"inline": "{}"}},
    }
    source = Composition.parse(obj).source_digest
    entry = {"flavour": "simulated", "state": state, "sourceDigest": source, **image_fields}
    if state == "Ready":
        entry["image"] = image
    obj["status"] = {"roles": ["client", "server"], "images": [entry]}
    return Composition.parse(obj)


def make_testbed(*, meta: dict[str, Any] | None = None, **spec: Any) -> Testbed:
    return Testbed.parse(
        {
            "metadata": {"name": "local", "uid": "uid-t", "generation": 1, **(meta or {})},
            "spec": {"kind": "local", "allowedNamespaces": {"from": "All"}, "default": True, **spec},
        }
    )


def node(spec: NodeSpec, *, ready: bool = True, meta: dict[str, Any] | None = None, **status: Any) -> Node:
    condition = true("Ready", "Ready")
    conditions = [
        {
            "type": t,
            "status": "True" if ready else "False",
            "reason": condition.reason,
            "observedGeneration": 1,
        }
        for t in ("Booted", "Ready")
    ]
    return Node.parse(
        {
            "metadata": {
                "name": node_name(spec.deployment, spec.host),
                "namespace": "lab",
                "uid": f"uid-{spec.host}",
                "generation": 1,
                "resourceVersion": "20",
                "finalizers": [MACHINE_FINALIZER],
                "ownerReferences": [
                    {"kind": "Deployment", "name": spec.deployment, "uid": "uid-web", "controller": True}
                ],
                **(meta or {}),
            },
            "spec": spec.to_dict(),
            "status": {
                "observedGeneration": 1,
                "conditions": conditions,
                "attempt": 1,
                "machine": {"digest": spec.boot_digest, "startedAt": "2026-01-01T11:30:00Z", "state": "Seen"},
                **status,
            },
        }
    )


def machine(of: Node, *, attempt: int = 1, phase: Phase = Phase.RUNNING, **fields: Any) -> Machine:
    good = Signal(ok=True)
    values: dict[str, Any] = {
        "key": MachineKey("inst", of.meta.uid, attempt),
        "owner": Key(NODE, of.meta.namespace, of.meta.name),
        "deployment": "uid-web",
        "machine": of.spec.machine,
        "digest": of.spec.boot_digest,
        "phase": phase,
        "information": of.spec.information,
        "verified": good,
        "reachable": good,
        "healthy": good,
        "blame": Blame.TESTBED,
    }
    return Machine(**(values | fields))
