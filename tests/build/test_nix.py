"""What Nix, isolated, does for the build service."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from controller.build.answers import PathInfo
from controller.build.nix import Nix
from controller.model.errors import NxcError, UserError
from tests.build.conftest import BUILD, Workbench

HELLO = """sh "hello" "echo building; echo hello > $out" { }"""


async def test_a_composition_is_evaluated_and_built(bench: Workbench) -> None:
    built = await bench.build(HELLO)
    assert built.read_text() == "hello\n"
    assert "hello> building" in bench.log
    assert str(bench.progress[-1]) == "1/1 built"
    assert any(str(progress) == "0/1 built, 1 running: hello" for progress in bench.progress)


async def test_what_is_built_is_not_built_again(bench: Workbench) -> None:
    evaluated = await bench.evaluate('sh "once" "echo once > $out" { }')
    assert (await bench.nix.missing(evaluated.drv_path)).build == (evaluated.drv_path,)
    await bench.realise(evaluated.drv_path)
    assert (await bench.nix.missing(evaluated.drv_path)).build == ()
    bench.progress.clear()
    await bench.realise(evaluated.drv_path)
    assert bench.progress == []


async def test_the_closure_holds_what_the_output_refers_to(bench: Workbench) -> None:
    evaluated = await bench.evaluate('sh "refers" "echo ${busybox} > $out" { }')
    await bench.realise(evaluated.drv_path)
    closure = await bench.nix.closure(evaluated.out_path)
    assert set(closure) == {evaluated.out_path, bench.busybox}
    info = closure[evaluated.out_path]
    assert isinstance(info, PathInfo)
    assert info.references == (bench.busybox,)
    assert info.nar_size > 50
    with pytest.raises(NxcError, match=r"is not valid|not in the store"):
        await bench.nix.closure("/nix/store/00000000000000000000000000000000-nothing")


async def test_warnings_of_ours_are_told(bench: Workbench) -> None:
    warned = await bench.evaluate(f'builtins.trace "nxc-warning: mind the gap" ({HELLO})')
    assert warned.warnings == ("mind the gap",)


async def test_links_and_rights_of_a_source_arrive_as_they_are(nix: Nix, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "run").write_text("#!/bin/sh\n")
    (tree / "run").chmod(0o700)
    (tree / "away").symlink_to("/etc/passwd")
    (tree / "folder" / "päper").write_bytes(b"x" * 100_001)
    os.chmod(tree / "folder", 0o700)
    path = nix.physical(await nix.add_tree(tree, "tree"))
    assert sorted(p.name for p in path.iterdir()) == ["away", "folder", "run"]
    assert os.readlink(path / "away") == "/etc/passwd"
    assert os.access(path / "run", os.X_OK)
    assert (path / "folder" / "päper").read_bytes() == b"x" * 100_001


async def test_fixed_outputs_are_found_by_the_derivations_that_want_them(
    bench: Workbench, tmp_path: Path
) -> None:
    deb = tmp_path / "tool_1.0_amd64.deb"
    deb.write_text("a package")
    digest = hashlib.sha256(b"a package").hexdigest()
    text = f"""
      let deb = derivation {{
        name = "{deb.name}"; system = "builtin"; builder = "builtin:fetchurl"; url = "file:///nxc-seed/{deb.name}";
        outputHash = "{digest}"; outputHashAlgo = "sha256"; outputHashMode = "flat";
      }};
      in sh "unpack" "cat $deb > $out" {{ inherit deb; }}
    """
    evaluated = await bench.evaluate(text)
    (wanted,) = (await bench.nix.missing(evaluated.drv_path)).fixed
    assert (wanted.name, wanted.method, wanted.digest) == (deb.name, "sha256", digest)
    assert wanted.url == f"file:///nxc-seed/{deb.name}"
    with pytest.raises(UserError, match=r"tool_1\.0_amd64.deb.*nothing may be fetched") as refused:
        await bench.realise(evaluated.drv_path)
    assert refused.value.reason == "FetchRefused"

    assert await bench.nix.add_fixed(deb) == [wanted.path]
    await bench.realise(evaluated.drv_path)
    assert bench.nix.physical(evaluated.out_path).read_text() == "a package"


async def test_a_build_that_is_the_same_twice_is_reproducible(bench: Workbench, tmp_path: Path) -> None:
    evaluated = await bench.evaluate('sh "same" "mkdir $out; echo 1 > $out/a" { }')
    await bench.realise(evaluated.drv_path)
    assert await bench.nix.check(evaluated.drv_path, limits=BUILD, log=tmp_path / "check.log") is None


async def test_what_differs_between_two_builds_is_named(bench: Workbench, tmp_path: Path) -> None:
    script = (
        "mkdir $out; echo 1 > $out/a; cat /proc/sys/kernel/random/uuid > $out/b; echo x > $out/$(cat $out/b)"
    )
    evaluated = await bench.evaluate(f"""
      let part = sh "chance" "{script}" {{ }};
      in sh "whole" "cat ${{part}}/a > $out" {{ }}
    """)
    await bench.realise(evaluated.drv_path)
    found = await bench.nix.check(evaluated.drv_path, limits=BUILD, log=tmp_path / "check.log")
    assert found is not None
    assert "chance: b: differs from byte " in found
    assert "only in the first" in found
    assert "chance: a:" not in found
    assert "whole" not in found
    assert not list(bench.nix.physical("/nix/store").glob("*.check"))
    # the image alone is the same
    alone = await bench.nix.check(
        evaluated.drv_path, limits=BUILD, log=tmp_path / "check.log", everything=False
    )
    assert alone is None


async def test_only_what_has_a_root_survives_the_collector(bench: Workbench) -> None:
    nix = bench.nix
    kept = await bench.evaluate('sh "kept" "echo kept > $out" { }')
    gone = await bench.evaluate('sh "gone" "dd if=/dev/zero of=$out bs=1024 count=2048" { }')
    for one in (kept, gone):
        await bench.realise(one.drv_path)
    await nix.collect()
    assert await nix.valid(gone.out_path), "what has just been built stays for a while"
    nix.root("image-kept", kept.out_path)
    for path in (kept.out_path, kept.drv_path, gone.out_path, gone.drv_path):
        nix.release(path)
    assert await nix.collect() >= 2 << 20
    assert await nix.valid(kept.out_path)
    assert not await nix.valid(gone.out_path)
    assert not nix.physical(gone.out_path).exists()
    assert dict(nix.roots()) == {"image-kept": kept.out_path}
    nix.unroot("image-kept")
    await nix.collect()
    assert not await nix.valid(kept.out_path)


async def test_the_collector_leaves_a_running_build_what_it_needs(bench: Workbench) -> None:
    """Also where another build came and went meanwhile: Nix keeps what it uses in a file named by its PID."""
    nix = bench.nix
    evaluated = await bench.evaluate("""
      let
        part = sh "part" "echo part > $out" { };
        slow = sh "slow" "sleep 4; cat ${part} > $out" { };
      in sh "whole" "cat ${part} ${slow} > $out" { }
    """)
    build = asyncio.create_task(bench.realise(evaluated.drv_path))
    async with asyncio.timeout(60):
        while not any("slow" in progress.names for progress in bench.progress):
            await asyncio.sleep(0.1)
    other = await bench.evaluate('sh "meanwhile" "echo > $out" { }')
    await nix.realise(other.drv_path, limits=BUILD, log=bench.tmp / "other.log")
    nix.release(evaluated.drv_path)
    nix.release(evaluated.out_path)
    await nix.collect()
    assert not build.done(), "the collector was to run during the build"
    await build
    assert nix.physical(evaluated.out_path).read_text() == "part\npart\n"


async def test_names_of_roots_cannot_lead_out_of_their_directory(nix: Nix) -> None:
    path = "/nix/store/00000000000000000000000000000000-x"
    for name in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(ValueError, match="cannot name a root"):
            nix.root(name, path)
    with pytest.raises(ValueError, match="not a path of the store"):
        nix.root("x", "/etc/passwd")


async def test_nix_tells_its_version(nix: Nix) -> None:
    assert (await nix.version()).startswith("nix (Nix) ")
