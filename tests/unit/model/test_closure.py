from __future__ import annotations

import base64
import json
import random
import zlib

import pytest

from controller.model.closure import KEY, SIZE_LIMIT, Closure, Kernel, config_map_name, package
from controller.model.errors import UserError
from controller.model.manifest import Manifest, RoleSystem


def path(name: str, letter: str = "a") -> str:
    return f"/nix/store/{letter * 32}-{name}"


CURL, NGINX, LINUX = path("curl-8.5.0"), path("nginx-1.24.0", "b"), path("linux-6.1", "c")
MANIFEST = Manifest(
    "vm-ramdisk",
    "x86_64-linux",
    {
        "client": RoleSystem(CURL, f"{CURL}/init", closure=(CURL,)),
        "server": RoleSystem(
            NGINX, f"{NGINX}/init", closure=(CURL, NGINX), kernel=f"{LINUX}/own", kernel_version="6.6"
        ),
    },
    frozenset({CURL, NGINX}),
    kernel=f"{LINUX}/bzImage",
    kernel_version="6.1",
    kernel_parameters=("quiet",),
)
SIZES = {CURL: 1000, NGINX: 2000, LINUX: 9000}


def test_it_has_what_the_roles_need_and_what_the_flavour_boots_them_from():
    closure = Closure.of(MANIFEST, SIZES)
    assert closure.sizes == {CURL: 1000, NGINX: 2000, LINUX: 9000}
    assert closure.added == {LINUX}
    assert closure.roles == {"client": {CURL}, "server": {CURL, NGINX}}
    assert closure.kernels == {
        "client": Kernel("6.1", f"{LINUX}/bzImage"),
        "server": Kernel("6.6", f"{LINUX}/own"),
    }


def test_it_survives_a_config_map():
    closure = Closure.of(MANIFEST, SIZES)
    assert Closure.read({"binaryData": {KEY: base64.b64encode(closure.packed()).decode()}}) == closure
    assert closure.packed() == Closure.of(MANIFEST, dict(reversed(SIZES.items()))).packed()


def test_one_of_an_earlier_release_is_read():
    document = {"flavour": "x", "paths": [], "roles": {}, "kernels": {}, "kernelParameters": []}
    assert Closure.unpacked(zlib.compress(json.dumps(document).encode())).added == frozenset()


def test_twenty_thousand_paths_fit_into_a_config_map():
    rng = random.Random(1)
    letters = "0123456789abcdfghijklmnpqrsvwxyz"
    paths = [
        f"/nix/store/{''.join(rng.choices(letters, k=32))}-package-{n % 3000}-1.{n % 17}"
        for n in range(20_000)
    ]
    closure = Closure("docker", {one: rng.randrange(10**6) for one in paths}, {"node": frozenset(paths)})
    assert len(closure.packed()) < SIZE_LIMIT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zlib",
        zlib.compress(b"[]"),
        zlib.compress(json.dumps({"flavour": "x", "paths": [["a", "b"]], "roles": {}}).encode()),
        zlib.compress(b'{"flavour":"x","paths":[],"roles":{"a":[7]},"kernels":{},"kernelParameters":[]}'),
        zlib.compress(b" " * (65 * 1024 * 1024)),
    ],
    ids=["empty", "garbage", "a list", "a size that is none", "a number beyond the end", "a bomb"],
)
def test_what_somebody_else_wrote_is_refused(data: bytes):
    with pytest.raises(UserError) as caught:
        Closure.unpacked(data)
    assert caught.value.reason == "BadClosure"


def test_a_config_map_without_it():
    with pytest.raises(UserError, match=r"has no closure\.json\.z"):
        Closure.read({"data": {}})


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("curl-8.5.0", ("curl", "8.5.0")),
        ("linux-image-6.1.0-18-amd64", ("linux-image", "6.1.0-18-amd64")),
        ("system-server", ("system-server", "")),
        ("python3-3.11.2", ("python3", "3.11.2")),
        ("x-2nd-1.0", ("x", "2nd-1.0")),
    ],
)
def test_packages_and_versions(name: str, found: tuple[str, str]):
    assert package(path(name)) == found


def test_the_name_of_the_config_map_fits_however_long_the_composition_s_is():
    name = config_map_name("c" * 253, "f" * 63, "sha256:" + "0123456789abcdef" * 4)
    assert len(name) <= 253
    assert config_map_name("web", "docker", "sha256:0123456789abcdef01") == "web.docker.0123456789abcdef"
