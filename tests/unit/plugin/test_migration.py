"""`kubectl nxc import`: projects become manifests that the API accepts, and what is lost is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller import shipped
from controller.local.core.schema import Structural
from controller.model.errors import UserError
from controller.plugin import cli
from controller.plugin.migration import Wanted, dns_label, folder, migrate, rendered
from controller.plugin.project import read

TEMPLATES = Path(__file__).parents[2] / "compositions" / "templates"
LISTINGS = Path(__file__).parents[2] / "compositions" / "listings"
SCHEMAS = {
    crd["spec"]["names"]["kind"]: Structural.compile(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    for crd in shipped.crds()
}
SIMPLE = "{ pkgs, ... }: { roles = { server = { }; }; }\n"


def accepted(manifests: Any) -> list[dict[str, Any]]:
    """The manifests, as they read again; each passes its schema."""
    found = [m for m in yaml.safe_load_all(rendered(manifests)) if m]
    for manifest in found:
        if manifest["kind"] in SCHEMAS:
            kept, dropped = SCHEMAS[manifest["kind"]].prune(manifest)
            assert dropped == []
            assert SCHEMAS[manifest["kind"]].problems(kept) == []
    return found


def of_kind(manifests: Any, kind: str) -> list[dict[str, Any]]:
    return [m["spec"] for m in accepted(manifests) if m["kind"] == kind]


@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir()))
def test_projects_with_what_the_templates_have_are_accepted(name: str):
    project = read(TEMPLATES / name)
    migrated = migrate(project, Wanted(name))
    assert len(of_kind(migrated.manifests, "Composition")) == max(1, len(project.compositions))
    assert rendered(migrated.manifests) == rendered(migrate(read(TEMPLATES / name), Wanted(name)).manifests)
    assert not [note for note in migrated.notes if "there is no file" in note.what]


def test_one_file_stands_in_the_composition_itself(tmp_path: Path):
    (tmp_path / "composition.nix").write_text(SIMPLE)
    (composition,) = of_kind(migrate(read(tmp_path), Wanted("web")).manifests, "Composition")
    assert composition == {"source": {"inline": SIMPLE}}


def test_files_in_folders_get_their_paths_back():
    migrated = migrate(read(TEMPLATES / "scripts"), Wanted("scripts", package_source="nixpkgs"))
    config, composition, _ = accepted(migrated.manifests)
    assert composition["spec"]["packageSource"] == {"name": "nixpkgs"}
    assert config["metadata"]["name"] == composition["spec"]["source"]["configMap"]["name"]
    assert set(config["data"]) == {"composition.nix", "scripts.nix", "from-file.sh"}


@pytest.mark.parametrize("form", ["count", "hosts"])
def test_both_forms_of_deployment_files(tmp_path: Path, form: str):
    (tmp_path / "composition.nix").write_text(SIMPLE)
    file = LISTINGS / f"distribution-{form}.yaml"
    migrated = migrate(read(tmp_path, deployments=[file]), Wanted("web"))
    (deployment,) = of_kind(migrated.manifests, "Deployment")
    assert [role["name"] for role in deployment["roles"]] == ["server", "agent"]
    renamed = [note for note in migrated.notes if "is called server, and server1 as well" in note.what]
    assert len(renamed) == (form == "count")


def test_several_deployment_files_become_several_deployments(tmp_path: Path):
    (tmp_path / "composition.nix").write_text(SIMPLE)
    (tmp_path / "small.yaml").write_text("server: 1\n")
    (tmp_path / "large.yml").write_text("server: 10\n")
    (tmp_path / "other.yaml").write_text("kind: Pod\n")
    manifests = migrate(read(tmp_path), Wanted("web")).manifests
    assert [m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment"] == [
        "web-large",
        "web-small",
    ]


def test_several_compositions_become_several_objects_and_one_can_be_chosen():
    project = read(TEMPLATES / "several")
    assert [c["select"] for c in of_kind(migrate(project, Wanted("x")).manifests, "Composition")] == [
        "bar",
        "foo",
    ]
    chosen = migrate(project, Wanted("x", select="foo")).manifests
    assert [m["metadata"]["name"] for m in chosen] == ["x-source", "x", "x"]
    with pytest.raises(UserError, match="no composition 'nosuch'; there are: bar, foo"):
        migrate(project, Wanted("x", select="nosuch"))


def test_the_setup_is_carried_and_what_was_the_command_s_is_said(tmp_path: Path):
    (tmp_path / "composition.nix").write_text(SIMPLE)
    (tmp_path / "setup.toml").write_text(
        '[project]\nselected = "dev"\n[options]\nnix-flags = "--impure"\nkernel-params = "a=1 quiet"\n'
        '[dev.options]\nflavour = "g5k-nfs-store"\n[dev.build.hello]\nsrc = "/home/me/hello"\n'
    )
    migrated = migrate(read(tmp_path), Wanted("web"))
    (deployment,) = of_kind(migrated.manifests, "Deployment")
    assert deployment["kernelParameters"] == ["a=1", "quiet"]
    assert deployment["flavour"] == "g5k-ramdisk"
    assert [str(note) for note in migrated.notes] == [
        "changed: setup.toml: variants dev; taken is 'dev', as [project] selected says (another: --setup NAME)",
        "not carried over: setup.toml: option nix-flags = '--impure' is for the command nxc",
        "not carried over: setup.toml: build.hello.src = '/home/me/hello': only a path inside the source",
        "changed: setup.toml: g5k-nfs-store becomes g5k-ramdisk: its store is in memory, not on NFS",
    ]
    with pytest.raises(UserError, match=r"setup.toml has no variant 'x' \(only: dev\)"):
        migrate(read(tmp_path), Wanted("web", variant="x"))
    (composition,) = of_kind(migrate(read(tmp_path), Wanted("web", variant="dev")).manifests, "Composition")
    assert composition["setup"] == {"variant": "dev"}


@pytest.mark.parametrize(
    ("settings", "flavour", "said"),
    [
        (
            {"default_flavour": "vm"},
            "vm-ramdisk",
            "changed: nxc.json: default_flavour: vm becomes vm-ramdisk",
        ),
        ({"default_flavour": "docker"}, "docker", ""),
        ({"default_flavour": "mine"}, "mine", "not carried over: nxc.json: default_flavour: flavour 'mine'"),
        ({}, "vm-ramdisk", "changed: nxc.json: default_flavour: no flavour is said: vm-ramdisk"),
        (
            {"default_flavour": "docker", "platform": "Grid5000"},
            "docker",
            "not carried over: nxc.json: platform",
        ),
        ({"default_flavour": "docker", "x": 1}, "docker", "not carried over: nxc.json: x = 1 is not known"),
    ],
)
def test_the_flavour(tmp_path: Path, settings: dict[str, Any], flavour: str, said: str):
    (tmp_path / "composition.nix").write_text(SIMPLE)
    (tmp_path / "nxc.json").write_text(json.dumps({"composition": "composition.nix", **settings}))
    migrated = migrate(read(tmp_path), Wanted("web"))
    assert of_kind(migrated.manifests, "Deployment")[0]["flavour"] == flavour
    assert [str(note)[: len(said)] for note in migrated.notes] == ([said] if said else [])
    assert (
        of_kind(migrate(read(tmp_path), Wanted("web", flavour="docker")).manifests, "Deployment")[0][
            "flavour"
        ]
        == "docker"
    )


def test_what_expressions_use_that_is_not_there_is_told_with_its_line(tmp_path: Path):
    (tmp_path / "composition.nix").write_text(
        "{ pkgs, nur, ... }: {\n roles.a = {\n  # permitRootLogin\n  services.openssh.permitRootLogin = true;\n"
        '  users.users.root.password = "x";\n  environment.systemPackages = [ nur.repos.kapack.npb ];\n };\n}\n'
    )
    (tmp_path / "flake.nix").write_text(
        '{ inputs = { nixpkgs.url = "github:NixOS/nixpkgs/23.05"; kapack.url = "github:x/y"; };\n'
        '# inputs.old.url = "github:x/z"\n system = "x86_64-linux"; }'
    )
    assert [note.where for note in migrate(read(tmp_path), Wanted("web", flavour="docker")).notes] == [
        "flake.nix",
        "flake.nix",
        "composition.nix:4",
        "composition.nix:5",
        "composition.nix:6",
    ]


def test_a_repository_instead_of_the_files(tmp_path: Path):
    (tmp_path / "composition.nix").write_text(SIMPLE)
    wanted = Wanted("web", git_url="https://git.example/web.git", git_path="site")
    (composition,) = of_kind(migrate(read(tmp_path), wanted).manifests, "Composition")
    assert composition["source"] == {"git": {"url": "https://git.example/web.git", "path": "site"}}


def test_a_folder_for_kustomize_keeps_files_as_files():
    project = read(TEMPLATES / "several")
    files = folder(migrate(project, Wanted("x")), project)
    kustomization = yaml.safe_load(files["kustomization.yaml"])
    (generator,) = kustomization["configMapGenerator"]
    assert generator["files"] == [
        f"{name}=source/{name}" for name in ("bar.nix", "compositions.nix", "foo.nix")
    ]
    assert files["source/foo.nix"] == (TEMPLATES / "several" / "foo.nix").read_bytes()
    assert all(resource in files for resource in kustomization["resources"])


def test_the_command_prints_manifests_and_says_the_rest_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["import", str(TEMPLATES / "basic")]) == 0
    said = capsys.readouterr()
    assert [m["kind"] for m in yaml.safe_load_all(said.out)] == ["Composition", "Deployment"]
    assert "no flavour is said" in said.err
    assert cli.main(["import", str(TEMPLATES / "several"), "-o", str(tmp_path / "new")]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "composition.yaml", "deployment.yaml", "kustomization.yaml", "source",
    ]  # fmt: skip
    assert cli.main(["import", str(TEMPLATES / "several"), "-o", str(tmp_path / "new")]) == 1
    assert "is there, and not empty" in capsys.readouterr().err
    assert cli.main(["import", str(tmp_path)]) == 1
    assert "is no project of nixos-compose" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "label"), [("My_Project", "my-project"), ("--", "project"), ("x" * 50, "x" * 40), ("web", "web")]
)
def test_names(text: str, label: str):
    assert dns_label(text) == label
