from __future__ import annotations

import json
import shutil
import subprocess
from argparse import ArgumentParser
from pathlib import Path

import pytest

from controller import shipped
from controller.build.options import add_build_arguments, build_arguments, build_settings
from controller.build.settings import FLAVOURS, BuildSettings, PackageSource, read_package_sources
from controller.model.errors import NxcError


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sources.yaml"
    file.write_text(text.replace("HERE", str(tmp_path)))
    return file


def test_package_sources_are_read(tmp_path: Path):
    file = written(
        tmp_path,
        "- {name: nixpkgs, kind: nixpkgs, path: HERE, pin: abc, allowImportFromDerivation: true}\n"
        "- {name: seed-old, kind: seed, path: HERE}\n",
    )
    assert read_package_sources(file) == {
        "nixpkgs": PackageSource("nixpkgs", "nixpkgs", tmp_path, "abc", import_from_derivation=True),
        "seed-old": PackageSource("seed-old", "seed", tmp_path),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("name: x", "is not a list"),
        ("- x", r"\[0\] is not an object"),
        ("- {kind: seed}", r"\[0\]\.name is ''"),
        ("- {name: Big, kind: seed}", r"\[0\]\.name is 'Big'"),
        ("- {name: a}", r"\[0\]\.kind is missing: one of seed, nixpkgs"),
        ("- {name: a, kind: seed, colour: red}", r"\[0\]\.colour is not known"),
        ("- {name: a, kind: seed, pin: 3}", r"\[0\]\.pin is 3, not a str"),
        ("- {name: a, kind: nixpkgs}", r"\[0\]\.path is missing"),
        ("- {name: a, kind: nixpkgs, path: relative}", r"\[0\]\.path is 'relative'"),
        ("- {name: a, kind: seed}\n- {name: a, kind: seed}", r"\[1\]\.name is 'a', as another"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, message: str):
    with pytest.raises(NxcError, match=message):
        read_package_sources(written(tmp_path, text))


def test_what_is_on_offer():
    kinds = ["seed", "nixpkgs", "simulated"]
    assert BuildSettings().offered(kinds) == {"seed": "seed", "simulated": "simulated"}
    more = {"stable": PackageSource("stable", "nixpkgs"), "odd": PackageSource("odd", "elsewhere")}
    assert BuildSettings(package_sources=more).offered(kinds) == {
        "seed": "seed",
        "simulated": "simulated",
        "stable": "nixpkgs",
    }


def test_the_command_line_survives_being_passed_on(tmp_path: Path):
    parser = ArgumentParser()
    add_build_arguments(parser)
    file = written(tmp_path, "- {name: a, kind: seed}")
    words = [
        "--build-state",
        str(tmp_path),
        "--build-jobs",
        "5",
        "--build-min-free",
        "7Gi",
        "--package-source",
        "a",
    ]
    words += ["--package-sources", str(file), "--trust-compositions", "--nix-system", str(tmp_path)]
    args = parser.parse_args(words)
    assert build_settings(parser.parse_args(build_arguments(args))) == build_settings(args)
    assert build_settings(args).trusted
    assert (build_settings(args).min_free, build_settings(args).enough_free) == (7 * 2**30, 14 * 2**30)
    assert build_settings(args).jobs == 5
    assert set(build_settings(args).package_sources) == {"a"}


@pytest.mark.skipif(shutil.which("nix-instantiate") is None, reason="no Nix on the PATH")
@pytest.mark.parametrize(
    ("kind", "expression"),
    [
        ("seed", "(import ./seed { }).flavours"),
        ("nixpkgs", "import ./flavours { lib = { }; evalRole = null; }"),
    ],
)
def test_the_flavours_on_offer_are_those_of_the_nix_code(kind: str, expression: str):
    done = subprocess.run(
        [
            "nix-instantiate",
            "--store",
            "dummy://",
            "--eval",
            "--json",
            "--strict",
            "-E",
            f"builtins.attrNames ({expression})",
        ],
        cwd=shipped.folder("nix"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert FLAVOURS[kind] == frozenset(json.loads(done.stdout))
