from __future__ import annotations

import json
from typing import Any

import pytest

from controller.build.seed.lock import Lock, Locked, LockError, differences, parse
from controller.shipped import folder

SHA = "ab" * 32


def locked(name: str, version: str = "1", *depends: str, sha256: str = SHA) -> Locked:
    return Locked(name, version, f"pool/{name}_{version}.deb", sha256, 10, depends)


def lock(*packages: Locked) -> Lock:
    return Lock("bookworm", "busybox-static", SHA, {one.name: one for one in packages})


BASE = lock(locked("busybox-static"), locked("libc6"), locked("curl", "7", "libc6"))


def test_a_lock_is_the_same_after_it_was_written() -> None:
    again = parse(BASE.text())
    assert again == BASE
    assert again.digest == BASE.digest
    assert again.text() == BASE.text()


def test_a_lock_has_a_line_for_each_package() -> None:
    assert sum('"file"' in line for line in BASE.text().splitlines()) == 3


def test_the_digest_follows_the_content() -> None:
    assert lock(locked("busybox-static"), locked("libc6", "2")).digest != BASE.digest


def test_a_store_name_has_no_character_that_the_store_does_not_take() -> None:
    one = Locked("x", "1", "pool/main/x/libx++_1.0~rc1+b2_amd64.deb", SHA, 1)
    assert one.store_name == "libx--_1.0-rc1-b2_amd64.deb"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "not of version 1"),
        ({"packages": []}, "lacks `bootstrap` or `packages`"),
        ({"bootstrap": {"package": "nobody", "narSha256": SHA}}, "bootstrap package nobody is not in"),
        ({"bootstrap": {"package": "libc6", "narSha256": "00"}}, "bootstrap: narSha256"),
        ({"packages.curl.file": "../../etc/passwd.deb"}, "curl: file"),
        ({"packages.curl.file": "/etc/passwd.deb"}, "curl: file"),
        ({"packages.curl.file": "pool/x.deb?a=b"}, "curl: file"),
        ({"packages.curl.file": "pool/x.tar"}, "curl: file"),
        ({"packages.curl.sha256": "AB" * 32}, "curl: sha256"),
        ({"packages.curl.size": "10"}, "curl: size"),
        ({"packages.curl.size": 0}, "curl: size"),
        ({"packages.curl.version": 3}, "curl: version"),
        ({"packages.curl.depends": "libc6"}, "curl: depends"),
        ({"packages.curl.depends": ["libx"]}, "curl depends on libx, which the lock lacks"),
        ({"packages.Bad Name": {}}, "'Bad Name' is not a name"),
    ],
)
def test_what_is_wrong_in_a_lock_is_named(change: dict[str, Any], says: str) -> None:
    data = json.loads(BASE.text())
    for path, value in change.items():
        at = data
        *parents, last = path.split(".")
        for parent in parents:
            at = at[parent]
        at[last] = value
    with pytest.raises(LockError) as error:
        parse(json.dumps(data))
    assert says in str(error.value)


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(LockError, match="not JSON"):
        parse("{")


def test_differences_are_in_the_words_of_a_status() -> None:
    new = lock(
        locked("busybox-static", sha256="cd" * 32),
        locked("curl", "8", "libc6"),
        locked("libc6", "1", "busybox-static"),
        locked("jq"),
    )
    assert differences(BASE, BASE) == []
    assert differences(BASE, new) == [
        "busybox-static 1: other bytes under the same version",
        "curl 7 -> 8",
        "jq 1 is new",
        "libc6 1: other dependencies or another place",
    ]
    assert "jq 1 is gone" in differences(new, BASE)


def test_the_shipped_lock_is_a_lock_and_names_no_host() -> None:
    text = (folder("nix") / "seed" / "lock.json").read_text()
    shipped = parse(text)
    assert shipped.text() == text
    assert "://" not in text
    names = [one.store_name for one in shipped.packages.values()]
    assert len(names) == len(set(names))
