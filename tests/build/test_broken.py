"""Compositions that are broken or want too much: each ends within its limit, with a message, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.build.isolation import Isolation
from controller.build.limits import GIB, KIB, MIB, BuildLimits, EvalLimits
from controller.build.nix import Nix
from controller.model.errors import UserError
from controller.shipped import folder
from tests.build.conftest import BUILD, EVALUATION, SYSTEM, Workbench
from tests.build.mistakes import MISTAKES, Mistake


@pytest.fixture(autouse=True)
async def nothing_is_left(isolation: Isolation, state: Path) -> AsyncIterator[None]:
    """No process, no directory of a build, no control group."""
    before = children(os.getpid())  # other tests' fixtures may hold processes
    yield
    assert children(os.getpid()) - before == set()
    assert list((state / "work").iterdir()) == []
    assert list((state / "nix/store").glob("*.chroot")) == []
    for parent in isolation.groups.parents:
        assert list(parent.glob(f"nxc-{os.getpid()}-*")) == []


def children(process: int) -> set[tuple[int, str]]:
    """What a process started: number and command line. A jail's first process ends after all that is in it."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(entry.read_text().rpartition(")")[2].split()[1]) == process:
                found.add((int(entry.parent.name), (entry.parent / "cmdline").read_text()))
        except OSError:
            continue
    return found


# ---------------------------------------------------------------- evaluation


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
async def test_a_mistake_is_explained(
    mistake: Mistake, isolation: Isolation, state: Path, tmp_path: Path
) -> None:
    nix = Nix(state, isolation, expressions=folder("nix"), system=SYSTEM)
    old = (await nix.version()).startswith("nix (Nix) 2.8")
    (tmp_path / "composition.nix").write_text(mistake.text)
    request = {
        "source": await nix.add_tree(tmp_path, "source"),
        "flavour": "vm-ramdisk",
        "packageSource": {"kind": "seed", "lock": None},
    }
    with pytest.raises(UserError) as failed:
        await nix.evaluate(request, EvalLimits(seconds=60, memory=2 * GIB))
    assert failed.value.reason == "EvaluationFailed"
    assert mistake.words(old=old) in failed.value.message
    assert failed.value.message.startswith(mistake.place(old=old))


ENDLESS = """
  let again = builtins.genList (x: x) 1000000; sum = builtins.foldl' (a: b: a + b);
  in sh "x" (toString (sum 0 (map (x: sum x again) again))) { }
"""


async def test_an_endless_evaluation_ends(bench: Workbench) -> None:
    began = time.monotonic()
    with pytest.raises(UserError, match="longer than 2 s; is there an endless loop") as failed:
        await bench.evaluate(ENDLESS, replace(EVALUATION, seconds=2))
    assert failed.value.reason == "EvaluationTimeout"
    assert time.monotonic() - began < 20


async def test_a_cancelled_evaluation_ends(bench: Workbench) -> None:
    task = asyncio.create_task(bench.evaluate(ENDLESS))
    await asyncio.sleep(1.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "hog",
    [
        "builtins.genList (x: x) 10000000000",
        'builtins.foldl\' (a: _: a + a) "x" (builtins.genList (x: x) 60)',
    ],
    ids=["list", "string"],
)
async def test_a_memory_hog_at_evaluation_ends(bench: Workbench, hog: str) -> None:
    with pytest.raises(UserError, match="more than 512 MiB of memory") as failed:
        await bench.evaluate(f'sh "x" (builtins.toJSON ({hog})) {{ }}', replace(EVALUATION, memory=512 * MIB))
    assert failed.value.reason == "EvaluationMemory"


async def test_traces_without_an_end_are_stopped(bench: Workbench) -> None:
    text = (
        'builtins.foldl\' (a: x: builtins.trace "again" a) (sh "x" "" { }) (builtins.genList (x: x) 10000000)'
    )
    with pytest.raises(UserError, match="printed more than 1 MiB") as failed:
        await bench.evaluate(text, replace(EVALUATION, output=1 * MIB))
    assert failed.value.reason == "EvaluationOutput"


