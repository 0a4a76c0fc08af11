"""Against git itself and repositories on disk; only here may it read them from there."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from controller.build import git
from controller.build.git import Repository, _environment, fetch, flake, resolve
from controller.build.source import File, Link
from controller.model.errors import UserError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git on the PATH")
LOCAL = "file"


@pytest.fixture(autouse=True)
def as_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The repositories of these tests are files that nobody else may read."""
    monkeypatch.setattr(git, "_someone", dict)


class Origin:
    """A repository that tests commit to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self("init", "--quiet", "--initial-branch=main")

    def __call__(self, *arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.directory, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            path = self.directory / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self("add", ".")
        self("commit", "--quiet", "--message", "x")
        return self("rev-parse", "HEAD")

    def at(self, ref: str = "HEAD", path: str = "") -> Repository:
        return Repository(f"file://{self.directory}", ref, path)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin")


async def test_refs_are_resolved_to_commits(origin: Origin):
    first = origin.commit(a="1")
    origin("tag", "light")
    origin("tag", "--annotate", "-m", "x", "heavy")
    origin("branch", "feature/one")
    second = origin.commit(a="2")
    expected = {
        "HEAD": second,
        "main": second,
        "light": first,
        "heavy": first,
        "feature/one": first,
        first: first,
    }
    assert {ref: await resolve(origin.at(ref), protocols=LOCAL) for ref in expected} == expected


async def test_a_ref_that_is_not_there_is_named(origin: Origin):
    origin.commit(a="1")
    with pytest.raises(UserError, match="no branch or tag 'nope'") as caught:
        await resolve(origin.at("nope"), protocols=LOCAL)
    assert caught.value.reason == "GitRefNotFound"


async def test_the_files_of_a_commit_are_read_links_and_modes_too(origin: Origin):
    (origin.directory / "link").symlink_to("site/run")
    (origin.directory / "site").mkdir()
    (origin.directory / "site/run").write_text("#!/bin/sh")
    (origin.directory / "site/run").chmod(0o755)
    commit = origin.commit(site__a="text\n")
    tree = await fetch(origin.at(), commit, 1000, protocols=LOCAL)
    assert tree.files == {
        "link": Link("site/run"),
        "site/run": File(b"#!/bin/sh", executable=True),
        "site/a": File(b"text\n"),
    }
    below = await fetch(origin.at(path="site"), commit, 1000, protocols=LOCAL)
    assert set(below.files) == {"run", "a"}


async def test_an_old_commit_is_found(origin: Origin):
    first = origin.commit(a="1")
    origin.commit(a="2")
    assert (await fetch(origin.at(), first, 1000, protocols=LOCAL)).files == {"a": File(b"1")}


async def test_a_folder_that_is_not_there_is_told(origin: Origin):
    commit = origin.commit(a="1")
    with pytest.raises(UserError, match="nowhere"):
        await fetch(origin.at(path="nowhere"), commit, 1000, protocols=LOCAL)


async def test_what_is_too_large_is_refused_before_it_is_read(origin: Origin):
    commit = origin.commit(a="1" * 2000)
    with pytest.raises(UserError, match="has 2,000 bytes, and may have 1,000") as caught:
        await fetch(origin.at(), commit, 1000, protocols=LOCAL)
    assert caught.value.reason == "SourceTooLarge"


async def test_attributes_of_a_repository_have_no_say(origin: Origin):
    commit = origin.commit(
        **{".gitattributes": "* export-ignore text eol=crlf filter=evil ident\n", "a": "$Id$\n"}
    )
    files = (await fetch(origin.at(), commit, 1000, protocols=LOCAL)).files
    assert files["a"] == File(b"$Id$\n")


async def test_submodules_are_left_alone(origin: Origin, tmp_path: Path):
    other = Origin(tmp_path / "other")
    other.commit(a="1")
    origin("submodule", "--quiet", "add", f"file://{other.directory}", "sub")
    commit = origin.commit(b="2")
    assert set((await fetch(origin.at(), commit, 1000, protocols=LOCAL)).files) == {".gitmodules", "b"}


@pytest.mark.parametrize("url", ["file:///etc", "/etc", "ext::sh -c id", "fd::17", "--upload-pack=id"])
async def test_other_protocols_are_refused(url: str):
    with pytest.raises(UserError, match=r"not allowed|does not exist|not appear|strange|fatal"):
        await resolve(Repository(url))


async def test_a_server_that_is_not_there_is_told_with_its_url():
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:1/x.*connect") as caught:
        await resolve(Repository("http://127.0.0.1:1/x"))
    assert caught.value.reason == "GitFailed"


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(git, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(UserError) as caught:
            await resolve(Repository(f"git://127.0.0.1:{silent.getsockname()[1]}/x"))
        assert caught.value.reason == "GitTimeout"


def test_credentials_stand_in_private_files_and_nothing_of_ours_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KUBECONFIG", "/secret")
    secret = {"username": b"me", "password": b"pa$$ 'word", "ssh-privatekey": b"KEY", "known_hosts": b"h k"}
    environment = _environment(tmp_path, Repository("https://example.org/x", secret=secret), "https")
    assert "/secret" not in environment.values()
    for text in environment.values():
        assert "pa$$" not in text
        assert "KEY" not in text
    for name in ("username", "password", "identity", "known_hosts"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    asked = [
        subprocess.run([environment["GIT_ASKPASS"], prompt], capture_output=True, check=True).stdout
        for prompt in ("Username for 'https://example.org': ", "Password for 'https://me@example.org': ")
    ]
    assert asked == [b"me", b"pa$$ 'word"]
    assert f"UserKnownHostsFile={tmp_path}/known_hosts" in environment["GIT_SSH_COMMAND"]
    assert "secret" not in repr(Repository("u", secret=secret))


@pytest.mark.parametrize(
    ("ref", "url", "at", "path"),
    [
        ("github:owner/repo", "https://github.com/owner/repo", "HEAD", ""),
        ("github:owner/repo/v1.2?dir=sub", "https://github.com/owner/repo", "v1.2", "sub"),
        ("gitlab:o/r?host=git.example.org&ref=main", "https://git.example.org/o/r", "main", ""),
        ("git+https://example.org/x.git?ref=a&rev=" + "a" * 40, "https://example.org/x.git", "a" * 40, ""),
        ("git+ssh://git@example.org/x", "ssh://git@example.org/x", "HEAD", ""),
    ],
)
def test_flake_references_that_name_a_repository(ref: str, url: str, at: str, path: str):
    found = flake(ref)
    assert (found.url, found.ref, found.path) == (url, at, path)


@pytest.mark.parametrize(
    "ref",
    [
        "nixpkgs",
        "https://example.org/x.tar.gz",
        "github:owner",
        "github:o/r#web",
        "github:o/r?host=a/b",
        "git+https://e.org/x?ref=--evil",
    ],
)
def test_other_flake_references_are_refused_in_words(ref: str):
    with pytest.raises(UserError, match=r"spec\.source\.flake\.ref") as caught:
        flake(ref)
    assert caught.value.reason == "NotSupported"
