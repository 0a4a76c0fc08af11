"""kubectl get -w."""

from __future__ import annotations

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import configmap, sprocket


def test_a_watched_table_shows_what_is_there_and_each_change(k: Kubectl) -> None:
    k("create -f -", sprocket("a", size=5))
    with k.start("get sprockets -w") as watch:
        assert watch.until("NAME").split() == ["NAME", "SIZE", "READY", "DUE", "AGE"]
        watch.until("a", " 5 ")
        k('patch sprocket a --type=merge -p \'{"spec":{"size":6}}\'')
        watch.until("a", " 6 ")
        k("create -f -", sprocket("b", size=9))
        watch.until("b", " 9 ")
        k("delete sprocket a")
        watch.until("a", " 6 ")


def test_watch_only_starts_from_now(k: Kubectl) -> None:
    k("create -f -", sprocket("old"))
    with k.start("get sprockets --watch-only --no-headers") as watch:
        # the watch has begun once a later change arrives; `old` must not have come before it
        for n in range(40):
            k("create -f -", sprocket(f"new{n}"))
            try:
                watch.until("new", limit=0.5)
                break
            except AssertionError:
                continue
        assert not any(line.startswith("old") for line in watch.seen), watch.seen


def test_output_watch_events_names_the_type_of_each(k: Kubectl) -> None:
    k("create -f -", configmap("c", a="1"))
    with k.start("get configmap c -w --output-watch-events") as watch:
        watch.until("EVENT", "NAME", "DATA", "AGE")
        watch.until("ADDED", "c")
        k('patch configmap c -p \'{"data":{"b":"2"}}\'')
        watch.until("MODIFIED", "c")
        k("delete configmap c")
        watch.until("DELETED", "c")


def test_an_object_that_leaves_the_selector_is_deleted_for_the_watcher(k: Kubectl) -> None:
    k("create -f -", sprocket("w", metadata={"labels": {"app": "x"}}))
    with k.start("get sprockets -w -l app=x --output-watch-events") as watch:
        watch.until("ADDED", "w")
        k("label sprocket w app=y --overwrite")
        watch.until("DELETED", "w")
        k("label sprocket w app=x --overwrite")
        watch.until("ADDED", "w")


def test_watch_of_a_single_object_as_yaml(k: Kubectl) -> None:
    k("create -f -", sprocket("w", colour="blue"))
    with k.start("get sprocket w -w -o yaml") as watch:
        watch.until("colour: blue")
        k('patch sprocket w --type=merge -p \'{"spec":{"colour":"green"}}\'')
        watch.until("colour: green")


def test_watch_over_all_namespaces(k: Kubectl) -> None:
    with k.start("get sprockets -w -A --output-watch-events") as watch:
        for n in range(40):
            k("create -f -", sprocket(f"w{n}"))
            try:
                watch.until("ADDED", k.namespace, "w", limit=0.5)
                break
            except AssertionError:
                continue
        else:
            raise AssertionError(watch.seen)
