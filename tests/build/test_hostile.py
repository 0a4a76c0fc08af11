"""What hostile compositions try, at evaluation and in builds. Each attempt is first shown to work without protection.

At evaluation, "without" is the same expression with Nix's restrictions off; in builds, the same script outside of
the jail, or the same derivation built by Nix as root. Nothing here talks to any address but loopback and one of a
network namespace of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from controller.build.isolation import Isolation
from controller.build.nix import Nix
from controller.model.errors import UserError
from tests.build.conftest import BUILD, EXPRESSIONS, SYSTEM, Workbench
from tests.build.test_isolation import listener

SECRET = "the token of the controller"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that the controller may read; so may everybody else, so that only isolation hides it."""
    place = tmp_path / "controller"
    place.mkdir()
    (place / "token").write_text(SECRET)
    for path in (place / "token", place, tmp_path, *list(tmp_path.parents)[:2]):
        path.chmod(path.stat().st_mode | 0o755)
    return place / "token"


def unprotected(expression: str, *arguments: str) -> str:
    """The value of an expression, evaluated by Nix without restrictions."""
    command = ["nix-instantiate", "--eval", "--strict", "--expr", expression, *arguments]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/etc",
        "NIX_REMOTE": "dummy://",
        "SECRET": SECRET,
        "NIX_CONFIG": "substituters =\n",
    }
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout


# ---------------------------------------------------------------- evaluation

READS = {
    "read": "builtins.readFile {path}",
    "read by name": 'builtins.readFile "{path}"',
    "read with a detour": 'builtins.readFile (./. + "/../../../..{path}")',
    "list": "builtins.attrNames (builtins.readDir {folder})",
    "is it there": "builtins.pathExists {path}",
    "hash": 'builtins.hashFile "sha256" {path}',
    "path": "builtins.readFile (builtins.path {{ path = {path}; }})",
    "copied": 'builtins.readFile "${{{path}}}"',
    "filtered": 'builtins.readDir (builtins.filterSource (_: _: true) {folder})',
    "import": "import {folder}/code.nix",
    "scoped import": "builtins.scopedImport {{ }} {folder}/code.nix",
    "by a search path": "builtins.readFile (builtins.findFile [ {{ prefix = \"x\"; path = {folder}; }} ] \"x/token\")",
    "link": "builtins.readFile ./link",
    "folder behind a link": "builtins.readFile ./folder/token",
    "list behind a link": "builtins.attrNames (builtins.readDir ./folder)",
    "import behind a link": "import ./folder/code.nix",
}  # fmt: skip


@pytest.mark.parametrize("attempt", READS)
async def test_files_of_the_host_cannot_be_read_at_evaluation(
    bench: Workbench, secret: Path, attempt: str
) -> None:
    (secret.parent / "code.nix").write_text(json.dumps(SECRET))
    expression = READS[attempt].format(path=secret, folder=secret.parent)

    def links(source: Path) -> None:
        (source / "link").symlink_to(secret)
        (source / "folder").symlink_to(secret.parent)

    if not re.search(r"copied|filtered|path\b|detour|behind|link", attempt):  # those need a store or a source
        told = unprotected(expression)
        assert SECRET in told or "token" in told or "true" in told or '"' in told

    image = 'if found == false then throw "is false" else sh "x" (builtins.toJSON found) { }'
    with pytest.raises(UserError, match=r"may not be read|is not there|is false") as refused:
        await bench.evaluate(f"let found = {expression}; in {image}", tree=links)
    assert refused.value.reason == "EvaluationFailed"
    assert SECRET not in refused.value.message


async def test_what_a_link_leads_to_does_not_come_into_the_store(bench: Workbench, secret: Path) -> None:
    def links(source: Path) -> None:
        (source / "link").symlink_to(secret)

    async def copied() -> None:
        evaluated = await bench.evaluate('sh "x" "cat ${./link} > $out" { }', tree=links)
        await bench.realise(evaluated.drv_path)

    # Nix 2.8 refuses to copy the link, newer ones copy the link as such, which leads nowhere in a build.
    with pytest.raises(
        UserError, match=r"may not be read|is not there|can't open '/nix/store/\S+-link': No such file"
    ):
        await copied()


