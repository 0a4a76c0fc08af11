"""What the documents say is so: links lead somewhere, commands exist, manifests are accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from controller import shipped
from controller.local.core.schema import Structural

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
SCHEMAS = {
    crd["spec"]["names"]["kind"]: Structural.compile(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    for crd in shipped.crds()
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(text: str) -> Iterator[str]:
    """Code of a Markdown text: between fences, or indented by four."""
    yield from re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for indented in re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE):
        yield dedent(indented)


def manifests(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of our group in a YAML file, or in a document's code."""
    text = path.read_text("utf-8")
    parts = (
        [text] if path.suffix == ".yaml" else [part for part in blocks(text) if "apiVersion: nxc.dev" in part]
    )
    for part in parts:
        for document in yaml.safe_load_all(part):
            if document and document.get("apiVersion", "").startswith("nxc.dev/"):
                yield document


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    prose = re.sub(r"`[^`]*`", "", path.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{name(path)} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z]+)", path.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("path", [*DOCUMENTS, *EXAMPLES], ids=name)
def test_manifests_are_accepted(path: Path) -> None:
    for manifest in manifests(path):
        schema = SCHEMAS[manifest["kind"]]
        kept, dropped = schema.prune(manifest)
        assert dropped == [], manifest["metadata"]["name"]
        assert schema.problems(schema.default(kept)) == [], manifest["metadata"]["name"]


def test_the_readme_and_the_installation_show_manifests() -> None:
    shown = [len(list(manifests(ROOT / file))) for file in ("README.md", "docs/install.md")]
    assert all(count >= 1 for count in shown), "else the test above looks at nothing"
