from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from controller.model.errors import UserError
from controller.plugin.templates import init, listing, templates


def test_each_template_is_told_in_a_line():
    assert {"hello", "webserver", "nfs"} <= set(templates())
    assert all(about for about in templates().values())
    assert len(listing().splitlines()) == len(templates())


def test_a_template_becomes_a_folder_that_can_be_applied(tmp_path: Path):
    said = init("webserver", tmp_path / "mine")
    kinds = [yaml.safe_load(file.read_text())["kind"] for file in sorted((tmp_path / "mine").glob("*.yaml"))]
    assert kinds == ["Composition", "Deployment"]
    assert "kubectl nxc status webserver --watch" in said[-1]


def test_nothing_is_overwritten(tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        init("hello", tmp_path)
    with pytest.raises(UserError, match="no directory"):
        init("hello", tmp_path / "file")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_an_unknown_template_is_answered_with_the_known_ones(tmp_path: Path):
    with pytest.raises(UserError, match=r"there are: .*hello"):
        init("helo", tmp_path / "new")
