from __future__ import annotations

import httpx

from controller.observe.health import serve
from controller.observe.metrics import Metrics


async def test_health_readiness_and_metrics_are_served_and_say_what_is_wrong():
    wrong: list[str] = ["the CRD deployments.nxc.dev is not installed"]
    checks = [lambda: wrong[0] if wrong else None]
    async with (
        serve("127.0.0.1", 0, healthy=[lambda: None], ready=checks, metrics=Metrics().render) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.get("/healthz")).text == "ok\n"
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.text == "the CRD deployments.nxc.dev is not installed\n"
        wrong.clear()
        assert (await client.get("/readyz")).status_code == 200
        assert "# HELP controller_runtime_reconcile_total" in (await client.get("/metrics")).text
