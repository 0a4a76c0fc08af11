from __future__ import annotations

from pathlib import Path

import pytest

from controller.model.errors import UserError
from controller.plugin.project import read


def make(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / name.replace("__", "/").replace("_nix", ".nix").replace("_json", ".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


SIMPLE = "{ pkgs, ... }: { roles = { server = { }; }; }"


def test_the_files_that_the_composition_names_come_along_and_no_others(tmp_path: Path):
    make(
        tmp_path,
        nxc_json='{"composition": "composition.nix"}',
        composition_nix="{ ... }: { roles.a = { imports = [ ./lib ./mod.nix ]; environment.etc.x.source = ./data; }; }",
        lib__default_nix="{ a = import ./inner.nix; }",
        lib__inner_nix="{ }",
        mod_nix="{ }",
        data__one="1",
        data__result="left behind",
        README="not named",
    )
    assert sorted(read(tmp_path).files) == [
        "composition.nix",
        "data/one",
        "lib/default.nix",
        "lib/inner.nix",
        "mod.nix",
    ]


def test_files_that_are_missing_or_elsewhere_are_told_with_their_line(tmp_path: Path):
    make(
        tmp_path, composition_nix="{ roles.a = {\n  imports = [ ./gone.nix ../above.nix\n /etc/x.nix ];\n}; }"
    )
    assert [str(note) for note in read(tmp_path).notes] == [
        "not carried over: composition.nix:2: there is no file ./gone.nix",
        "not carried over: composition.nix:2: ../above.nix lies outside of the project: copy it into it",
        "not carried over: composition.nix:3: /etc/x.nix lies outside of the project: copy it into it",
    ]


def test_several_compositions_are_known_by_name(tmp_path: Path):
    make(
        tmp_path,
        nxc_json='{"composition": "compositions.nix", "flake": true}',
        compositions_nix="{ foo = import ./foo.nix; bar = import ./bar.nix; }",
        foo_nix=SIMPLE,
        bar_nix=SIMPLE,
    )
    project = read(tmp_path)
    assert project.compositions == ("bar", "foo")
    assert project.entry == "compositions.nix"


@pytest.mark.parametrize(
    ("argument", "entry"),
    [("", "composition.nix"), ("overlays = [ ];", "flake.nix"), ("# overlays\n", "composition.nix")],
)
def test_the_flake_is_the_entry_where_it_says_more_than_the_composition(
    tmp_path: Path, argument: str, entry: str
):
    call = f"nxc.lib.compose {{ inherit nixpkgs; {argument} }}"
    flake = f"{{ outputs = {{ nxc, nixpkgs, ... }}: {{ packages.x = {call}; }}; }}"
    make(tmp_path, composition_nix=SIMPLE, flake_nix=flake)
    assert read(tmp_path).entry == entry


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "is no project of nixos-compose: it has neither nxc.json nor composition.nix"),
        ({"nxc_json": '{\n"composition": \n}'}, "nxc.json:3: "),
        ({"nxc_json": "[]"}, "nxc.json:1: must be an object"),
        ({"nxc_json": '{"composition": "x.nix"}'}, "nxc.json:1: composition: there is no file 'x.nix'"),
        ({"nxc_json": '{"composition": "../x.nix"}'}, "nxc.json:1: composition: there is no file '../x.nix'"),
        ({"composition_nix": SIMPLE, "setup.toml": "[params]\na = \n"}, "setup.toml:2: "),
        ({"composition_nix": SIMPLE, "nodes.yaml": "a: [1\nb: 2"}, "nodes.yaml:2: "),
        (
            {"composition_nix": "x" * 1_000_001},
            "its files have 1,000,001 bytes, most of them in composition.nix",
        ),
    ],
)
def test_broken_projects_are_told_with_file_and_line(tmp_path: Path, files: dict[str, str], message: str):
    with pytest.raises(UserError) as caught:
        read(make(tmp_path, **files))
    assert message in caught.value.message


def test_text_that_is_none(tmp_path: Path):
    (tmp_path / "composition.nix").write_bytes(b"{\n\xff }")
    with pytest.raises(UserError, match=r"composition\.nix:2: is no text in UTF-8"):
        read(tmp_path)


def test_there_is_no_such_folder(tmp_path: Path):
    with pytest.raises(UserError, match="there is no folder"):
        read(tmp_path / "nowhere")
