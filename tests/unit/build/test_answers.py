"""What Nix answers, as both versions say it."""

from __future__ import annotations

import json

import pytest

from controller.build import answers
from controller.build.answers import Fixed, PathInfo
from controller.build.limits import duration, size
from controller.model.errors import NxcError, UserError

A, B = (f"/nix/store/{digit * 32}-x" for digit in "01")
GOOD = {"drvPath": f"{A}.drv", "imagePath": A, "roles": ["client", "server"], "testScript": ""}


def test_an_evaluation() -> None:
    errors = (
        "trace: nxc-warning: old\ntrace: other\ntrace: nxc-warning: old\ntrace: nxc-warning: \x1b[1mnew\n"
    )
    told = answers.evaluation(json.dumps(GOOD).encode(), errors, 1.5)
    assert (told.drv_path, told.out_path, told.roles, told.seconds) == (
        f"{A}.drv",
        A,
        ("client", "server"),
        1.5,
    )
    assert told.warnings == ("old", "new")
    assert told.result == {"drvPath": f"{A}.drv", "roles": ["client", "server"], "testScript": ""}


@pytest.mark.parametrize(
    "change",
    [{"drvPath": A}, {"drvPath": f"{A}/../{B}.drv"}, {"drvPath": None}, {"imagePath": "/etc"}, {"imagePath": f"{A}/x"},
     {"roles": "server"}, {"roles": [1]}],
    ids=str,
)  # fmt: skip
def test_an_evaluation_that_is_no_image_is_the_composition_s_fault(change: dict[str, object]) -> None:
    with pytest.raises(UserError) as failed:
        answers.evaluation(json.dumps(GOOD | change).encode(), "", 0)
    assert failed.value.reason == "EvaluationFailed"


@pytest.mark.parametrize("output", [b"", b"{", b"[]", b"[" * 100_000, b"\xff"])
def test_an_evaluation_that_cannot_be_read(output: bytes) -> None:
    with pytest.raises(UserError, match=r"cannot be read|is not a set"):
        answers.evaluation(output, "", 0)


def test_path_infos_of_both_versions() -> None:
    info = {"narSize": 5, "narHash": "sha256-x", "references": [B, A], "other": 1}
    expected = {A: PathInfo(5, "sha256-x", (A, B))}
    assert answers.path_infos(json.dumps([{"path": A, **info}]).encode()) == expected
    assert answers.path_infos(json.dumps({A: info}).encode()) == expected
    for absent in ([{"path": A, "valid": False}], {A: None}):
        with pytest.raises(NxcError, match="is not in the store"):
            answers.path_infos(json.dumps(absent).encode())


def test_derivations_to_build() -> None:
    errors = f"these derivations will be built:\n  {A}.drv\n  {B}.drv\nthese paths will be fetched:\n  {A}\n"
    assert answers.to_build(errors) == (f"{A}.drv", f"{B}.drv")


@pytest.mark.parametrize(
    ("said", "number"),
    [("3 store paths deleted, 12.50 MiB freed\n", 12.5 * 2**20), ("0 store paths deleted, 0.00 MiB freed", 0), ("", 0),
     ("1 store paths deleted, 2.0 GiB freed", 2**31)],
)  # fmt: skip
def test_bytes_freed(said: str, number: float) -> None:
    assert answers.freed(said) == number


def test_a_refusal_names_what_and_from_where() -> None:
    fixed = Fixed("x", "tool-1.0.tar.gz", A, "sha256", "ab", "https://example.org/tool.tar.gz")
    refused = answers.refusal((fixed, fixed))
    assert refused.reason == "FetchRefused"
    assert (
        "tool-1.0.tar.gz (from https://example.org/tool.tar.gz), and 1 more, from outside" in refused.message
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1 << 20, "1 MiB"), (3 << 29, "1.5 GiB"), (1 << 40, "1024 GiB")],
)
def test_sizes_for_people(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (90, "90 s"), (60, "1 min"), (900, "15 min"), (3600, "1 h"), (5400, "90 min")],
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
