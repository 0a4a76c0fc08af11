"""kubectl get: every output form, and every way to choose."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import configmap, sprocket


@pytest.fixture
def three(k: Kubectl) -> Kubectl:
    """Three sprockets, of which b is ready."""
    k(
        "create -f -",
        [
            sprocket("a", size=30, colour="blue", metadata={"labels": {"tier": "front", "app": "x"}}),
            sprocket("b", size=10, colour="green", metadata={"labels": {"tier": "back", "app": "x"}}),
            sprocket("c", size=20, metadata={"labels": {"tier": "back"}}, due="2020-01-01T00:00:00Z"),
        ],
    )
    ready = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    k(f"patch sprocket b --subresource=status --type=merge -p '{ready}'")
    return k


def test_table_has_the_printer_columns(three: Kubectl) -> None:
    table = three("get sprockets")
    assert table.lines[0].split() == ["NAME", "SIZE", "READY", "DUE", "AGE"]
    assert table.rows[0][:2] == ["a", "30"]
    assert table.rows[1][:3] == ["b", "10", "True"]
    assert re.fullmatch(r"\d+s", table.rows[0][-1])
    assert re.search(r"^c\s+20\s+\d+y", table.lines[3])


def test_wide_adds_the_columns_of_lower_priority(three: Kubectl) -> None:
    table = three("get sprockets -o wide")
    assert table.lines[0].split() == ["NAME", "SIZE", "READY", "DUE", "COLOUR", "AGE"]
    assert "blue" in table.lines[1]


def test_a_future_date_column_is_not_an_age(k: Kubectl) -> None:
    due = (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    k("create -f -", sprocket("w", due=due))
    assert (
        re.search(r"^w\s+1\s+<invalid>", k("get sprocket w").lines[1])
        or "4h59m" in k("get sprocket w").stdout
    )


def test_no_headers_and_show_labels(three: Kubectl) -> None:
    assert three("get sprockets --no-headers").lines[0].startswith("a ")
    shown = three("get sprockets --show-labels")
    assert shown.lines[0].split()[-1] == "LABELS"
    assert shown.lines[1].split()[-1] == "app=x,tier=front"
    columns = three("get sprockets -L tier")
    assert columns.lines[0].split()[-1] == "TIER"
    assert columns.lines[1].split()[-1] == "front"


def test_label_selectors(three: Kubectl) -> None:
    def names(selector: str) -> list[str]:
        return [row[0] for row in three(f"get sprockets -l '{selector}'").rows]

    assert names("tier=back") == ["b", "c"]
    assert names("tier!=back") == ["a"]
    assert names("app") == ["a", "b"]
    assert names("!app") == ["c"]
    assert names("tier in (front, back),app=x") == ["a", "b"]
    assert names("tier notin (front)") == ["b", "c"]


def test_a_malformed_label_selector_is_refused(k: Kubectl) -> None:
    refused = k.fails("get sprockets -l 'a=b=c'").stderr
    assert "found '=', expected: ',' or 'end of string'" in refused
    assert "unable to parse requirement" in k.fails("get sprockets -l 'a in (-)'").stderr


def test_field_selector_by_name_and_namespace(three: Kubectl) -> None:
    assert [r[0] for r in three("get sprockets --field-selector metadata.name=b").rows] == ["b"]
    assert [r[0] for r in three("get sprockets --field-selector metadata.name!=b").rows] == ["a", "c"]
    everywhere = three(f"get sprockets -A --field-selector metadata.namespace={three.namespace}")
    assert len(everywhere.rows) == 3


def test_field_selector_on_a_selectable_field(three: Kubectl) -> None:
    assert [r[0] for r in three("get sprockets --field-selector spec.colour=green").rows] == ["b"]


def test_field_selector_on_another_field_is_refused(k: Kubectl) -> None:
    refused = k.fails("get sprockets --field-selector spec.size=1")
    assert "field label not supported: spec.size" in refused.stderr


def test_secrets_by_type(k: Kubectl) -> None:
    k("create secret generic plain --from-literal=a=1")
    k("create secret generic special --type=nxc.dev/special --from-literal=a=1")
    assert [r[0] for r in k("get secrets --field-selector type=nxc.dev/special").rows] == ["special"]


def test_yaml_and_json_round_trip(three: Kubectl) -> None:
    from_yaml = yaml.safe_load(three("get sprocket a -o yaml").stdout)
    assert from_yaml == three.get("sprocket a")
    assert from_yaml["apiVersion"] == "test.nxc.dev/v1"
    assert from_yaml["spec"] == {"size": 30, "colour": "blue", "replicas": 1}
    assert "managedFields" not in from_yaml["metadata"]
    listed = three("get sprockets -o json").json()
    assert listed["kind"] == "List"
    assert [i["metadata"]["name"] for i in listed["items"]] == ["a", "b", "c"]


def test_name_jsonpath_and_templates(three: Kubectl) -> None:
    assert three("get sprockets -o name").lines == [f"sprocket.test.nxc.dev/{n}" for n in "abc"]
    assert three("get sprocket b -o jsonpath='{.spec.size}'").stdout == "10"
    sizes = three("get sprockets -o jsonpath='{range .items[*]}{.metadata.name}={.spec.size} {end}'")
    assert sizes.stdout == "a=30 b=10 c=20 "
    assert three("get sprocket a -o go-template='{{.spec.colour}}'").stdout == "blue"


def test_custom_columns(three: Kubectl) -> None:
    table = three("get sprockets -o custom-columns=WHO:.metadata.name,HUE:.spec.colour,S:.status.phase")
    assert table.lines[0].split() == ["WHO", "HUE", "S"]
    assert table.rows == [["a", "blue", "<none>"], ["b", "green", "<none>"], ["c", "red", "<none>"]]


def test_sort_by(three: Kubectl) -> None:
    assert [r[0] for r in three("get sprockets --sort-by=.spec.size").rows] == ["b", "c", "a"]
    assert [r[0] for r in three("get sprockets --sort-by=.metadata.name").rows] == ["a", "b", "c"]


def test_all_namespaces_has_a_namespace_column(three: Kubectl) -> None:
    table = three("get sprockets -A")
    assert table.lines[0].split()[0] == "NAMESPACE"
    assert [three.namespace, "a"] in [row[:2] for row in table.rows]


def test_short_name_singular_full_name_and_kind(three: Kubectl) -> None:
    for name in (
        "spk",
        "sprocket",
        "sprockets",
        "Sprocket",
        "sprockets.test.nxc.dev",
        "sprockets.v1.test.nxc.dev",
    ):
        assert len(three(f"get {name}").rows) == 3, name


def test_category(three: Kubectl) -> None:
    assert [r[0] for r in three("get gadgetry").rows] == ["a", "b", "c"]


def test_several_kinds_and_several_names(three: Kubectl) -> None:
    three("create -f -", configmap("c"))
    both = three("get configmap/c sprocket/a")
    assert "configmap/c" in both.stdout
    assert "sprocket.test.nxc.dev/a" in both.stdout
    assert [r[0] for r in three("get sprockets a c").rows] == ["a", "c"]


def test_nothing_there(k: Kubectl) -> None:
    assert k("get sprockets").stderr == f"No resources found in {k.namespace} namespace.\n"
    missing = k.fails("get sprocket nobody")
    assert missing.stderr == 'Error from server (NotFound): sprockets.test.nxc.dev "nobody" not found\n'
    assert k("get sprocket nobody --ignore-not-found").stdout == ""


def test_an_unknown_kind(k: Kubectl) -> None:
    assert k.fails("get gizmos").stderr == 'error: the server doesn\'t have a resource type "gizmos"\n'


def test_a_configmap_table(k: Kubectl) -> None:
    k("create -f -", configmap("c", a="1", b="2"))
    table = k("get configmap c")
    assert table.lines[0].split() == ["NAME", "DATA", "AGE"]
    assert table.rows[0][:2] == ["c", "2"]


def test_tables_of_the_core_kinds(k: Kubectl) -> None:
    k("create secret generic s --from-literal=a=1")
    k("create serviceaccount robot")
    k("create role r --verb=get --resource=configmaps")
    k("create rolebinding rb --role=r --serviceaccount=x:y --user=u --group=g")
    k(
        "create -f -",
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "l"},
            "spec": {"holderIdentity": "me"},
        },
    )

    def header_and_row(what: str) -> tuple[list[str], list[str]]:
        table = k(f"get {what}")
        return table.lines[0].split(), table.lines[1].split()[:-1]

    assert header_and_row("secret s") == (["NAME", "TYPE", "DATA", "AGE"], ["s", "Opaque", "1"])
    assert header_and_row("serviceaccount robot")[0] == ["NAME", "SECRETS", "AGE"]
    assert header_and_row("lease l") == (["NAME", "HOLDER", "AGE"], ["l", "me"])
    assert k("get role r").lines[0].split() == ["NAME", "CREATED", "AT"]
    assert header_and_row("rolebinding rb") == (["NAME", "ROLE", "AGE"], ["rb", "Role/r"])
    wide = k("get rolebinding rb -o wide")
    assert wide.lines[0].split() == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert wide.lines[1].split()[-3:] == ["u", "g", "x/y"]
    namespace = k(f"get namespace {k.namespace}")
    assert namespace.lines[0].split() == ["NAME", "STATUS", "AGE"]
    assert namespace.rows[0][:2] == [k.namespace, "Active"]
    assert k("get crd sprockets.test.nxc.dev").lines[0].split() == ["NAME", "CREATED", "AT"]


def test_show_managed_fields(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    managed = k("get sprocket w -o json --show-managed-fields").json()["metadata"]["managedFields"]
    assert [(m["manager"], m["operation"]) for m in managed] == [("kubectl-create", "Update")]
    assert managed[0]["fieldsV1"]["f:spec"]["f:size"] == {}


def test_raw(k: Kubectl) -> None:
    k("create -f -", sprocket("w", size=7))
    raw = k(f"get --raw /apis/test.nxc.dev/v1/namespaces/{k.namespace}/sprockets/w").json()
    assert raw["spec"]["size"] == 7
    assert raw["metadata"]["managedFields"]


def test_age_grows(k: Kubectl) -> None:
    k("create -f -", configmap("c"))
    time.sleep(1.2)
    assert k("get configmap c").rows[0][-1] != "0s"


def test_chunks_of_a_big_list_are_put_together(k: Kubectl) -> None:
    k("create -f -", [configmap(f"c{n:03}") for n in range(60)], limit=120)
    table = k("get configmaps --chunk-size=7 -v=6 --field-selector metadata.name!=kube-root-ca.crt")
    assert [row[0] for row in table.rows] == [f"c{n:03}" for n in range(60)]
    assert len(re.findall(r"GET .*continue=", table.stderr)) == 8


def test_chunks_of_custom_resources(k: Kubectl) -> None:
    k("create -f -", [sprocket(f"w{n:02}") for n in range(23)], limit=120)
    table = k("get sprockets --chunk-size=5 -v=6")
    assert [row[0] for row in table.rows] == [f"w{n:02}" for n in range(23)]
    assert len(re.findall(r"GET .*continue=", table.stderr)) == 4


def test_describe(three: Kubectl) -> None:
    text = three("describe sprocket b").stdout
    assert re.search(r"^Name:\s+b$", text, re.M)
    assert re.search(r"^API Version:\s+test.nxc.dev/v1$", text, re.M)
    assert re.search(r"^\s+Colour:\s+green$", text, re.M)
    assert re.search(r"^Events:\s+<none>$", text, re.M)
    assert (
        "Data\n====" in three("describe configmap kube-root-ca.crt").stdout
        if three.exists("configmap kube-root-ca.crt")
        else True
    )
    assert re.search(r"^Status:\s+Active$", three(f"describe namespace {three.namespace}").stdout, re.M)
