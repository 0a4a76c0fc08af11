"""kubectl edit, with a script for an editor."""

from __future__ import annotations

from pathlib import Path

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import sprocket


def editor(tmp_path: Path, script: str) -> str:
    path = tmp_path / "editor.sh"
    path.write_text(f"#!/bin/sh\nset -e\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_edit_changes_the_object(k: Kubectl, tmp_path: Path) -> None:
    k("create -f -", sprocket("w", size=3))
    edit = k.with_environment(KUBE_EDITOR=editor(tmp_path, 'sed -i "s/size: 3/size: 4/" "$1"'))
    assert edit("edit sprocket w").stdout == "sprocket.test.nxc.dev/w edited\n"
    assert k.get("sprocket w")["spec"]["size"] == 4


def test_edit_that_changes_nothing(k: Kubectl, tmp_path: Path) -> None:
    k("create -f -", sprocket("w"))
    edit = k.with_environment(KUBE_EDITOR=editor(tmp_path, "true"))
    assert "Edit cancelled, no changes made" in edit("edit sprocket w").stderr


def test_edit_over_somebody_elses_change_merges_where_they_differ(k: Kubectl, tmp_path: Path) -> None:
    k("create -f -", sprocket("w", size=3, note="a"))
    meanwhile = f"kubectl --kubeconfig {k.kubeconfig.split(':')[1]} -n {k.namespace} patch sprocket w"
    script = (
        f"""{meanwhile} --type=merge -p '{{"spec":{{"note":"b"}}}}' >&2; sed -i "s/size: 3/size: 4/" "$1" """
    )
    edit = k.with_environment(KUBE_EDITOR=editor(tmp_path, script))
    edited = edit.run("edit sprocket w")
    # kubectl sends a merge patch without the resourceVersion: both changes stand
    assert edited.code == 0, str(edited)
    assert k.get("sprocket w")["spec"] == {"size": 4, "note": "b", "colour": "red", "replicas": 1}


def test_edit_to_an_invalid_object_reopens_with_the_reason(k: Kubectl, tmp_path: Path) -> None:
    k("create -f -", sprocket("w", size=3))
    # the first time make it invalid; the second time (the file then begins with the reason) give up
    log = tmp_path / "second"
    script = f"""if grep -q "was not valid" "$1"; then cp "$1" {log}; exit 0; fi; sed -i "s/size: 3/size: 300/" "$1" """
    edit = k.with_environment(KUBE_EDITOR=editor(tmp_path, script))
    failed = edit.fails("edit sprocket w")
    assert "Edit cancelled" in failed.stderr
    assert "spec.size" in log.read_text(encoding="utf-8")
    assert k.get("sprocket w")["spec"]["size"] == 3


def test_edit_saved_manifest_conflicts_when_replaced(k: Kubectl, tmp_path: Path) -> None:
    k("create -f -", sprocket("w", size=3))
    saved = k("get sprocket w -o yaml").stdout
    k('patch sprocket w --type=merge -p \'{"spec":{"size":5}}\'')
    refused = k.fails("replace -f -", saved.replace("size: 3", "size: 4"))
    assert "(Conflict)" in refused.stderr
    assert k.get("sprocket w")["spec"]["size"] == 5


def test_edit_status(k: Kubectl, tmp_path: Path) -> None:
    k("create -f -", sprocket("w"))
    k('patch sprocket w --subresource=status --type=merge -p \'{"status":{"phase":"One"}}\'')
    edit = k.with_environment(KUBE_EDITOR=editor(tmp_path, 'sed -i "s/phase: One/phase: Two/" "$1"'))
    edit("edit sprocket w --subresource=status")
    assert k.get("sprocket w")["status"]["phase"] == "Two"
