from __future__ import annotations

import json
import logging

import pytest

from controller.observe.logging import bound, configure


@pytest.fixture
def restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_carries_what_is_being_reconciled(restored, capsys):
    configure(style="json")
    with bound(kind="Deployment", namespace="lab", name="web", generation=3, reconcileID="ab12"):
        logging.getLogger("x").warning("it is %s", "so")
    logging.getLogger("x").warning("outside")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["kind"], first["name"], first["generation"], first["reconcileID"]) == (
        "Deployment",
        "web",
        3,
        "ab12",
    )
    assert first["message"] == "it is so"
    assert "kind" not in second


def test_text_is_for_people(restored, capsys):
    configure(style="text")
    with bound(kind="Deployment", namespace="lab", name="web"):
        logging.getLogger("x").error("no")
    assert "error   [Deployment lab web] no" in capsys.readouterr().err
