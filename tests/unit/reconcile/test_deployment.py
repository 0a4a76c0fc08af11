from __future__ import annotations

from typing import Any, cast

import pytest

from controller.kube.api import Conflict
from controller.model.kinds import DEPLOYMENT, Key
from controller.model.node import NodeSpec
from controller.plan import deployment as plan
from controller.plan.wish import DeploymentWorld
from controller.reconcile.deployment import DeploymentReconciler
from tests.unit.plan import make

SPEC = NodeSpec("web", "server", "server", "local-1", "local", "simulated", "sha256:a")
WEB = Key(DEPLOYMENT, "lab", "web")


class DeskOfAnother:
    """The API server knows better than the store: the deployment is being deleted."""

    def __init__(self) -> None:
        self.patched: list[Key] = []

    async def fresh(self, key: Key, uid: str) -> bool:
        return False

    async def patch(self, key: Key, patch: Any, *, subresource: str = "") -> None:
        self.patched.append(key)


async def test_a_deployment_asks_whether_it_is_being_deleted_before_it_adopts():
    desk = DeskOfAnother()
    reconciler = DeploymentReconciler(cast("Any", desk), *([cast("Any", None)] * 4))
    of, node = make.deployment(), make.node(SPEC)
    world = DeploymentWorld(of, make.composition(), make.make_testbed(), [node])
    planned = plan.DeploymentPlan(of.status, (plan.UpdateNode(node, node.spec, adopt=True),))
    with pytest.raises(Conflict, match="is being deleted and adopts no node"):
        await reconciler._act(WEB, world, planned)
    assert desk.patched == []
