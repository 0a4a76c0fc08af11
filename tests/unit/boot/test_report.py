"""What a node says of itself: read as hostile, and compared with what was asked for."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.boot.report import BODY_LIMIT, Expected, Report, judge
from controller.model.errors import UserError

KEY = "ssh-ed25519 " + "A" * 68
GOOD: dict[str, Any] = {
    "hostKey": KEY,
    "toplevel": "/nix/store/x-system",
    "kernel": "6.1.0",
    "cmdlineSha256": "a" * 64,
    "role": "server",
    "timings": {"host key": 1.5, "done": 3},
}
ASKED = Expected("/nix/store/x-system", "6.1.0", "server", "a" * 64)


def parse(**changes: Any) -> Report:
    return Report.parse(json.dumps(GOOD | changes).encode())


def test_a_true_report_verifies_the_node() -> None:
    report = parse()
    assert report.timings == {"host key": 1.5, "done": 3.0}
    assert judge(report, ASKED).ok is True
    assert "6.1.0" in judge(report, ASKED).message


def test_the_comment_of_a_host_key_says_nothing() -> None:
    assert parse(hostKey=KEY + " root@server").host_key == KEY


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (replace(ASKED, role="client"), "WrongRole"),
        (replace(ASKED, toplevel="/nix/store/y-system"), "WrongSystem"),
        (replace(ASKED, kernel="6.2.0"), "WrongKernel"),
        (replace(ASKED, cmdline_sha256="b" * 64), "WrongCommandLine"),
    ],
)
def test_a_node_that_runs_something_else_is_not_verified(asked: Expected, reason: str) -> None:
    signal = judge(parse(), asked)
    assert (signal.ok, signal.reason) == (False, reason)


def test_an_image_that_does_not_tell_its_kernel_is_not_asked_for_it() -> None:
    assert judge(parse(), replace(ASKED, kernel="")).ok is True


def test_before_a_report_nothing_is_known() -> None:
    assert judge(None, ASKED).ok is None


def test_a_node_that_stays_unconfigured_says_why() -> None:
    report = Report.parse(b'{"error": "nxc.sha256 does not match"}')
    signal = judge(report, ASKED)
    assert (signal.ok, signal.reason) == (False, "Unconfigured")
    assert "nxc.sha256 does not match" in signal.message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"hostKey": ""}, "hostKey"),
        ({"hostKey": "ssh-ed25519 short"}, "hostKey"),
        ({"hostKey": 5}, "hostKey"),
        ({"hostKey": "ssh-ed25519 " + "A" * 68 + "\nssh-rsa B"}, "hostKey"),
        ({"toplevel": "x" * 600}, "toplevel"),
        ({"role": "server\x1b[2J"}, "role"),
        ({"cmdlineSha256": "A" * 64}, "cmdlineSha256"),
        ({"timings": [1]}, "timings"),
        ({"timings": {"a": "1"}}, "timings"),
        ({"timings": {"a": -1}}, "timings"),
        ({"timings": {"a": True}}, "timings"),
        ({"timings": {str(i): 1 for i in range(40)}}, "timings"),
        ({"timings": {"<b>": 1}}, "timings"),
    ],
)
def test_a_forged_report_is_refused_by_its_field(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named) as raised:
        parse(**changes)
    assert raised.value.reason == "BadReport"


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)
)
def test_whatever_is_posted_is_read_or_refused(body: bytes | str) -> None:
    with suppress(UserError):
        Report.parse(body if isinstance(body, bytes) else body.encode())


def test_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(UserError, match=str(BODY_LIMIT)):
        Report.parse(b" " * (BODY_LIMIT + 1))


def test_a_report_survives_its_record() -> None:
    report = parse()
    assert Report.parse(json.dumps(report.to_dict()).encode()) == report
