"""The seed's packages, built by real Nix: they run, they are the same twice, and what is missing is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.nix.seed_store import NIX, NixError, SeedStore

LOCK = NIX / "seed" / "lock.json"


def links(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize(
    "package",
    [
        "busybox",
        "libc6",
        "patchelf",
        "curl",
        "nginx",
        "redis",
        "linuxPackages.kernel",
        "linuxPackages.kernel.modules",
    ],
)
def test_a_package_is_the_same_when_it_is_built_again(seed_store: SeedStore, package: str) -> None:
    expression = seed_store.packages(f"pkgs.{package}")
    seed_store.build(expression)
    seed_store.build(expression, check=True)


@pytest.mark.parametrize(
    ("package", "command", "says"),
    [
        ("curl", "curl --version", "libcurl/7"),
        ("jq", "echo '{\"a\": 1}' | jq -c .", '{"a":1}'),
        ("nginx", "nginx -V 2>&1", "nginx version"),
        ("redis", "redis-server --version", "Redis server v=7"),
        ("postgresql", "postgres --version", "PostgreSQL) 15"),
        ("iperf3", "iperf3 --version", "iperf 3"),
        ("openssh", "ssh -V 2>&1", "OpenSSH_9"),
        ("dropbear", "dropbear -V 2>&1", "Dropbear"),
        ("nfs-utils", "mount.nfs -V 2>&1", "nfs-utils"),
        ("python3", "python3 -c 'import ssl, sqlite3, sys; print(sys.prefix)'", "-python3-3.11"),
        ("munge", "munge --version", "munge-0.5"),
        ("slurm", "slurmctld -V", "slurm-wlm 22"),
        ("mariadb", "mariadbd --version 2>/dev/null", "MariaDB"),
        ("kexec-tools", "kexec --version", "kexec-tools"),
        ("file", "file $(which file)", "script, ASCII text"),
        ("lua", "lua -v", "Lua 5.4"),
    ],
)  # fmt: skip
def test_a_program_runs_in_a_build(seed_store: SeedStore, package: str, command: str, says: str) -> None:
    out = seed_store.build(
        seed_store.packages(
            f"pkgs.runCommand \"run\" {{ nativeBuildInputs = [ pkgs.{package} ]; }} ''\n({command}) > $out\n''"
        )
    )
    assert says in out.read_text()


def test_postgresql_finds_what_belongs_to_it(seed_store: SeedStore) -> None:
    out = seed_store.build(
        seed_store.packages(
            "pkgs.runCommand \"run\" { } ''${pkgs.postgresql}/bin/pg_config --sharedir > $out''"
        )
    )
    share = seed_store.physical(out.read_text().strip())
    assert (share / "postgres.bki").is_file()


def test_references_are_what_a_program_really_needs(seed_store: SeedStore) -> None:
    curl = seed_store.build(seed_store.packages("pkgs.curl"))
    names = {name.partition("-")[0] for name in seed_store.references(curl)}
    assert names == {"glibc", "libcurl4", "zlib1g"}


@pytest.mark.parametrize("package", ["nginx", "postgresql-15", "slurmctld", "nfs-common"])
def test_runtime_deps_know_every_reference_before_the_build(seed_store: SeedStore, package: str) -> None:
    path = seed_store.build(seed_store.packages(f"pkgs.{package}"))
    closure = seed_store.run("nix-store", "--query", "--requisites", f"/nix/store/{path.name}").split()
    told = seed_store.eval(seed_store.packages(f"map toString pkgs.{package}.runtimeDeps"))
    assert set(closure) <= set(told)


def test_no_link_of_a_package_leads_nowhere(seed_store: SeedStore) -> None:
    for package in ("nginx", "redis-server", "openssh-client", "python3", "iptables"):
        path = seed_store.build(seed_store.packages(f"pkgs.{package}"))
        for link in links(path):
            target = os.readlink(link)
            place = seed_store.physical(target) if target.startswith("/") else link.parent / target
            assert os.path.lexists(place), f"{link} -> {target}"


def test_a_link_into_another_package_leads_there(seed_store: SeedStore) -> None:
    path = seed_store.build(seed_store.packages("pkgs.redis-server"))
    assert "redis-tools" in os.readlink(path / "bin" / "redis-server")


def test_an_unresolved_library_fails_the_build_and_is_named(seed_store: SeedStore, tmp_path: Path) -> None:
    lock = json.loads(LOCK.read_text())
    lock["packages"]["curl"]["depends"].remove("libcurl4")
    wrong = tmp_path / "lock.json"
    wrong.write_text(json.dumps(lock))
    with pytest.raises(NixError, match=r"unresolved: bin/curl needs libcurl\.so\.4"):
        seed_store.build(f"(import {NIX}/seed/packages {{ lock = {wrong}; }}).curl")


def test_a_script_whose_interpreter_is_no_dependency_is_left_out_and_named(seed_store: SeedStore) -> None:
    expression = seed_store.packages("pkgs.openssl")
    path = seed_store.build(expression)
    assert not (path / "bin" / "c_rehash").exists()
    assert "left out: bin/c_rehash, a script for /usr/bin/perl" in seed_store.log(expression)


def test_a_shell_script_runs_with_the_seeds_own_shell(seed_store: SeedStore) -> None:
    path = seed_store.build(seed_store.packages("pkgs.gzip"))
    first = (path / "bin" / "zgrep").read_text().splitlines()[0]
    assert first.startswith("#!/nix/store/")
    assert first.endswith("/bin/sh")


def test_an_unknown_package_is_named_with_one_that_is_near(seed_store: SeedStore) -> None:
    with pytest.raises(NixError, match=r"attribute 'ngnix' missing(.|\n)*Did you mean nginx\?"):
        seed_store.eval(seed_store.packages("pkgs.ngnix.name"))


def test_every_name_of_nixpkgs_leads_to_packages_of_the_lock(seed_store: SeedStore) -> None:
    aliases = json.loads((NIX / "seed" / "packages" / "aliases.json").read_text())
    locked = json.loads(LOCK.read_text())["packages"]
    assert [member for members in aliases.values() for member in members if member not in locked] == []
    names = seed_store.eval(
        seed_store.packages(
            f"map (n: pkgs.${{n}}.name) (builtins.fromJSON ''{json.dumps(sorted(aliases))}'')"
        )
    )
    assert len(names) == len(aliases)


# ---------------------------------------------------------------- overlays, as in nixpkgs


def overlaid(overlays: str, expression: str) -> str:
    return f"let pkgs = import {NIX}/seed/packages {{ overlays = [ {overlays} ]; }}; in {expression}"


def test_an_overlay_adds_and_changes_packages(seed_store: SeedStore) -> None:
    overlays = """
      (final: prev: {
        greeting = prev.writeText "greeting" "one";
        both = "${final.greeting.name} ${prev.hello.pname}";
      })
      (final: prev: { greeting = prev.writeText "farewell" "two"; })
    """
    assert seed_store.eval(overlaid(overlays, "pkgs.both")) == "farewell hello"


def test_a_changed_package_reaches_those_that_depend_on_it(seed_store: SeedStore) -> None:
    changed = "(final: prev: { libssl3 = prev.libssl3.overrideAttrs (old: { changed = true; }); })"
    plain = seed_store.eval(seed_store.packages("[ pkgs.nginx.drvPath pkgs.hello.drvPath ]"))
    other = seed_store.eval(overlaid(changed, "[ pkgs.nginx.drvPath pkgs.hello.drvPath ]"))
    assert plain[0] != other[0]
    assert plain[1] == other[1]


# ---------------------------------------------------------------- builders


def test_a_text_without_references_needs_no_build(seed_store: SeedStore) -> None:
    value = seed_store.eval(seed_store.packages('(pkgs.writeText "greeting" "hello\n") ? drvPath'))
    assert value is False
    out = seed_store.build(
        seed_store.packages(
            'pkgs.runCommand "copy" { } \'\'cat ${pkgs.writeText "greeting" "hello"} > $out\'\''
        )
    )
    assert out.read_text() == "hello"


def test_a_text_with_references_keeps_them(seed_store: SeedStore) -> None:
    path = seed_store.build(seed_store.packages('pkgs.writeText "where" "${pkgs.hello}/bin/hello"'))
    assert {name.partition("-")[0] for name in seed_store.references(path)} == {"hello"}


def test_a_script_is_executable_and_named(seed_store: SeedStore) -> None:
    expression = 'pkgs.writeShellScriptBin "greet" "echo hello $1"'
    out = seed_store.build(
        seed_store.packages(
            f"pkgs.runCommand \"run\" {{ nativeBuildInputs = [ ({expression}) ]; }} ''greet you > $out''"
        )
    )
    assert out.read_text() == "hello you\n"


def test_a_tool_of_the_build_comes_before_busyboxs_of_that_name(seed_store: SeedStore) -> None:
    command = "tar --version | head -n1 > $out"
    with_gnu = f"pkgs.runCommand \"t\" {{ nativeBuildInputs = [ pkgs.gnutar ]; }} ''{command}''"
    without = f"pkgs.runCommand \"t\" {{ }} ''{command}''"
    assert "GNU tar" in seed_store.build(seed_store.packages(with_gnu)).read_text()
    assert "busybox" in seed_store.build(seed_store.packages(without)).read_text()


@pytest.mark.parametrize("script", ["false | true; touch $out", "echo $nothing > $out", "false; touch $out"])
def test_a_build_ends_at_the_first_error(seed_store: SeedStore, script: str) -> None:
    with pytest.raises(NixError, match="failed"):
        seed_store.build(seed_store.packages(f"pkgs.runCommand \"fails\" {{ }} ''{script}''"))


def test_a_join_has_the_files_of_all_and_of_two_the_first(seed_store: SeedStore) -> None:
    expression = """pkgs.symlinkJoin { name = "join"; paths = map (text: pkgs.writeTextFile {
      name = text; inherit text; destination = "/share/${text}/common"; }) [ "a" "b" ]
      ++ [ (pkgs.writeTextFile { name = "c"; text = "c"; destination = "/share/a/common"; }) ]; }"""
    path = seed_store.build(seed_store.packages(expression))
    assert seed_store.physical(os.readlink(path / "share" / "a" / "common")).read_text() == "a"
    assert seed_store.physical(os.readlink(path / "share" / "b" / "common")).read_text() == "b"


def test_closure_info_lists_every_path(seed_store: SeedStore) -> None:
    path = seed_store.build(seed_store.packages("pkgs.closureInfo { rootPaths = [ pkgs.hello pkgs.curl ]; }"))
    hello = seed_store.build(seed_store.packages("pkgs.hello"))
    curl = seed_store.build(seed_store.packages("pkgs.curl"))
    wanted = seed_store.run(
        "nix-store", "--query", "--requisites", *(f"/nix/store/{one.name}" for one in (hello, curl))
    )
    assert (path / "store-paths").read_text().split() == sorted(set(wanted.split()))


# ---------------------------------------------------------------- kernels


@pytest.mark.parametrize("packages", ["linuxPackages", "linuxPackages_generic"])
def test_modules_come_with_what_they_need(seed_store: SeedStore, packages: str) -> None:
    expression = f'pkgs.{packages}.kernel.modulesFor [ "nfsd" "virtio-net" "overlay" ]'
    path = seed_store.build(seed_store.packages(expression))
    version = seed_store.eval(seed_store.packages(f"pkgs.{packages}.kernel.version"))
    tree = path / "lib" / "modules" / version
    needs = dict(line.split(":") for line in (tree / "modules.dep").read_text().splitlines())
    assert {"nfsd.ko", "virtio_net.ko", "sunrpc.ko", "net_failover.ko"} <= {Path(file).name for file in needs}
    for file, others in needs.items():
        assert (tree / file).is_file()
        assert all((tree / other).is_file() for other in others.split())
    assert (tree / "modules.dep.bin").is_file()


def test_an_unknown_module_is_named_with_those_that_are_near(seed_store: SeedStore) -> None:
    with pytest.raises(NixError, match=r"no module virtionet in the kernel .* virtio_net"):
        seed_store.build(seed_store.packages('pkgs.linuxPackages.kernel.modulesFor [ "virtionet" ]'))


def test_the_kernel_says_its_version(seed_store: SeedStore) -> None:
    path = seed_store.build(seed_store.packages("pkgs.linuxPackages.kernel"))
    version = seed_store.eval(seed_store.packages("pkgs.linuxPackages.kernel.version"))
    assert version.encode() in (path / "bzImage").read_bytes()[:20000]


# ---------------------------------------------------------------- what else nixpkgs' users reach for


def test_a_package_of_scripts_is_made_by_mk_derivation(seed_store: SeedStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "greet").write_text('#!/usr/bin/env bash\nwords=(hello "@who@")\necho "${words[*]}"\n')
    (source / "count").write_text("#!/usr/bin/python3 -B\nprint(1 + 1)\n")
    expression = f"""pkgs.stdenv.mkDerivation {{
      pname = "greet"; version = "1"; src = {source};
      buildInputs = [ pkgs.python3 ];
      postPatch = "substituteInPlace greet --replace-fail @who@ you";
      installPhase = ''install -D -m755 -t $out/bin greet count'';
    }}"""
    out = seed_store.build(
        seed_store.packages(
            f"""let greet = {expression}; in pkgs.runCommand "run" {{ }} ''
              (${{greet}}/bin/greet; ${{greet}}/bin/count; echo ${{greet.name}}) > $out''"""
        )
    )
    assert out.read_text() == "hello you\n2\ngreet-1\n"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("pkgs.fetchurl { url = \"http://x\"; }", "fetches nothing but its own packages; put the file beside"),
        ("pkgs.gcc", "has no compiler and builds no packages from source; use the package source nixpkgs"),
        ("pkgs.stdenv.cc", "has no compiler"),
    ],
)  # fmt: skip
def test_what_the_seed_does_not_have_says_where_it_is(
    seed_store: SeedStore, expression: str, says: str
) -> None:
    with pytest.raises(NixError, match=says):
        seed_store.eval(seed_store.packages(f"({expression}).name"))


def test_a_shell_application_has_its_tools_and_stops_at_errors(seed_store: SeedStore) -> None:
    application = """pkgs.writeShellApplication { name = "app"; runtimeInputs = [ pkgs.jq ];
      text = "jq -n 1; false; echo not reached"; }"""
    out = seed_store.build(
        seed_store.packages(
            f"pkgs.runCommand \"run\" {{ }} ''${{{application}}}/bin/app > $out || echo $? >> $out''"
        )
    )
    assert out.read_text() == "1\n1\n"
