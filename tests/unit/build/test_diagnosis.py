"""What the author of a composition reads. The errors are what Nix really printed (tests/build/record_mistakes.py)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.build import diagnosis, trace
from controller.build.diagnosis import Kind
from controller.build.limits import MIB, BuildLimits
from controller.build.log import Log
from tests.build.mistakes import MISTAKES, Mistake

RECORDED = Path(__file__).parent / "mistakes"
SOURCE = re.compile(r"/nix/store/[0-9a-z]{32}-source")
NAMES = ("curl", "jq", "nginx", "hello")


@pytest.mark.parametrize("version", ["2.8", "2.26"])
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_explained_with_its_place(mistake: Mistake, version: str) -> None:
    stderr = (RECORDED / version / f"{mistake.name}.txt").read_text()
    found = SOURCE.search(stderr)
    told = diagnosis.evaluation(stderr, found[0] if found else "", NAMES)
    message, old = str(told), version == "2.8"
    assert told.kind is mistake.kind
    assert mistake.words(old=old) in message
    place = mistake.place(old=old)
    assert message.startswith(f"{place}: " if place else ("", "composition.nix:"))
    assert not re.search(r"/nix/store/[0-9a-z]{32}-", message), "no hashes"


def test_the_line_is_shown_with_a_caret_at_the_place() -> None:
    stderr = (RECORDED / "2.8/undefined-variable.txt").read_text()
    found = SOURCE.search(stderr)
    assert found is not None
    assert str(diagnosis.evaluation(stderr, found[0])).splitlines() == [
        "composition.nix:3:44: undefined variable 'curll'",
        "  3 |     environment.systemPackages = [ pkgs.jq curll ];",
        "    |                                            ^",
    ]


def test_the_caret_stands_right_behind_tabs_and_letters_of_several_bytes() -> None:
    position = trace.Position("a.nix", 12, 11, '\tx = "é" + y;')
    assert str(diagnosis.Diagnosis(Kind.VARIABLE, "wrong", position)).splitlines()[1:] == [
        '  12 | \tx = "é" + y;',
        "     | \t        ^",
    ]


def test_only_places_in_the_source_are_shown() -> None:
    place = "/nix/store/00000000000000000000000000000000-nxc/entry.nix:1:2:"
    stderr = f"error: oops\n\n       at {place}\n\n            1| x\n             | ^\n"
    assert str(diagnosis.evaluation(stderr, "/nix/store/11111111111111111111111111111111-source")) == "oops"


def test_nix_without_an_error_message_is_told_as_it_is() -> None:
    assert str(diagnosis.evaluation("Segmentation fault\n")) == "Segmentation fault"
    assert str(diagnosis.evaluation("")) == "Nix failed without a message"


@given(st.text(max_size=400) | st.lists(st.sampled_from([
    "error:", "error: x", "  … while", "at /a:1:2:", "  1| x", "  | ^", "", "Did you mean y?",
    "at /s/a:9:9:Did you mean z?",
]), max_size=30).map("\n".join))  # fmt: skip
def test_whatever_nix_prints_there_is_a_message(stderr: str) -> None:
    assert str(diagnosis.evaluation(stderr, "/s", NAMES)).strip()


def test_a_huge_error_is_cut() -> None:
    assert len(str(diagnosis.evaluation("error: " + "x" * 10_000_000))) < 5000


# ---------------------------------------------------------------- builds

LIMITS = BuildLimits(seconds=7200, silent=900, log=1 * MIB)
DRV = "/nix/store/00000000000000000000000000000000-site-1.0.drv"


def built(*errors: str, lines: tuple[str, ...] = ()) -> Log:
    log = Log()
    log.feed(f'@nix {{"action":"start","id":7,"type":105,"fields":["{DRV}","",1,1]}}\n'.encode())
    for line in lines:
        log.feed(f'@nix {{"action":"result","id":7,"type":101,"fields":["{line}"]}}\n'.encode())
    for error in errors:
        log.feed(f'@nix {{"action":"msg","level":0,"msg":"{error}"}}\n'.encode())
    return log


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (
            f"error: builder for '{DRV}' failed with exit code 3",
            "BuildFailed",
            "site-1.0 failed with exit code 3",
        ),
        (
            f"error: builder for '{DRV}' failed with exit code 3;\\n       last 1 log lines:\\n       > x",
            "BuildFailed",
            "site-1.0 failed with exit code 3; its last lines:\n  one\n  two",
        ),
        (
            f"error: building of '{DRV}!*' from .drv file timed out after 5 seconds of silence",
            "BuildSilent",
            "printed nothing for 15 min",
        ),
        (
            f"error: building of '{DRV}^*' from .drv file timed out after 5 seconds",
            "BuildTimeout",
            "took longer than 2 h",
        ),
        (
            f"error: building of '{DRV}^*' from .drv file killed after writing more than 9 bytes of log output",
            "LogTooLong",
            "more than 1 MiB",
        ),
        (
            f"error: a 'x86_64-linux' with features {{kvm}} is required to build '{DRV}', but I am a 'x86_64-linux'",
            "BuildFailed",
            "site-1.0 asks for a builder with kvm",
        ),
        ("error: writing to file: No space left on device", "DiskLimit", "the disk is full"),
        ("error: something new", "BuildFailed", "something new"),
        ("", "BuildFailed", "Nix ended with exit status 100"),
    ],
)
def test_a_failed_build_says_what_failed_how_and_where_the_log_is(error: str, reason: str, says: str) -> None:
    log = built(
        *([error] if error else []),
        "error: 1 dependencies of derivation 'x' failed to build",
        lines=("one", "two"),
    )
    failed = diagnosis.build(log, 100, LIMITS, Path("/logs/1"))
    assert failed.reason == reason
    assert says in failed.message
    if reason != "LogTooLong":
        assert "(whole log: /logs/1)" in failed.message