async def test_a_result_that_is_too_large_is_stopped(bench: Workbench) -> None:
    text = 'sh "x" "" { } // { drvPath = builtins.foldl\' (a: _: a + a) "x" (builtins.genList (x: x) 22); }'
    with pytest.raises(UserError, match="printed more than 1 MiB"):
        await bench.evaluate(text, replace(EVALUATION, output=1 * MIB))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{ drvPath = "/nix/store/x"; outPath = "/etc"; }', "the composition's image is no derivation"),
        ("{ drvPath = 5; outPath = 5; }", "the composition's image is no derivation"),
        (
            'sh "x" "" { } // { outPath = "/nix/store/../../etc"; }',
            "the composition's image has no output path",
        ),
    ],
)
async def test_a_result_that_is_no_image_is_refused(bench: Workbench, text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        await bench.evaluate(text)


# ---------------------------------------------------------------- sources


async def test_a_source_of_ten_megabytes_is_refused_before_nix_sees_it(nix: Nix, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x" * 10_000_000)
    with pytest.raises(UserError, match=r"larger than 1048576 bytes.*keep large files out") as failed:
        await nix.add_tree(tmp_path, "source", limit=1 * MIB)
    assert failed.value.reason == "SourceTooLarge"


async def test_a_source_of_ten_megabytes_is_taken_where_it_may_be(nix: Nix, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x" * 10_000_000)
    path = await nix.add_tree(tmp_path, "source", limit=16 * MIB)
    assert (nix.physical(path) / "data").stat().st_size == 10_000_000


async def test_a_source_with_a_pipe_in_it_is_refused(nix: Nix, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: only files, directories and links"):
        await nix.add_tree(tmp_path, "source")


# ---------------------------------------------------------------- builds


async def fails(bench: Workbench, script: str, limits: BuildLimits = BUILD) -> UserError:
    """The error of a build of this script."""
    with pytest.raises(UserError) as failed:
        await bench.build(f"sh \"broken\" ''{script}'' {{ }}", limits)
    return failed.value


async def test_a_failing_build_tells_the_end_of_its_log(bench: Workbench, tmp_path: Path) -> None:
    failed = await fails(bench, "for i in 1 2 3; do echo line $i; done; exit 7")
    assert failed.reason == "BuildFailed"
    assert failed.message == (
        "broken failed with exit code 7; its last lines:\n  line 1\n  line 2\n  line 3\n"
        f"(whole log: {tmp_path}/build.log)"
    )
    assert "broken> line 2" in bench.log


async def test_a_failing_dependency_is_the_one_that_is_named(bench: Workbench) -> None:
    with pytest.raises(UserError, match=r"part failed with exit code 1; its last lines:\n  oh"):
        await bench.build("""
          let part = sh "part" "echo oh; exit 1" { };
          in sh "whole" "cat ${part} > $out" { }
        """)


async def test_a_build_without_output_fails(bench: Workbench) -> None:
    assert "broken failed to write its output" in (await fails(bench, "true")).message


async def test_a_hanging_build_ends(bench: Workbench) -> None:
    began = time.monotonic()
    failed = await fails(bench, "while true; do echo x; sleep 0.2; done", replace(BUILD, seconds=3))
    assert failed.reason == "BuildTimeout"
    assert "longer than 3 s" in failed.message
    assert time.monotonic() - began < 30


async def test_a_silent_build_ends(bench: Workbench) -> None:
    failed = await fails(bench, "echo so far; sleep 1000", replace(BUILD, silent=2))
    assert failed.reason == "BuildSilent"
    assert "printed nothing for 2 s" in failed.message
    assert "so far" in failed.message


async def test_a_cancelled_build_ends(bench: Workbench) -> None:
    task = asyncio.create_task(bench.build('sh "long" "sleep 1000 & sleep 1000" { }'))
    async with asyncio.timeout(60):
        while not any(progress.running for progress in bench.progress):
            await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "script",
    [
        "yes",
        "dd if=/dev/zero bs=65536 2>/dev/null",
        "(sleep 1; yes) & yes > /dev/null & wait",
    ],
    ids=["lines", "one line", "in the background"],
)
async def test_a_log_without_an_end_is_stopped(bench: Workbench, script: str) -> None:
    failed = await fails(bench, script, replace(BUILD, log=256 * KIB))
    assert failed.reason == "LogTooLong"
    assert "more than 256 KiB" in failed.message
    assert len(bench.log) < 2 * MIB


@pytest.mark.parametrize(
    "script",
    [
        "while true; do cat /proc/self/exe >> x; cat x >> y; cp y z; done",
        "mkdir $out; i=0; while true; do i=$((i+1)); dd if=/dev/zero of=$out/$i bs=1048576 count=8 2>/dev/null; done",
        "dd if=/dev/zero of=/dev/shm/x bs=1048576; dd if=/dev/zero of=/tmp/x bs=1048576; sleep 100",
    ],
    ids=["where it builds", "its output", "shared memory and /tmp"],
)
async def test_a_build_that_fills_the_disk_is_stopped(bench: Workbench, script: str) -> None:
    failed = await fails(bench, script, replace(BUILD, disk=64 * MIB, file=512 * MIB, silent=600))
    assert failed.reason == "DiskLimit"
    assert "may write 64 MiB" in failed.message


async def test_a_build_that_makes_files_without_an_end_is_stopped(bench: Workbench) -> None:
    script = "d=0; while true; do d=$((d+1)); mkdir $d; cd $d; for f in 1 2 3 4 5 6 7 8 9; do : > $f; done; cd ..; done"
    assert (await fails(bench, script, replace(BUILD, disk=4 * MIB))).reason == "DiskLimit"


async def test_a_build_stops_before_the_disk_is_full(bench: Workbench) -> None:
    failed = await fails(bench, "echo x; sleep 100", replace(BUILD, free=1 << 50))
    assert failed.reason == "DiskLimit"
    assert "must stay free" in failed.message


async def test_a_memory_hog_in_a_build_ends(bench: Workbench) -> None:
    if not bench.nix.isolation.groups.parents:
        pytest.skip(f"no control groups: {bench.nix.isolation.groups.unavailable}")
    script = "dd if=/dev/zero bs=1048576 count=400 2>/dev/null | busybox sort > /dev/null"
    failed = await fails(bench, f"{script} & {script} & wait; exit 1", replace(BUILD, memory=256 * MIB))
    assert failed.reason == "BuildMemory"
    assert "more than 256 MiB of memory" in failed.message


async def test_a_closure_that_is_too_large_is_refused(bench: Workbench) -> None:
    failed = await fails(
        bench, "dd if=/dev/zero of=$out bs=1048576 count=5; exit 0", replace(BUILD, closure=4 * MIB)
    )
    assert failed.reason == "ClosureTooLarge", failed.message
    assert "needs 5 MiB" in failed.message


async def test_after_all_that_builds_still_work(bench: Workbench) -> None:
    assert (await bench.build('sh "after" "echo fine > $out" { }')).read_text() == "fine\n"
