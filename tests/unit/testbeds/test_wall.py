"""The host's firewall: a rule of ours for each bridge, and nobody else's touched. Real rules: tests/system/docker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.model.errors import TestbedError
from controller.testbeds import wall
from controller.testbeds.wall import Wall

THEIRS = "-A INPUT -i nxcn2 -m comment --comment somebody -j ACCEPT\n"
OURS = "-A INPUT -i {} -m conntrack ! --ctstate RELATED,ESTABLISHED -m comment --comment nxc-controller -j DROP\n"


@dataclass(frozen=True)
class Chain:
    """A chain in a file, behind programs that understand as much of iptables(8) as is said to them."""

    file: Path

    def set(self, text: str) -> None:
        self.file.write_text(text)

    def get(self) -> str:
        return self.file.read_text()


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """With a rule of somebody else's."""
    chain = tmp_path / "chain"
    chain.write_text(THEIRS)
    restore = f"""
while read -r line; do
  case $line in
    '-I INPUT 1 '*) {{ echo "-A INPUT ${{line#-I INPUT 1 }}"; cat {chain}; }} >{chain}.new ;;
    '-D INPUT '*) awk -v rule="-A ${{line#-D }}" '!found && $0 == rule {{ found = 1; next }} 1' {chain} >{chain}.new ;;
    *) continue ;;
  esac
  mv {chain}.new {chain}
done"""
    for name, script in (("iptables", f"echo -P INPUT ACCEPT; cat {chain}"), ("iptables-restore", restore)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(wall, "IPV6", tmp_path / "none")
    return Chain(chain)


async def test_each_bridge_has_one_rule_before_all_others_however_often_that_is_asked(rules: Chain) -> None:
    guard = Wall()
    await asyncio.gather(*(guard.keep(["nxcn1", "nxcn2"]) for _ in range(3)))
    assert rules.get() == OURS.format("nxcn2") + OURS.format("nxcn1") + THEIRS


async def test_a_rule_that_somebody_flushed_comes_back(rules: Chain) -> None:
    await Wall().keep(["nxcn1"])
    rules.set("")
    await Wall().keep(["nxcn1"])
    assert rules.get() == OURS.format("nxcn1")


async def test_only_rules_of_ours_are_lifted_and_all_of_a_bridge(rules: Chain) -> None:
    rules.set(OURS.format("nxcn2") * 2 + THEIRS + OURS.format("nxcn3"))
    await Wall().lift(["nxcn1", "nxcn2"])
    assert rules.get() == THEIRS + OURS.format("nxcn3")


async def test_who_may_not_change_the_firewall_is_told_what_to_do(
    tmp_path: Path, rules: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "iptables").write_text("#!/bin/sh\necho 'Permission denied (you must be root)' >&2\nexit 4\n")
    with pytest.raises(TestbedError, match=r"must be root.*spec\.trusted: true") as caught:
        await Wall().keep(["nxcn1"])
    assert caught.value.reason == "HostExposed"
    await Wall().lift(["nxcn1"])  # nothing of ours can be there: a deployment that goes is not held up
    assert "rules of nxcn1 may be left" in caplog.text


async def test_a_host_without_iptables_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "_PLACES", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TestbedError, match="iptables is not installed"):
        await Wall().keep([])
