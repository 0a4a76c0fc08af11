"""The compositions that tests evaluate whole: examples, templates, and the paper's listings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.compositions.evaluation import HERE, REPOSITORY, Evaluated, Nix

SEED = f"import {REPOSITORY}/nix/seed {{ }}"
FLAVOURS = ("vm-ramdisk", "g5k-ramdisk", "g5k-image", "docker")


@dataclass(frozen=True)
class Case:
    """One composition, and what its image must have."""

    folder: str
    """Below this folder; an example's source is written to one."""
    entry: str = "composition.nix"
    select: str = ""
    roles: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    not_on_seed: str = ""
    """What the seed says of it, where it lacks something."""

    def evaluate(self, nix: Nix, package_source: str, scratch: Path, flavour: str) -> Evaluated:
        """`scratch`: an empty folder."""
        return nix.compose(
            self._source(scratch),
            package_source=package_source,
            entry=self.entry,
            select=self.select,
            parameters=self.parameters,
            flavour=flavour,
        )

    def _source(self, scratch: Path) -> Path:
        folder = HERE / self.folder
        if folder.is_dir():
            return folder
        document = yaml.safe_load((REPOSITORY / self.folder / "composition.yaml").read_text())
        (scratch / self.entry).write_text(document["spec"]["source"]["inline"])
        return scratch


EXAMPLES = {
    path.parent.name: Case(f"examples/{path.parent.name}")
    for path in sorted((REPOSITORY / "examples").glob("*/composition.yaml"))
}

TEMPLATES = {
    "basic": Case("templates/basic", roles=("foo",)),
    "overlay": Case("templates/overlay", roles=("machine",)),
    "kernels-shipped": Case("templates/kernels", "compositions.nix", "shipped", ("shipped",)),
    "kernels-latest": Case(
        "templates/kernels", "compositions.nix", "latest", ("latest",), not_on_seed="linuxPackages_latest"
    ),
    "several-foo": Case("templates/several", "compositions.nix", "foo", ("foo",)),
    "several-bar": Case("templates/several", "compositions.nix", "bar", ("bar",)),
    "mpi": Case("templates/mpi", roles=("node",), not_on_seed="openmpi"),
    "cluster": Case("templates/cluster", roles=("builder", "node"), not_on_seed="services.nix-serve"),
    "scripts": Case("templates/scripts", roles=("bar", "foo")),
    "setup": Case("templates/setup", roles=("bar",), parameters={"b": "3"}),
    "shared": Case("templates/shared", roles=("client", "server", "storage")),
    "many": Case("templates/many", roles=("head", "worker1", "worker2", "worker3")),
    "flake": Case("templates/flake", "flake.nix", roles=("foo",)),
}

LISTINGS = {
    "k3s": Case("listings", "k3s.nix", roles=("agent", "server"), not_on_seed="services.k3s"),
    "flent": Case("listings", "flent.nix", roles=("client", "server"), not_on_seed="netperf"),
    "kernel": Case("listings", "kernel.nix", roles=("default", "latest"), not_on_seed="linuxPackages_latest"),
    "nfs": Case("listings", "nfs.nix", roles=("client", "server")),
}

CASES = (
    {f"listing-{name}": case for name, case in LISTINGS.items()}
    | {f"example-{name}": case for name, case in EXAMPLES.items()}
    | {f"template-{name}": case for name, case in TEMPLATES.items()}
)
