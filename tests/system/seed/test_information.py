"""What a node makes of the document that it is given, without a machine: PID 1's own code, run here."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.nix.seed_store import NIX, SeedStore
from tests.system.seed.machine import information

Lua = Callable[[str, str], str]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJj0vdAmRKLC9uciYA7rkSPkANfPITDI2P9Z8yEcWYJt test"

READ = """
local document, json = require "nxc.boot.document", require "nxc.json"
for line in io.lines() do
  local found, why = document.parse(json.decode(line))
  print(found and "ok " .. document.hosts_file("127.0.0.1 localhost\\n", found.hosts):gsub("\\n", "|") or why)
end
"""


@pytest.fixture(scope="session")
def lua(seed_store: SeedStore) -> Lua:
    """Runs a program with the seed's LuaJIT: (program, input) → output."""
    program = seed_store.build(seed_store.packages("pkgs.luajit")) / "bin/luajit"
    libraries = seed_store.build(seed_store.packages("pkgs.libc6")) / "lib"

    def run(text: str, given: str) -> str:
        code = f'package.path = "{NIX}/seed/init/?.lua"\n{text}'
        command = [libraries / "ld-linux-x86-64.so.2", "--library-path", libraries, program, "-e", code]
        ended = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def read(lua: Lua, *documents: object) -> list[str]:
    """What the node says of each document (text, or a value to be written as JSON)."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in documents]
    return lua(READ, "".join(json.dumps(text) + "\n" for text in texts)).split("\n")[:-1]


def test_a_whole_document_is_taken(lua: Lua) -> None:
    hosts = {
        "server": {"address": "10.0.0.1", "aliases": ["server1"]},
        "alice": {"address": "fd00::2", "aliases": []},
    }
    (said,) = read(lua, information("server", KEY, hosts=hosts, report="http://10.0.2.100/v1/report/t"))
    assert said.startswith("ok 127.0.0.1 localhost|fd00::2 alice|10.0.0.1 server server1|")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"version": 2}, "its version is 2, and this image knows version 1"),
        ({"role": "../../etc"}, "role is not valid"),
        ({"host": "a b"}, "host is not valid"),
        ({"host": 7}, "host is no text"),
        ({"hosts": []}, "hosts is no object"),
        ({"hosts": {"x;reboot": {"address": "10.0.0.1"}}}, "a host's name is not valid"),
        ({"hosts": {"x": {"address": "10.0.0.256"}}}, "hosts.x.address is no IP address"),
        ({"hosts": {"x": {"address": "10.0.0.1\n6.6.6.6 bank"}}}, "control characters"),
        ({"interfaces": [{"mac": "x", "address": "10.0.0.1/24"}]}, "interfaces[0].mac is not valid"),
        (
            {"interfaces": [{"mac": "52:54:00:00:00:01", "address": "10.0.0.1/33"}]},
            "interfaces[0].address is not ADDRESS/LENGTH",
        ),
        ({"authorizedKeys": ["ssh-ed25519 AAAA\nssh-rsa BBBB"]}, "control characters"),
        ({"authorizedKeys": "ssh-ed25519 AAAA"}, "authorizedKeys is no list"),
        ({"report": "file:///etc/passwd"}, "report is not valid"),
        ({"report": "http://x/'; reboot '"}, "report is not valid"),
    ],
)
def test_a_wrong_field_is_named(lua: Lua, change: dict[str, Any], complaint: str) -> None:
    (said,) = read(lua, information("server", KEY) | change)
    assert said.startswith("the deployment information is wrong: ")
    assert complaint in said


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", '{"version":1', '{"version":1}x', "[" * 100_000]
)
def test_what_is_no_document_is_refused(lua: Lua, text: str) -> None:
    (said,) = read(lua, text)
    assert said.startswith("the deployment information is wrong: ")


def test_a_thousand_damaged_documents_are_refused_or_harmless(lua: Lua) -> None:
    text = json.dumps(information("server", KEY))
    damaged = [
        text[:cut] + filler + text[cut + 3 :] for cut in range(len(text)) for filler in ("", "}", '"', "0")
    ]
    said = read(lua, *damaged[:1000])
    assert len(said) == 1000
    assert all(line.startswith(("ok ", "the deployment information is wrong: ")) for line in said)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(_VALUES, min_size=10, max_size=30))
def test_json_comes_back_as_it_went(lua: Lua, values: list[Any]) -> None:
    echo = (
        'local json = require "nxc.json"; for line in io.lines() do print(json.encode(json.decode(line))) end'
    )
    said = lua(echo, "".join(json.dumps(value) + "\n" for value in values)).split("\n")[:-1]
    assert [json.loads(line) for line in said] == values


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.binary(max_size=60), min_size=1, max_size=20))
def test_base64url_is_read_as_python_writes_it(lua: Lua, chunks: list[bytes]) -> None:
    program = """
    local parameters = require "nxc.boot.parameters"
    local function hex(text) return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)) end
    for line in io.lines() do print(hex(parameters.base64url(line))) end
    """
    lines = [base64.urlsafe_b64encode(chunk).decode().rstrip("=") for chunk in chunks]
    assert lua(program, "".join(line + "\n" for line in lines)).splitlines() == [
        chunk.hex() for chunk in chunks
    ]


def test_code_of_pid_1_can_be_read_by_lua(lua: Lua) -> None:
    files = sorted(str(path) for path in Path(NIX / "seed").rglob("*.lua"))
    assert len(files) > 20
    assert lua("for path in io.lines() do assert(loadfile(path)) end", "\n".join(files)) == ""
