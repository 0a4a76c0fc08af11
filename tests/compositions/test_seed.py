"""Every example, template and listing on the seed: its image, or a message that names what the seed lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.compositions.catalogue import CASES, SEED
from tests.compositions.evaluation import HERE, Nix, Refused


@pytest.mark.parametrize("flavour", ["vm-ramdisk", "docker"])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.not_on_seed])
def test_the_seed_makes_an_image_of_it(nix: Nix, tmp_path: Path, name: str, flavour: str) -> None:
    found = CASES[name].evaluate(nix, SEED, tmp_path, flavour)
    assert found["drvPath"].endswith(f"-nxc-image-{flavour}.drv")
    assert not CASES[name].roles or found["roles"] == list(CASES[name].roles)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.not_on_seed])
def test_what_the_seed_lacks_is_named(nix: Nix, tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused) as refused:
        CASES[name].evaluate(nix, SEED, tmp_path, "vm-ramdisk")
    # An option is refused by the seed, a package by Nix itself ("attribute 'openmpi' missing"): the controller's
    # diagnosis adds the nearest name to the latter.
    assert CASES[name].not_on_seed in str(refused.value)


def test_the_listing_with_a_list_of_exports_is_answered_kindly(nix: Nix) -> None:
    with pytest.raises(Refused, match="must be text with one exported folder a line, not a list"):
        nix.compose(HERE / "listings", entry="nfs-as-printed.nix", package_source=SEED)


@pytest.mark.parametrize("file", ["distribution-count.yaml", "distribution-hosts.yaml"])
def test_the_papers_distributions_are_accepted(nix: Nix, tmp_path: Path, file: str) -> None:
    distribution = yaml.safe_load((HERE / "listings" / file).read_text())
    (tmp_path / "distribution.json").write_text(json.dumps(distribution))
    (tmp_path / "composition.nix").write_text(
        """{
          roles = { server = { }; agent = { }; };
          rolesDistribution = builtins.fromJSON (builtins.readFile ./distribution.json);
        }"""
    )
    assert nix.compose(tmp_path, package_source=SEED)["rolesDistribution"] == distribution
