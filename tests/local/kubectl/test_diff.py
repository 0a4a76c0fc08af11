"""kubectl diff, and dry runs."""

from __future__ import annotations

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import configmap, sprocket


def test_diff_of_the_same_is_empty(k: Kubectl) -> None:
    k("apply -f -", sprocket("w"))
    assert k("diff -f -", sprocket("w")).stdout == ""


def test_diff_shows_the_change_with_defaults_and_changes_nothing(k: Kubectl) -> None:
    k("apply -f -", sprocket("w", size=3))
    before = k.get("sprocket w")
    shown = k.run("diff -f -", sprocket("w", size=4, parts=[{"name": "arm"}]))
    assert shown.code == 1, str(shown)
    assert "-  size: 3" in shown.stdout
    assert "+  size: 4" in shown.stdout
    assert "+  - count: 1" in shown.stdout, "the server's defaults are in it"
    assert k.get("sprocket w") == before


def test_diff_of_something_new(k: Kubectl) -> None:
    shown = k.run("diff -f -", configmap("c", a="1"))
    assert shown.code == 1
    assert '+  a: "1"' in shown.stdout
    assert not k.exists("configmap c")


def test_diff_server_side(k: Kubectl) -> None:
    k("apply --server-side -f -", sprocket("w", size=3))
    shown = k.run("diff --server-side -f -", sprocket("w", size=4))
    assert shown.code == 1, str(shown)
    assert "+  size: 4" in shown.stdout


def test_diff_of_an_invalid_object_fails(k: Kubectl) -> None:
    k("apply -f -", sprocket("w"))
    failed = k.fails("diff -f -", sprocket("w", size=1000))
    assert failed.code > 1
    assert "spec.size" in failed.stderr


def test_dry_run_client_asks_nothing_of_the_server(k: Kubectl) -> None:
    made = k("create configmap c --from-literal=a=1 --dry-run=client -o yaml")
    assert "kind: ConfigMap" in made.stdout
    assert not k.exists("configmap c")
    assert (
        k("apply --dry-run=client -f -", sprocket("w")).stdout
        == "sprocket.test.nxc.dev/w created (dry run)\n"
    )
    assert not k.exists("sprocket w")


def test_dry_run_server_validates_and_defaults_but_stores_nothing(k: Kubectl) -> None:
    made = k("create --dry-run=server -o json -f -", sprocket("w")).json()
    assert made["spec"]["colour"] == "red"
    assert made["metadata"]["uid"]
    assert not k.exists("sprocket w")
    assert "spec.size" in k.fails("create --dry-run=server -f -", sprocket("w", size=0)).stderr


def test_dry_run_server_of_every_verb(k: Kubectl) -> None:
    k("apply -f -", sprocket("w"))
    before = k.get("sprocket w")
    changed = sprocket("w", size=9)
    assert (
        k("apply --dry-run=server -f -", changed).stdout
        == "sprocket.test.nxc.dev/w configured (server dry run)\n"
    )
    k("apply --server-side --force-conflicts --dry-run=server -f -", changed)
    k("replace --dry-run=server -f -", changed)
    k('patch sprocket w --type=merge -p \'{"spec":{"size":9}}\' --dry-run=server')
    k("label sprocket w a=b --dry-run=server")
    assert "(server dry run)" in k("delete sprocket w --dry-run=server").stdout
    assert k.get("sprocket w") == before