IMPURE = {
    "environment": ('builtins.getEnv "SECRET"', ""),
    "time": ("builtins.currentTime", "builtins.currentTime does not exist here"),
    "system": ("builtins.currentSystem", "builtins.currentSystem does not exist here"),
    "search path": ("toString <nix>", "<nix> is not available"),
    "home": ("builtins.attrNames (builtins.readDir ~/.)", "may not be read"),
}


@pytest.mark.parametrize("attempt", IMPURE)
async def test_nothing_but_the_source_decides_the_value(bench: Workbench, attempt: str) -> None:
    expression, says = IMPURE[attempt]
    assert unprotected(expression, "-I", "nix=/etc") not in ('""\n', "")
    if not says:
        evaluated = await bench.evaluate(f'sh "x" ({expression}) {{ }}')
        assert SECRET not in bench.nix.physical(evaluated.drv_path).read_text()
        return
    with pytest.raises(UserError, match=re.escape(says)):
        await bench.evaluate(f'sh "x" (builtins.toJSON ({expression})) {{ }}')


FETCHES = {
    "url": 'builtins.fetchurl "http://127.0.0.1:{port}/x"',
    "url with digest": 'builtins.fetchurl {{ url = "http://127.0.0.1:{port}/x"; sha256 = "{sha}"; }}',
    "tarball": 'builtins.fetchTarball "http://127.0.0.1:{port}/x.tar.gz"',
    "git": 'builtins.fetchGit "http://127.0.0.1:{port}/x"',
    "git with revision": 'builtins.fetchGit {{ url = "http://127.0.0.1:{port}/x"; rev = "{rev}"; }}',
    "mercurial": 'builtins.fetchMercurial {{ url = "http://127.0.0.1:{port}/x"; rev = "{rev}"; }}',
    "file": 'builtins.readFile (builtins.fetchurl "file://{secret}")',
    "local git": 'builtins.fetchGit "{repository}"',
    "tree": 'builtins.fetchTree {{ type = "file"; url = "http://127.0.0.1:{port}/x"; }}',
    "flake": 'builtins.getFlake "path:{repository}"',
}


@pytest.mark.parametrize("attempt", FETCHES)
async def test_nothing_is_fetched_at_evaluation(bench: Workbench, secret: Path, attempt: str) -> None:
    with listener() as (port, came):
        expression = FETCHES[attempt].format(
            port=port, secret=secret, sha="0" * 52, rev="1" * 40, repository=secret.parent
        )
        if attempt == "url":
            store = secret.parent / "store"
            options = ("--store", str(store), "--option", "sandbox", "false")
            unprotected(expression, *options)
            assert came, "the attempt was to reach the listener without protection"
        before = len(came)
        with pytest.raises(
            UserError, match=r"may not be (fetched|read)|does not exist here|not switched on|hg|not allowed"
        ) as refused:
            await bench.evaluate(f'sh "x" (builtins.toJSON ({expression})) {{ }}')
        assert refused.value.reason == "EvaluationFailed"
        assert SECRET not in refused.value.message
        assert len(came) == before


async def test_a_path_of_the_store_cannot_be_named_without_having_it(bench: Workbench) -> None:
    other = await bench.evaluate('sh "other" "echo hidden > $out" { }')
    await bench.realise(other.drv_path)
    for attempt in ("builtins.storePath {0}", 'builtins.readFile "{0}"', "import {0}"):
        with pytest.raises(UserError, match=r"is not allowed|may not be read"):
            await bench.evaluate(f'sh "x" (builtins.toJSON ({attempt.format(other.out_path)})) {{ }}')


async def test_the_store_cannot_be_listed(bench: Workbench) -> None:
    other = await bench.evaluate('sh "other" "echo hidden > $out" { }')
    text = 'sh "x" (builtins.toJSON (builtins.attrNames (builtins.readDir /nix/store))) { }'
    try:
        evaluated = await bench.evaluate(text)
    except UserError as refused:
        told = refused.message
    else:  # newer ones show the paths that the evaluation may read
        told = bench.nix.physical(evaluated.drv_path).read_text()
        assert "-source" in told
    assert other.drv_path.removeprefix("/nix/store/") not in told


