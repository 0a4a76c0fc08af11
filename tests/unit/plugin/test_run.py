from __future__ import annotations

import asyncssh
import pytest

from controller.plugin.run import Ended, on_all, prefixer, summary, worst
from tests.unit.plugin.stand_in import identity, nodes


async def ran(made, who, command: str, **options):
    lines: list[tuple[str, bool, str]] = []
    ended = await on_all(
        [stand_in.target() for stand_in in made],
        who,
        command,
        say=lambda target, bad, text: lines.append((target.host, bad, text)),
        **options,
    )
    return ended, lines


async def test_every_node_runs_it_and_both_outputs_come_back_by_line():
    async with nodes("alice", "bob") as (made, who):
        ended, lines = await ran(made, who, "echo one; echo two >&2; printf three")
    assert [(end.host, end.status) for end in ended] == [("alice", 0), ("bob", 0)]
    for host in ("alice", "bob"):
        assert [text for of, bad, text in lines if of == host and not bad] == ["one", "three"]
        assert [text for of, bad, text in lines if of == host and bad] == ["two"]


async def test_the_worst_exit_status_is_ours_and_each_is_told():
    async with nodes("alice", "bob") as (made, who):
        made[1].answer = lambda _: (3, "", "")
        ended, _ = await ran(made, who, "true")
    assert worst(ended) == 3
    assert summary(ended) == ["1 of 2 nodes: exit status 0; 3: bob"]


async def test_a_command_that_is_too_slow_is_left():
    async with nodes("alice") as (made, who):
        ended, _ = await ran(made, who, "sleep 30", seconds=1.0)
    assert ended == [Ended("alice", 124, "not done within 1 s")]


async def test_a_node_with_another_host_key_gets_no_login():
    async with nodes("alice", "mallory") as (made, who):
        alice, mallory = made
        alice.port = mallory.port
        ended, _ = await ran([alice], who, "true")
        assert mallory.commands == []
    assert ended[0].status == 255
    assert "another host key than the node reported" in ended[0].trouble


async def test_a_key_that_the_node_does_not_take():
    async with nodes("alice") as (made, _):
        stranger = identity(asyncssh.generate_private_key("ssh-ed25519"))
        ended, _ = await ran(made, stranger, "true")
    assert "does not take this key for user root" in ended[0].trouble
    assert "spec.authorizedKeys" in ended[0].trouble


async def test_nothing_there_says_whose_address_that_is():
    async with nodes("alice") as (made, who):
        await made[0].stop()
        ended, _ = await ran(made, who, "true")
    assert ended[0].status == 255
    assert "is the controller's host's" in ended[0].trouble
    assert "--via" in ended[0].trouble


async def test_one_lost_node_holds_nobody_else_up():
    async with nodes("alice", "bob") as (made, who):
        await made[0].stop()
        ended, lines = await ran(made, who, "echo here")
    assert [end.status for end in ended] == [255, 0]
    assert ("bob", False, "here") in lines


async def test_a_broken_session_is_no_exit_status():
    async with nodes("alice") as (made, who):

        def vanish(_: str) -> tuple[int, str, str]:
            made[0]._connections[0].abort()
            return 0, "", ""

        made[0].answer = vanish
        ended, _ = await ran(made, who, "true")
    assert ended[0].status == 255
    assert ended[0].trouble


async def test_lines_carry_their_nodes_name(capsys: pytest.CaptureFixture[str]):
    async with nodes("alice", "bob-2") as (made, _):
        targets = [stand_in.target() for stand_in in made]
    say = prefixer(targets, bare=False)
    say(targets[0], False, "out")
    say(targets[1], True, "bad")
    prefixer(targets, bare=True)(targets[0], False, "bare")
    captured = capsys.readouterr()
    assert captured.out == "alice | out\nbare\n"
    assert captured.err == "bob-2 | bad\n"
