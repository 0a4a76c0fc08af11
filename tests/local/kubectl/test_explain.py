"""kubectl explain."""

from __future__ import annotations

from tests.local.kubectl.runner import Kubectl


def test_explain_names_group_kind_version_and_description(k: Kubectl) -> None:
    text = k("explain sprockets").stdout
    assert "Sprocket" in text
    assert "A sprocket, for tests." in text
    assert "spec" in text
    assert "-required-" in text
    assert "apiVersion" in text
    assert "metadata" in text


def test_explain_a_field_gives_its_type_and_description(k: Kubectl) -> None:
    text = k("explain sprocket.spec.size").stdout
    assert "<integer>" in text
    assert "How big, in inches." in text


def test_explain_of_a_list_of_objects_shows_the_items_fields(k: Kubectl) -> None:
    text = k("explain spk.spec.parts").stdout
    assert "What the sprocket is made of, by name." in text
    assert "<[]Object>" in text
    assert "Unique in the sprocket." in text


def test_explain_recursive_shows_the_whole_tree(k: Kubectl) -> None:
    text = k("explain sprocket --recursive").stdout
    for field in ("spec", "parts", "count", "conditions", "observedGeneration", "managedFields"):
        assert field in text


def test_explain_an_unknown_field_fails(k: Kubectl) -> None:
    assert 'field "weight" does not exist' in k.fails("explain sprocket.spec.weight").stderr


def test_explain_an_unknown_kind_fails(k: Kubectl) -> None:
    k.fails("explain gizmos")


def test_explain_metadata_of_a_custom_kind(k: Kubectl) -> None:
    text = k("explain sprocket.metadata.finalizers").stdout
    assert "<[]string>" in text


def test_explain_core_kinds(k: Kubectl) -> None:
    text = k("explain configmaps").stdout
    for word in ("ConfigMap", "DESCRIPTION", "data", "binaryData", "immutable"):
        assert word in text
    assert "<map[string]string>" in k("explain secret.stringData").stdout
    assert "rules" in k("explain role").stdout
    assert "holderIdentity" in k("explain lease.spec").stdout


def test_explain_custom_resource_definitions(k: Kubectl) -> None:
    assert "additionalPrinterColumns" in k("explain crd.spec.versions").stdout


def test_explain_with_api_version(k: Kubectl) -> None:
    assert "Sprocket" in k("explain sprockets --api-version=test.nxc.dev/v1").stdout