IMPORT_FROM_DERIVATION = """
  sh "x" "echo ${import (sh "made" "echo '\\"told by a build\\"' > $out" { })} > $out" { }
"""


async def test_import_from_derivation_works_where_it_is_switched_on_only(
    bench: Workbench, isolation: Isolation, state: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        UserError, match="import from derivation is switched off: made would have to be built"
    ):
        await bench.evaluate(IMPORT_FROM_DERIVATION)
    allowing = Nix(state, isolation, expressions=EXPRESSIONS, import_from_derivation=True, system=SYSTEM)
    other = Workbench(allowing, await allowing.add_tree(tmp_path, "none"), tmp_path)
    other.busybox = bench.busybox
    allowing._known.update(bench.nix._known)
    assert (await other.build(IMPORT_FROM_DERIVATION)).read_text() == "told by a build\n"


async def test_what_a_flake_asks_for_is_not_heard(bench: Workbench) -> None:
    def flake(source: Path) -> None:
        (source / "flake.nix").write_text(
            "{ nixConfig.allow-import-from-derivation = true; outputs = _: { }; }"
        )
        (source / "nix.conf").write_text("allow-import-from-derivation = true\n")

    with pytest.raises(UserError, match="import from derivation is switched off"):
        await bench.evaluate(IMPORT_FROM_DERIVATION, tree=flake)


# ---------------------------------------------------------------- builds


async def tries(bench: Workbench, script: str, attributes: str = "{ }") -> str:
    """What a builder prints that runs this script."""
    await bench.build(f"sh \"attempt\" ''\n({script}) 2>&1; echo done > $out'' {attributes}")
    return "\n".join(line.removeprefix("attempt> ") for line in bench.log.splitlines())


