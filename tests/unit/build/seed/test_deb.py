from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from controller.build.seed.deb import BOOTSTRAP, DebError, bootstrap_tree, file_of, members


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def ar(files: dict[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, content in files.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        out += b"\n" * (len(content) % 2)
    return out


def package(files: dict[str, bytes]) -> bytes:
    return ar({"debian-binary": b"2.0\n", "control.tar.xz": tar({}), "data.tar.xz": tar(files)})


def test_a_file_of_a_package_is_read() -> None:
    data = package({"./bin/busybox": b"program", "./usr/share/doc/x": b"words"})
    assert [name for name, _ in members(data)] == ["debian-binary", "control.tar.xz", "data.tar.xz"]
    assert file_of(data, "bin/busybox") == b"program"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no ar archive"),
        (b"PK\x03\x04", "no ar archive"),
        (package({"bin/busybox": b"x" * 5000})[:-20], "ends too early"),
        (b"!<arch>\nshort", "damaged"),
        (ar({"debian-binary": b"2.0\n"}), "no data.tar"),
        (ar({"data.tar.xz": b"not xz at all"}), "cannot be read"),
        (package({"./bin/other": b"x"}), "no file bin/busybox"),
    ],
)
def test_what_is_no_package_says_so(data: bytes, says: str) -> None:
    with pytest.raises(DebError, match=says):
        file_of(data, "bin/busybox")


def test_a_link_does_not_stand_for_a_file() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        entry = tarfile.TarInfo("./bin/busybox")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(DebError, match="no file"):
        file_of(ar({"data.tar.xz": out.getvalue()}), "bin/busybox")


def test_the_bootstrap_tree_is_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    deb = tmp_path / "busybox.deb"
    deb.write_bytes(package({"./bin/busybox": b"program"}))
    one = bootstrap_tree(deb, tmp_path / "one")
    assert (tmp_path / "one" / "bin" / "busybox").stat().st_mode & 0o777 == 0o755
    shutil.rmtree(tmp_path / "one")
    other = bootstrap_tree(deb, tmp_path / "other")
    assert one.sha256 == other.sha256
    assert one.path.endswith(f"-{BOOTSTRAP}")
