"""kubectl wait."""

from __future__ import annotations

from typing import Any

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import sprocket


def condition(k: Kubectl, name: str, status: str, **more: Any) -> None:
    import json

    patch = {"status": {"conditions": [{"type": "Ready", "status": status, **more}]}}
    k(f"patch sprocket {name} --subresource=status --type=merge -p '{json.dumps(patch)}'")


def test_wait_for_a_condition_that_comes(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    with k.start("wait --for=condition=Ready --timeout=20s sprocket/w") as waiting:
        condition(k, "w", "False")
        condition(k, "w", "True")
        waiting.until("sprocket.test.nxc.dev/w condition met")
        assert waiting.ended() == 0


def test_wait_for_a_condition_that_holds_already(k: Kubectl) -> None:
    k("create -f -", [sprocket("a"), sprocket("b")])
    condition(k, "a", "True")
    condition(k, "b", "True")
    done = k("wait --for=condition=Ready --timeout=10s sprockets --all")
    assert len(done.lines) == 2


def test_wait_for_a_condition_that_does_not_come_times_out(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    assert (
        "timed out waiting for the condition on sprockets/w"
        in k.fails("wait --for=condition=Ready --timeout=1s sprocket/w").stderr
    )


def test_a_stale_condition_does_not_count(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    condition(k, "w", "True", observedGeneration=1)
    k("wait --for=condition=Ready --timeout=5s sprocket/w")
    k('patch sprocket w --type=merge -p \'{"spec":{"size":2}}\'')
    k.fails("wait --for=condition=Ready --timeout=1s sprocket/w")
    condition(k, "w", "True", observedGeneration=2)
    k("wait --for=condition=Ready --timeout=5s sprocket/w")


def test_a_stale_status_does_not_count(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    condition(k, "w", "True")
    k('patch sprocket w --subresource=status --type=merge -p \'{"status":{"observedGeneration":1}}\'')
    k('patch sprocket w --type=merge -p \'{"spec":{"size":2}}\'')
    k.fails("wait --for=condition=Ready --timeout=1s sprocket/w")


def test_wait_for_a_condition_to_be_false(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    condition(k, "w", "False")
    k("wait --for=condition=Ready=False --timeout=5s sprocket/w")


def test_wait_for_deletion(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    with k.start("wait --for=delete --timeout=20s sprocket/w") as waiting:
        k("delete sprocket w")
        assert waiting.ended() == 0


def test_wait_for_deletion_of_what_is_gone(k: Kubectl) -> None:
    k("wait --for=delete --timeout=2s sprocket/nobody")


def test_wait_for_deletion_times_out_while_a_finalizer_holds(k: Kubectl) -> None:
    k("create -f -", sprocket("w", metadata={"finalizers": ["test.nxc.dev/hold"]}))
    k("delete sprocket w --wait=false")
    assert "timed out" in k.fails("wait --for=delete --timeout=1s sprocket/w").stderr
    with k.start("wait --for=delete --timeout=20s sprocket/w") as waiting:
        k('patch sprocket w --type=json -p \'[{"op":"remove","path":"/metadata/finalizers"}]\'')
        assert waiting.ended() == 0


def test_wait_for_a_field(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    with k.start("wait --for=jsonpath='{.status.phase}'=Done --timeout=20s sprocket/w") as waiting:
        k('patch sprocket w --subresource=status --type=merge -p \'{"status":{"phase":"Busy"}}\'')
        k('patch sprocket w --subresource=status --type=merge -p \'{"status":{"phase":"Done"}}\'')
        assert waiting.ended() == 0
    k("wait --for=jsonpath='{.spec.size}'=1 --timeout=2s sprocket/w")


def test_wait_for_creation(k: Kubectl) -> None:
    with k.start("wait --for=create --timeout=20s sprocket/w") as waiting:
        k("create -f -", sprocket("w"))
        assert waiting.ended() == 0


def test_wait_with_a_selector(k: Kubectl) -> None:
    k("create -f -", [sprocket("a", metadata={"labels": {"app": "x"}}), sprocket("b")])
    condition(k, "a", "True")
    assert k("wait --for=condition=Ready -l app=x --timeout=5s sprockets").lines == [
        "sprocket.test.nxc.dev/a condition met"
    ]