def alone(busybox: Path, script: str, **environment: str) -> str:
    """The same outside, as the controller's user."""
    ended = subprocess.run(
        [busybox, "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    return ended.stdout + ended.stderr


async def test_files_of_the_controller_are_not_in_a_build(
    bench: Workbench, static_busybox: Path, secret: Path
) -> None:
    script = f"cat {secret}; cat /proc/*/root{secret}; cat /etc/hostname /etc/machine-id; ls /root /home /work /usr"
    assert SECRET in alone(static_busybox, script)
    said = await tries(bench, script)
    assert SECRET not in said
    assert said.count("No such file") + said.count("can't open") >= 4, said


async def test_the_environment_of_the_controller_is_not_in_a_build(
    bench: Workbench, static_busybox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", SECRET)
    script = "env; for p in /proc/[0-9]*; do cat $p/environ; done"
    assert SECRET in alone(static_busybox, script, KUBECONFIG=SECRET)
    said = await tries(bench, script, '{ impureEnvVars = [ "KUBECONFIG" "NIX_CONFIG" ]; }')
    assert SECRET not in said
    assert "experimental-features" not in said


async def test_a_build_sees_only_what_it_names_of_the_store(bench: Workbench) -> None:
    other = await bench.evaluate('sh "other" "echo hidden > $out" { }')
    await bench.realise(other.drv_path)
    assert other.out_path.removeprefix("/nix/store/") in os.listdir(bench.nix.physical("/nix/store"))
    said = await tries(
        bench, f"ls /nix/store /nix /nix/var; cat {other.out_path}; echo x > {bench.busybox}/bin/x"
    )
    assert "hidden" not in said
    assert other.out_path.removeprefix("/nix/store/") not in said.splitlines()
    assert bench.busybox.removeprefix("/nix/store/") in said.splitlines()
    assert "var: No such file" in said
    assert "ead-only" in said or "denied" in said


async def test_processes_of_nix_and_of_the_host_are_not_in_a_build(bench: Workbench) -> None:
    said = await tries(
        bench,
        "ps; kill -9 -1; kill -9 1; cat /proc/1/cmdline; echo c > /proc/sysrq-trigger; echo 1 > /proc/sys/kernel/panic",
    )
    assert "nix-store" not in said
    assert "pytest" not in said


async def test_devices_and_the_system_are_not_in_a_build(bench: Workbench) -> None:
    said = await tries(
        bench,
        "ls /dev; mount -t tmpfs none /mnt; mkdir m; mount -t tmpfs none m; busybox mknod d b 8 0; ls /sys",
    )
    assert not set(said.split()) & {"sda", "vda", "kvm", "mem", "kmsg", "loop0"}
    assert said.count("ermitted") + said.count("denied") + said.count("can't") + said.count("No such") >= 3, (
        said
    )


async def test_the_host_s_shell_is_not_in_a_build(bench: Workbench) -> None:
    with pytest.raises(UserError, match=r"host-shell failed|executing '/bin/sh'|No such file"):
        await bench.build("""derivation {
          name = "host-shell"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ];
        }""")


async def test_set_user_id_bits_do_not_come_into_the_store(
    bench: Workbench, static_busybox: Path, tmp_path: Path
) -> None:
    script = f"cp {static_busybox} {tmp_path}/s; chmod 6755 {tmp_path}/s; ls -l {tmp_path}/s"
    assert alone(static_busybox, script).startswith("-rwsr-sr-x")
    out = await bench.build("""
      sh "setuid" "mkdir $out; busybox cp ${busybox}/bin/busybox $out/s; chmod 6755 $out/s; chmod u+s $out/s; true" { }
    """)
    assert oct((out / "s").stat().st_mode & 0o7777) in ("0o555", "0o444")


REFUSED = {
    "no sandbox": ("{ __noChroot = true; }", "__noChroot"),
    "files of the host": ('{ __impureHostDeps = [ "/etc/passwd" ]; }', "impure path '/etc/passwd'"),
    "a virtual machine": ('{ requiredSystemFeatures = [ "kvm" ]; }', "asks for a builder with kvm"),
    "nix in nix": ('{ requiredSystemFeatures = [ "recursive-nix" ]; }', "recursive-nix"),
}


@pytest.mark.parametrize("attempt", REFUSED)
async def test_a_build_that_asks_for_less_isolation_is_refused(bench: Workbench, attempt: str) -> None:
    attributes, says = REFUSED[attempt]
    await bench.build('sh "plain" "echo > $out" { }')  # without the attribute it works
    with pytest.raises(UserError, match=says):
        await bench.build(f'sh "asking" "echo > $out" {attributes}')


@pytest.mark.parametrize("attribute", ["__contentAddressed = true", "__impure = true"])
async def test_kinds_of_derivations_that_are_switched_off_are_refused(
    bench: Workbench, attribute: str
) -> None:
    text = f'sh "x" "echo > $out" {{ {attribute}; outputHashMode = "recursive"; outputHashAlgo = "sha256"; }}'
    with pytest.raises(UserError, match=r"experimental|not switched on"):
        await bench.build(text)


async def test_a_fork_bomb_ends_and_stays_small(bench: Workbench) -> None:
    if not bench.nix.isolation.groups.parents:
        pytest.skip(f"no control groups: {bench.nix.isolation.groups.unavailable}")
    bomb = asyncio.create_task(
        bench.build("sh \"bomb\" ''\nb() { b | b & b; }; b'' { }", replace(BUILD, seconds=8, processes=100))
    )
    slowest, most = 0.0, 0
    while not bomb.done():
        began = time.monotonic()
        await asyncio.sleep(0.1)
        slowest = max(slowest, time.monotonic() - began - 0.1)
        uid = bench.nix.isolation.user[0] if bench.nix.isolation.user else -1
        most = max(most, await asyncio.to_thread(processes_of, uid, "bomb"))
    with pytest.raises(UserError) as failed:
        await bomb
    assert failed.value.reason in ("BuildTimeout", "BuildFailed")
    assert slowest < 5, "the controller stays responsive"
    assert most <= 100


def processes_of(uid: int, mark: str) -> int:
    """How many processes of this user have this on their command line."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            count += entry.stat().st_uid == uid and mark.encode() in (entry / "cmdline").read_bytes()
        except OSError:
            continue
    return count


# ---------------------------------------------------------------- the network

CALLS = """derivation {{
  name = "calls"; system = "x86_64-linux"; builder = "${{busybox}}/bin/busybox"; PATH = "${{busybox}}/bin";
  args = [ "sh" "-c" "wget -q -O - http://{address}:{port}/ 2>&1; echo status $?; echo > $out" ];
  {attributes}
}}"""
FIXED = f'outputHash = "{"0" * 64}"; outputHashAlgo = "sha256"; outputHashMode = "flat";'


async def forced(bench: Workbench, drv: str) -> str:
    """Builds even a fixed output, which `realise` refuses; what Nix and the builder print."""
    log = bench.tmp / "forced.log"
    _, reader = await bench.nix._build((drv,), (drv,), BUILD, lambda _: None, log)
    return log.read_text() + "\n".join(reader.errors)


async def test_a_fixed_output_of_plain_nix_would_reach_loopback(
    bench: Workbench, busybox_tree: Path, tmp_path: Path
) -> None:
    """What all this is for: Nix as root, sandbox on, and a composition that calls the controller's machine."""
    store = tmp_path / "plain"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "NIX_CONFIG": "sandbox = true\nsubstituters =\nbuild-users-group =\n",
    }

    def plain(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "--store", str(store)],
            env=environment, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    busybox = (await asyncio.to_thread(plain, "nix-store", "--add", str(busybox_tree))).stdout.strip()
    with listener() as (port, came):
        text = CALLS.format(address="127.0.0.1", port=port, attributes=FIXED)
        path = f'builtins.appendContext "{busybox}" {{ "{busybox}" = {{ path = true; }}; }}'
        expression = f"let busybox = {path}; in {text}"
        ended = await asyncio.to_thread(plain, "nix-build", "--no-out-link", "--expr", expression)
        assert came, ended.stderr
    for path in store.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(store)


@pytest.mark.parametrize("attributes", ["", FIXED], ids=["plain", "fixed output"])
async def test_no_build_reaches_loopback(bench: Workbench, static_busybox: Path, attributes: str) -> None:
    with listener() as (port, came):
        assert "hello" in alone(
            static_busybox, f"busybox wget -q -O - http://127.0.0.1:{port}/", PATH=os.environ["PATH"]
        )
        assert len(came) == 1
        evaluated = await bench.evaluate(CALLS.format(address="127.0.0.1", port=port, attributes=attributes))
        if attributes:
            with pytest.raises(
                UserError, match="the composition needs calls from outside, and nothing may be fetched"
            ):
                await bench.realise(evaluated.drv_path)
        said = await forced(bench, evaluated.drv_path)
        assert "status 1" in said
        assert re.search("nreachable|refused", said)
        assert len(came) == 1


async def test_no_build_reaches_another_host(
    isolation: Isolation, busybox_tree: Path, tmp_path: Path
) -> None:
    """In a network namespace of its own, where 192.0.2.1 (for documentation, RFC 5737) is a host that answers."""
    if shutil.which("ip") is None:
        pytest.skip("no ip on the PATH (Debian: iproute2)")
    arguments = [str(tmp_path), str(busybox_tree)]
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--net", sys.executable, "-m", "tests.build.other_host", *arguments),
        stdout=subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    told = json.loads(output)
    assert told["outside"] == 1, "the host was to be reached without protection"
    assert told["after"] == 1
    assert "status 1" in told["said"]


@pytest.mark.parametrize("attributes", ["", f'outputHash = "{"0" * 64}"; outputHashAlgo = "sha256";'])
async def test_the_builtin_fetcher_reads_no_file_of_the_host(
    bench: Workbench, secret: Path, attributes: str
) -> None:
    evaluated = await bench.evaluate(f"""derivation {{
      name = "fetched"; system = "builtin"; builder = "builtin:fetchurl"; url = "file://{secret}"; {attributes}
    }}""")
    if attributes:
        with pytest.raises(UserError, match=f"fetched \\(from file://{secret}\\) from outside"):
            await bench.realise(evaluated.drv_path)
    said = await forced(bench, evaluated.drv_path)
    assert SECRET not in said
    out = bench.nix.physical(evaluated.out_path)
    assert not out.exists() or SECRET not in out.read_text()
