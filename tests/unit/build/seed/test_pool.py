"""Fetching, against mirrors that misbehave."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from controller.build.seed.lock import Locked
from controller.build.seed.pool import Gone, Limits, Pool
from controller.model.errors import TestbedError

BASES = ["http://one.test/debian/", "http://two.test/security/"]
QUICK = Limits(pause=0.001)
BODY = bytes(range(256)) * 40

Answer = Callable[[httpx.Request], httpx.Response]


def locked(name: str = "curl", body: bytes = BODY) -> Locked:
    return Locked(name, "1", f"pool/{name}_1~x.deb", sha256(body).hexdigest(), len(body))


class Mirror:
    """Answers as told and remembers who asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


async def fetch(pool: Pool, mirror: Answer, *wanted: Locked, limits: Limits = QUICK) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(mirror)) as client:
        await pool.fetch(wanted or (locked(),), BASES, client, limits=limits)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path / "pool")


async def test_a_file_arrives_whole_under_its_name_in_the_store(pool: Pool) -> None:
    mirror = Mirror(lambda request: httpx.Response(200, content=BODY))
    await fetch(pool, mirror)
    assert [path.name for path in pool.directory.iterdir()] == ["curl_1-x.deb"]
    assert pool.path(locked()).read_bytes() == BODY
    assert str(mirror.requests[0].url) == "http://one.test/debian/pool/curl_1~x.deb"


async def test_what_is_there_is_not_fetched_again(pool: Pool) -> None:
    mirror = Mirror(lambda request: httpx.Response(200, content=BODY))
    await fetch(pool, mirror)
    await fetch(pool, mirror)
    assert len(mirror.requests) == 1


async def test_a_file_that_was_spoilt_on_disk_is_fetched_again(pool: Pool) -> None:
    mirror = Mirror(lambda request: httpx.Response(200, content=BODY))
    await fetch(pool, mirror)
    pool.path(locked()).write_bytes(b"\0" * len(BODY))
    await fetch(pool, mirror)
    assert pool.path(locked()).read_bytes() == BODY


async def test_the_second_mirror_is_asked_where_the_first_has_no_such_file(pool: Pool) -> None:
    mirror = Mirror(
        lambda request: httpx.Response(404) if request.url.host == "one.test" else httpx.Response(200, content=BODY)
    )  # fmt: skip
    await fetch(pool, mirror)
    assert [request.url.host for request in mirror.requests] == ["one.test", "two.test"]


async def test_what_no_mirror_has_is_gone_and_the_others_are_fetched(pool: Pool) -> None:
    lost, there = locked("lost"), locked("there")
    with pytest.raises(Gone, match=r"no longer on http://one\.test/debian/ or .*: lost 1") as error:
        await fetch(
            pool,
            lambda request: httpx.Response(404 if "lost" in request.url.path else 200, content=BODY),
            lost,
            there,
        )
    assert error.value.packages == (lost,)
    assert await pool.lacking([lost, there]) == [lost]
    assert [path.name for path in pool.directory.iterdir()] == ["there_1-x.deb"]


async def test_wrong_bytes_never_reach_the_pool(pool: Pool) -> None:
    mirror = Mirror(lambda request: httpx.Response(200, content=b"x" * len(BODY)))
    with pytest.raises(TestbedError, match=r"tried 3 times.*the lock wants"):
        await fetch(pool, mirror)
    assert list(pool.directory.iterdir()) == []
    assert all("Range" not in request.headers for request in mirror.requests)


async def test_more_bytes_than_the_lock_has_are_not_taken(pool: Pool) -> None:
    with pytest.raises(TestbedError, match="sends more than the 10240 bytes"):
        await fetch(pool, lambda request: httpx.Response(200, content=BODY + b"x"))
    assert list(pool.directory.iterdir()) == []


