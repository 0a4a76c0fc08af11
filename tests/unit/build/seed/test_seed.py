"""What a store lacks is provided; a file that the mirrors dropped renews the whole lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from controller.build.seed.apt import Apt
from controller.build.seed.control import Version, relations
from controller.build.seed.deb import BOOTSTRAP, bootstrap_tree
from controller.build.seed.lock import Lock, Locked
from controller.build.seed.pool import Limits
from controller.build.seed.resolve import Candidate, Index, Selection
from controller.build.seed.seed import URL, Seed
from controller.model.errors import NxcError, TestbedError
from tests.unit.build.seed.test_deb import package

SELECTION = """
release = "bookworm"
architecture = "amd64"
bootstrap = "busybox-static"
roots = ["busybox-static", "curl"]
"""
BUSYBOX = package({"./bin/busybox": b"program"})


def locked(name: str, version: str, body: bytes, *depends: str) -> Locked:
    return Locked(name, version, f"pool/{name}_{version}.deb", sha256(body).hexdigest(), len(body), depends)


OLD = {
    "busybox-static": locked("busybox-static", "1", BUSYBOX),
    "curl": locked("curl", "7", b"curl seven", "libcurl4"),
    "libcurl4": locked("libcurl4", "7", b"libcurl seven"),
}
NEW = {
    **OLD,
    "curl": locked("curl", "8", b"curl eight", "libcurl4"),
    "libcurl4": locked("libcurl4", "8", b"libcurl eight"),
}
BODIES = {"curl_7.deb": b"curl seven", "libcurl4_7.deb": b"libcurl seven", "busybox-static_1.deb": BUSYBOX}
NEW_BODIES = {
    "curl_8.deb": b"curl eight",
    "libcurl4_8.deb": b"libcurl eight",
    "busybox-static_1.deb": BUSYBOX,
}


@dataclass(frozen=True)
class Wanted:
    name: str
    digest: str
    url: str = ""


@dataclass(frozen=True)
class Lacks:
    fixed: Sequence[Wanted]


@dataclass
class Store:
    """What Nix would say and take."""

    wanted: list[Wanted]
    trees: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    async def missing(self, drv: str) -> Lacks:
        return Lacks([one for one in self.wanted if one.name not in {*self.trees, *self.files}])

    async def add_tree(self, tree: Path, name: str) -> str:
        self.trees[name] = (tree / "bin" / "busybox").read_bytes()
        return f"/nix/store/x-{name}"

    async def add_fixed(self, *files: Path) -> list[str]:
        self.files |= {file.name: file.read_bytes() for file in files}
        return [f"/nix/store/x-{file.name}" for file in files]


class FakeApt(Apt):
    """What apt knows, and what it would know after `apt-get update`."""

    def __init__(self, *states: dict[str, Locked]) -> None:
        super().__init__()
        self.states = list(states)
        self.refreshed = 0

    async def bases(self, chosen: Selection) -> list[str]:
        return ["http://mirror.test/debian/"]

    async def proxy(self) -> str | None:
        return None

    async def index(self, chosen: Selection) -> Index:
        return Index(
            Candidate(
                one.name,
                Version(one.version),
                one.file,
                one.sha256,
                one.size,
                tuple(relations(", ".join(one.depends))),
                (),
            )
            for one in self.states[0].values()
        )

    async def refresh(self) -> None:
        self.refreshed += 1
        if len(self.states) > 1:
            self.states.pop(0)


@pytest.fixture
def nix(tmp_path: Path) -> Path:
    folder = tmp_path / "nix"
    (folder / "seed" / "packages").mkdir(parents=True)
    (folder / "seed" / "packages" / "selection.toml").write_text(SELECTION)
    deb = tmp_path / "busybox.deb"
    deb.write_bytes(BUSYBOX)
    nar = bootstrap_tree(deb, tmp_path / "tree").sha256
    (folder / "seed" / "lock.json").write_text(Lock("bookworm", "busybox-static", nar, OLD).text())
    return folder


def seed_of(nix: Path, mirror: dict[str, bytes], apt: FakeApt, *, lock: Path | None = None) -> Seed:
    def answer(request: httpx.Request) -> httpx.Response:
        body = mirror.get(request.url.path.rpartition("/")[2])
        return httpx.Response(404) if body is None else httpx.Response(200, content=body)

    return Seed(
        nix,
        nix.parent / "state",
        lock=lock,
        apt=apt,
        transport=httpx.MockTransport(answer),
        limits=Limits(pause=0.001),
    )


def wants(seed: Seed, *names: str) -> Store:
    packages = [seed.lock.packages[name] for name in names]
    return Store(
        [
            Wanted(BOOTSTRAP, seed.lock.bootstrap_nar, f"{URL}busybox-static.nar"),
            *(Wanted(one.store_name, one.sha256, URL + one.store_name) for one in packages),
        ]
    )


async def test_what_a_derivation_lacks_comes_into_the_store(nix: Path) -> None:
    seed = seed_of(nix, BODIES, FakeApt(OLD))
    store = wants(seed, "curl", "libcurl4")
    provided = await seed.provide(store, "x.drv")
    assert store.files == {"curl_7.deb": b"curl seven", "libcurl4_7.deb": b"libcurl seven"}
    assert store.trees == {BOOTSTRAP: b"program"}
    assert sorted(provided.added) == ["curl_7.deb", "libcurl4_7.deb", BOOTSTRAP]
    assert (await seed.provide(store, "x.drv")).added == ()
    assert seed.lock_file is None
    assert seed.status().differences == ()


async def test_what_is_not_the_seeds_is_left_alone(nix: Path) -> None:
    seed = seed_of(nix, BODIES, FakeApt(OLD))
    store = Store(
        [
            Wanted("evil", "00" * 32, "http://169.254.169.254/"),
            Wanted("curl_7.deb", "00" * 32, URL + "curl_7.deb"),
            Wanted("passwd", "00" * 32, "file:///etc/passwd"),
        ]
    )
    assert (await seed.provide(store, "x.drv")).added == ()
    assert store.files == {}


async def test_a_file_that_the_mirrors_dropped_renews_the_lock_and_says_what_changed(nix: Path) -> None:
    seed = seed_of(nix, NEW_BODIES, FakeApt(NEW))
    shipped = seed.lock
    provided = await seed.provide(wants(seed, "curl"), "x.drv")
    assert provided.renewed == ("curl 7 -> 8", "libcurl4 7 -> 8")
    assert seed.status().differences == provided.renewed
    assert seed.status().digest == seed.lock.digest != shipped.digest
    assert seed.lock_file is not None
    assert json.loads(seed.lock_file.read_text())["packages"]["curl"]["version"] == "8"
    store = wants(seed, "curl")
    assert (await seed.provide(store, "y.drv")).renewed == ()
    assert store.files == {"curl_8.deb": b"curl eight"}


async def test_a_renewed_lock_outlives_a_restart_until_another_is_shipped(nix: Path) -> None:
    seed = seed_of(nix, NEW_BODIES, FakeApt(NEW))
    await seed.provide(wants(seed, "curl"), "x.drv")
    assert seed_of(nix, NEW_BODIES, FakeApt(NEW)).lock == seed.lock
    shipped = nix / "seed" / "lock.json"
    other = Lock(
        "bookworm", "busybox-static", seed.lock.bootstrap_nar, {**NEW, "jq": locked("jq", "1", b"jq")}
    )
    shipped.write_text(other.text())
    again = seed_of(nix, NEW_BODIES, FakeApt(NEW))
    assert again.lock == other
    assert again.lock_file is None


async def test_apt_is_refreshed_where_it_still_knows_only_the_file_that_is_gone(nix: Path) -> None:
    apt = FakeApt(OLD, NEW)
    seed = seed_of(nix, NEW_BODIES, apt)
    assert (await seed.provide(wants(seed, "curl"), "x.drv")).renewed
    assert apt.refreshed == 1


async def test_a_mirror_that_lists_what_it_does_not_have_is_said(nix: Path) -> None:
    seed = seed_of(nix, NEW_BODIES, FakeApt(OLD))
    with pytest.raises(TestbedError, match="though their own index still lists them"):
        await seed.provide(wants(seed, "curl"), "x.drv")
    assert seed.lock_file is None


async def test_another_process_may_have_renewed_the_lock(nix: Path) -> None:
    one = seed_of(nix, NEW_BODIES, FakeApt(NEW))
    other = seed_of(nix, NEW_BODIES, FakeApt(OLD))
    early = wants(other, "curl")
    await one.provide(wants(one, "curl"), "x.drv")
    provided = await other.provide(early, "x.drv")
    assert provided.renewed == ("curl 7 -> 8", "libcurl4 7 -> 8")
    assert other.lock == one.lock


async def test_an_evaluation_that_began_before_the_lock_was_renewed_is_told_to_start_again(nix: Path) -> None:
    seed = seed_of(nix, NEW_BODIES, FakeApt(NEW))
    early = wants(seed, "curl")
    await seed.renew()
    provided = await seed.provide(early, "x.drv")
    assert provided.renewed == ("curl 7 -> 8", "libcurl4 7 -> 8")
    assert early.files == {}


async def test_such_an_evaluation_may_go_on_where_its_files_are_still_to_be_had(nix: Path) -> None:
    seed = seed_of(nix, {**BODIES, **NEW_BODIES}, FakeApt(NEW))
    early = wants(seed, "curl")
    await seed.renew()
    assert (await seed.provide(early, "x.drv")).renewed == ()
    assert early.files == {"curl_7.deb": b"curl seven"}


async def test_an_update_beside_the_operator_is_seen(nix: Path) -> None:
    operator = seed_of(nix, NEW_BODIES, FakeApt(NEW))
    assert operator.lock_file is None
    await seed_of(nix, NEW_BODIES, FakeApt(NEW)).renew()
    assert operator.lock_file is not None
    assert operator.status().differences == ("curl 7 -> 8", "libcurl4 7 -> 8")


async def test_a_lock_of_the_administrator_is_given_to_evaluations(nix: Path) -> None:
    mine = nix.parent / "mine.json"
    mine.write_text((nix / "seed" / "lock.json").read_text())
    assert seed_of(nix, BODIES, FakeApt(OLD), lock=mine).lock_file == mine


async def test_a_damaged_busybox_is_named(nix: Path) -> None:
    broken = package({"./bin/other": b"x"})
    packages = {**OLD, "busybox-static": locked("busybox-static", "2", broken)}
    seed = seed_of(nix, {"busybox-static_2.deb": broken}, FakeApt(packages))
    with pytest.raises(TestbedError, match=r"busybox-static_2\.deb: the package has no file bin/busybox"):
        await seed.renew()


def test_a_lock_that_is_none_names_its_file(nix: Path) -> None:
    (nix / "seed" / "lock.json").write_text("{}")
    with pytest.raises(NxcError, match=r"seed/lock\.json: the lock is not of version 1"):
        seed_of(nix, BODIES, FakeApt(OLD))
