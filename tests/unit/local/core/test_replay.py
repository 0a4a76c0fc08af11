"""Random lives of objects: every watcher sees exactly what a list shows, and nothing changes behind one's back."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from controller.local.core.errors import ApiError
from controller.local.core.storage import Change
from controller.local.core.watch import Watch
from tests.unit.local.core.cluster import Cluster, owner, widget, widget_definition

NAMES = st.sampled_from("abcde")
NAMESPACES = st.sampled_from(["default", "kube-system"])
COLOURS = st.sampled_from(["red", "blue"])
FINALIZERS = st.lists(st.sampled_from(["x/a", "x/b"]), max_size=2, unique=True)
POLICIES = st.sampled_from(["", "Background", "Foreground", "Orphan"])
SELECTORS = st.sampled_from([
    {},
    {"label_selector": "colour=red"},
    {"field_selector": "spec.colour=blue"},
    {"namespace": "default"},
    {"namespace": "kube-system", "label_selector": "colour!=red"},
])  # fmt: skip

Object = dict[str, Any]


class Observer:
    """A client that keeps a copy of what its watch shows."""

    def __init__(self, watch: Watch, query: Object, known: dict[str, Object], version: int) -> None:
        self.watch = watch
        self.query = query
        self.known = known
        self.version = version

    def read(self, limit: int) -> None:
        for event in self.watch.take(limit):
            assert event.type in ("ADDED", "MODIFIED", "DELETED")
            assert event.resource_version > self.version
            self.version = event.resource_version
            self.apply(event.type, event.object)

    def apply(self, kind: str, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        assert (uid in self.known) == (kind != "ADDED"), f"{kind} of {obj['metadata']['name']}"
        if kind == "DELETED":
            del self.known[uid]
        else:
            self.known[uid] = obj


class Lives(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.cluster = Cluster()
        self.cluster.core.bootstrap()
        self.cluster.create("customresourcedefinitions", widget_definition())
        self.cluster.settle()
        self.observers: list[Observer] = []
        self.versions = [self.cluster.core.resource_version]
        self.frozen: list[tuple[Object, Object]] = []
        self.past: dict[int, dict[str, Object]] = {}
        self.cluster.core.storage.observers.insert(0, self.remember)

    def remember(self, change: Change) -> None:
        self.versions.append(change.resource_version)
        for obj in (change.object, change.previous):
            if obj is not None:
                self.frozen.append((obj, copy.deepcopy(obj)))

    def attempt(self, verb: str, name: str, **query: Any) -> None:
        try:
            self.cluster.call(verb, "widgets", name, **query)
        except ApiError as error:
            if error.code not in (404, 409, 422):
                raise

    def listed(self, **query: Any) -> dict[str, Object]:
        items = self.cluster.call("list", "widgets", **{"namespace": "", **query}).object["items"]
        return {item["metadata"]["uid"]: item for item in items}

    @rule(
        name=NAMES,
        namespace=NAMESPACES,
        colour=COLOURS,
        finalizers=FINALIZERS,
        parent=NAMES,
        owned=st.booleans(),
    )
    def create(
        self, name: str, namespace: str, colour: str, finalizers: list[str], parent: str, owned: bool
    ) -> None:
        metadata: Object = {"labels": {"colour": colour}, "finalizers": finalizers}
        if owned:
            try:
                found = self.cluster.get("widgets", parent, namespace=namespace)
            except ApiError:
                found = widget(parent, {"uid": "nobody"})
            metadata["ownerReferences"] = [owner(found, blockOwnerDeletion=bool(finalizers))]
        self.attempt("create", "", body=widget(name, metadata, colour=colour), namespace=namespace)

    @rule(name=NAMES, namespace=NAMESPACES, colour=COLOURS, label=st.booleans())
    def recolour(self, name: str, namespace: str, colour: str, label: bool) -> None:
        body: Object = {"spec": {"colour": colour}}
        if label:
            body["metadata"] = {"labels": {"colour": colour}}
        self.attempt("patch", name, body=body, patch_type="application/merge-patch+json", namespace=namespace)

    @rule(name=NAMES, namespace=NAMESPACES, phase=COLOURS)
    def report(self, name: str, namespace: str, phase: str) -> None:
        self.attempt(
            "patch", name, body={"status": {"phase": phase}}, patch_type="application/merge-patch+json",
            namespace=namespace, subresource="status",
        )  # fmt: skip

    @rule(name=NAMES, namespace=NAMESPACES, colour=COLOURS)
    def apply(self, name: str, namespace: str, colour: str) -> None:
        self.attempt(
            "patch", name, body=widget(name, colour=colour), patch_type="application/apply-patch+yaml",
            namespace=namespace, field_manager=colour,
        )  # fmt: skip

    @rule(name=NAMES, namespace=NAMESPACES, finalizers=FINALIZERS)
    def finalize(self, name: str, namespace: str, finalizers: list[str]) -> None:
        self.attempt(
            "patch", name, body={"metadata": {"finalizers": finalizers}}, namespace=namespace,
            patch_type="application/merge-patch+json",
        )  # fmt: skip

    @rule(name=NAMES, namespace=NAMESPACES, colour=COLOURS, stale=st.booleans())
    def replace(self, name: str, namespace: str, colour: str, stale: bool) -> None:
        try:
            live = self.cluster.get("widgets", name, namespace=namespace)
        except ApiError:
            return
        metadata = {
            **live["metadata"],
            "resourceVersion": "1" if stale else live["metadata"]["resourceVersion"],
        }
        self.attempt(
            "update",
            name,
            body={**live, "metadata": metadata, "spec": {"colour": colour}},
            namespace=namespace,
        )

    @rule(name=NAMES, namespace=NAMESPACES, policy=POLICIES, dry_run=st.booleans())
    def delete(self, name: str, namespace: str, policy: str, dry_run: bool) -> None:
        self.attempt("delete", name, namespace=namespace, propagation_policy=policy, dry_run=dry_run)

    @rule(steps=st.integers(1, 5))
    def work(self, steps: int) -> None:
        for _ in range(steps):
            self.cluster.core.step()

    @rule(query=SELECTORS, stream=st.booleans())
    def observe(self, query: Object, stream: bool) -> None:
        query = {"namespace": "", **query}
        if stream:
            watch = self.cluster.watch("widgets", **query)
            observer = Observer(watch, query, {}, 0)
            for event in watch.take(1000):
                observer.apply(event.type, event.object)
            observer.version = self.cluster.core.resource_version
        else:
            version = self.cluster.core.resource_version
            watch = self.cluster.watch("widgets", resource_version=str(version), **query)
            observer = Observer(watch, query, self.listed(**query), version)
        self.observers.append(observer)

    @rule(limit=st.integers(1, 3))
    def read_a_little(self, limit: int) -> None:
        for observer in self.observers:
            observer.read(limit)

    @rule()
    def note_the_present(self) -> None:
        self.past[self.cluster.core.resource_version] = self.listed()

    @invariant()
    def versions_only_grow(self) -> None:
        assert all(before < after for before, after in zip(self.versions, self.versions[1:], strict=False))

    @rule()
    def watchers_have_seen_what_a_list_shows(self) -> None:
        for observer in self.observers:
            observer.read(10_000)
            assert observer.known == self.listed(**observer.query)

    def teardown(self) -> None:
        if not hasattr(self, "cluster"):
            return
        self.watchers_have_seen_what_a_list_shows()
        self.cluster.settle()
        self.watchers_have_seen_what_a_list_shows()
        for version, objects in self.past.items():
            found = self.listed(resource_version=str(version), resource_version_match="Exact")
            assert found == objects, f"the list as of {version} is another than it was"
        for obj, as_it_was in self.frozen:
            assert obj == as_it_was, "an object was changed in place"
        self.every_survivor_has_reason()

    def every_survivor_has_reason(self) -> None:
        """After collection nobody lives whose owners are all gone, unless a finalizer holds it."""
        objects = self.listed()
        for obj in objects.values():
            metadata = obj["metadata"]
            references = metadata.get("ownerReferences", [])
            if references and "deletionTimestamp" not in metadata:
                assert any(reference["uid"] in objects for reference in references)
            if "deletionTimestamp" in metadata:
                assert metadata.get("finalizers"), "a terminating object without finalizers is still there"


Lives.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLives = Lives.TestCase