async def test_a_transfer_that_broke_off_goes_on_where_it_was(pool: Pool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "Range" not in request.headers:
            return httpx.Response(200, content=BODY[:1000])
        assert request.headers["Range"] == "bytes=1000-"
        return httpx.Response(206, content=BODY[1000:])

    await fetch(pool, answer)
    assert pool.path(locked()).read_bytes() == BODY


async def test_a_mirror_that_cannot_resume_sends_all_again(pool: Pool) -> None:
    bodies = iter([BODY[:1000], BODY])
    await fetch(pool, lambda request: httpx.Response(200, content=next(bodies)))
    assert pool.path(locked()).read_bytes() == BODY


async def test_what_arrived_before_a_restart_is_kept(pool: Pool) -> None:
    with pytest.raises(TestbedError, match="broke off after"):
        await fetch(pool, lambda request: httpx.Response(200, content=BODY[:1000]))
    assert (pool.directory / "curl_1-x.deb.part").stat().st_size == 1000
    mirror = Mirror(lambda request: httpx.Response(206, content=BODY[1000:]))
    await fetch(pool, mirror)
    assert len(mirror.requests) == 1


async def test_a_part_of_something_else_does_not_spoil_the_file(pool: Pool) -> None:
    pool.directory.mkdir()
    (pool.directory / "curl_1-x.deb.part").write_bytes(b"x" * 1000)

    def answer(request: httpx.Request) -> httpx.Response:
        if "Range" in request.headers:
            return httpx.Response(206, content=BODY[1000:])
        return httpx.Response(200, content=BODY)

    await fetch(pool, answer)
    assert pool.path(locked()).read_bytes() == BODY


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_a_mirror_in_trouble_is_not_taken_for_one_without_the_file(pool: Pool, status: int) -> None:
    mirror = Mirror(lambda request: httpx.Response(status))
    with pytest.raises(
        TestbedError, match=f"cannot fetch pool/curl_1~x.deb, tried 3 times.*HTTP {status}"
    ) as error:
        await fetch(pool, mirror)
    assert not isinstance(error.value, Gone)
    assert len(mirror.requests) == 6


async def test_a_mirror_that_recovers_is_enough(pool: Pool) -> None:
    statuses = iter([500, 500, 200])
    await fetch(pool, lambda request: httpx.Response(next(statuses), content=BODY))
    assert await pool.has(locked())


async def test_no_network_is_said_with_the_mirrors_name(pool: Pool) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(TestbedError, match=r"http://one\.test/debian/: connection refused"):
        await fetch(pool, refuse)


class Trickle(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield BODY[:1000]
        await asyncio.sleep(60)


async def test_a_slow_mirror_meets_the_limit_and_what_arrived_is_kept(pool: Pool) -> None:
    limits = Limits(grace=0.2, slowest=1e9)
    with pytest.raises(TestbedError, match=r"10240 bytes\) did not arrive within 0 s") as error:
        await fetch(pool, lambda request: httpx.Response(200, stream=Trickle()), limits=limits)
    assert error.value.reason == "FetchTimeout"
    assert (pool.directory / "curl_1-x.deb.part").stat().st_size == 1000


async def test_not_more_than_four_at_a_time(pool: Pool) -> None:
    now, most = 0, 0

    class Slow(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.01)
            yield BODY
            now -= 1

    wanted = [locked(f"p{number}") for number in range(12)]
    await fetch(pool, lambda request: httpx.Response(200, stream=Slow()), *wanted)
    assert most == 4
    assert await pool.lacking(wanted) == []


async def test_two_processes_with_one_pool_fetch_a_file_once(pool: Pool) -> None:
    class Slow(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield BODY[:10]
            await asyncio.sleep(0.3)
            yield BODY[10:]

    mirror = Mirror(lambda request: httpx.Response(200, stream=Slow()))
    await asyncio.gather(fetch(pool, mirror), fetch(Pool(pool.directory), mirror))
    assert len(mirror.requests) == 1
    assert [path.name for path in pool.directory.iterdir()] == ["curl_1-x.deb"]


async def test_a_disk_that_takes_nothing_is_named(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(TestbedError, match=r"cannot write .*curl_1-x\.deb\.part: No space left on device"):
        await fetch(pool, lambda request: httpx.Response(200, content=BODY))
