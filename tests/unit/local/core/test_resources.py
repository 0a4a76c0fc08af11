from __future__ import annotations

from dataclasses import replace

from controller.local.core.resources import BUILTIN, Registry, version_priority


def widgets(version: str):  # type: ignore[no-untyped-def]
    template = Registry().find("", "v1", "configmaps")
    assert template is not None
    return replace(
        template, group="g", version=version, plural="widgets", kind="Widget", storage=("g", "widgets")
    )


def test_built_in_resources_are_found_by_plural_and_by_kind() -> None:
    registry = Registry()
    for resource in BUILTIN:
        assert registry.find(resource.group, resource.version, resource.plural) is resource
        assert registry.by_api_version(resource.api_version, resource.kind) is resource
    assert registry.find("apps", "v1", "deployments") is None


def test_both_event_apis_share_their_storage() -> None:
    registry = Registry()
    core, new = registry.find("", "v1", "events"), registry.find("events.k8s.io", "v1", "events")
    assert core is not None
    assert new is not None
    assert core.storage == new.storage
    assert registry.serving(core.storage) is core


def test_the_newest_stable_version_is_preferred() -> None:
    versions = ["v1alpha1", "v2", "foo", "v1beta2", "v10", "v1beta10", "v1"]
    expected = ["v10", "v2", "v1", "v1beta10", "v1beta2", "v1alpha1", "foo"]
    assert sorted(versions, key=version_priority) == expected
    registry = Registry([widgets("v1beta1"), widgets("v1")])
    assert registry.versions("g") == ["v1", "v1beta1"]
    serving = registry.serving(("g", "widgets"))
    assert serving is not None
    assert serving.version == "v1"


def test_every_change_of_the_registry_is_seen() -> None:
    registry = Registry()
    before = registry.revision
    registry.add(widgets("v1"))
    assert registry.revision > before
    assert "g" in registry.groups()
    before = registry.revision
    registry.remove(widgets("v1"))
    assert registry.revision > before
    assert registry.serving(("g", "widgets")) is None


def test_a_renamed_kind_is_no_longer_found_by_its_old_name() -> None:
    registry = Registry([widgets("v1")])
    registry.add(replace(widgets("v1"), kind="Gadget"))
    assert registry.by_kind("g", "v1", "Widget") is None
    assert registry.by_kind("g", "v1", "Gadget") is not None
