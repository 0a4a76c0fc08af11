"""First boot of a NixOS node, its scripts run here: what a node does with the information that it is given."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compositions.evaluation import REPOSITORY

SCRIPTS = REPOSITORY / "nix/modules/first-boot"
TOPLEVEL = "/nix/store/00000000000000000000000000000000-nixos-system-server"
INFORMATION: dict[str, Any] = {
    "version": 1,
    "deployment": "web",
    "namespace": "lab",
    "node": "uid-1",
    "host": "server1",
    "role": "server",
    "hosts": {"server1": {"address": "10.0.0.1", "aliases": ["server"]}, "alice": {"address": "10.0.0.2"}},
    "authorizedKeys": ["ssh-ed25519 AAAA alice", "ssh-ed25519 BBBB bob"],
    "interfaces": [{"mac": "52:54:00:00:00:01", "address": "10.0.0.1/24", "gateway": None}],
    "parameters": {},
}

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "jq", "curl")), reason="no bash, jq and curl"
)


class Node:
    """A node's root, /run and kernel command line, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.root, self.run, self.console = folder / "root", folder / "run", folder / "console"
        self.etc = self.root / "etc"
        self._folder = folder
        self.etc.mkdir(parents=True)
        self.run.mkdir()
        (folder / "roles").write_text(f"client {TOPLEVEL}-client\nserver {TOPLEVEL}\n")
        (folder / "uptime").write_text("1.25 0.5\n")
        tools = folder / "tools"
        tools.mkdir()
        (tools / "systemctl").write_text("#!/bin/sh\n")  # starts nothing here
        (tools / "systemctl").chmod(0o755)

    def find(self, cmdline: str) -> subprocess.CompletedProcess[str]:
        (self._folder / "cmdline").write_text(cmdline + "\n")
        return self._run("find.sh")

    def inform(self, *arguments: str, document: Any = None) -> subprocess.CompletedProcess[str]:
        return self._run("inform.sh", *arguments, given="" if document is None else json.dumps(document))

    def state(self, name: str) -> str:
        return (self.run / "nxc" / name).read_text().strip()

    def _run(self, script: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", SCRIPTS / script, *arguments],
            input=given,
            env={
                "PATH": f"{self._folder}/tools:/usr/sbin:/usr/bin:/bin",
                "NXC_ROOT": str(self.root),
                "NXC_RUN": str(self.run),
                "NXC_ETC": str(self.etc),
                "NXC_ROLES": str(self._folder / "roles"),
                "NXC_CMDLINE": str(self._folder / "cmdline"),
                "NXC_CONSOLE": str(self.console),
                "NXC_UPTIME": str(self._folder / "uptime"),
                "NXC_HOSTNAME": str(self._folder / "hostname"),
                "NXC_PATIENCE": "2",
                "NXC_UNATTENDED": "1",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def hostname(self) -> str:
        return (self._folder / "hostname").read_text().strip()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def encoded(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], str]]:
    """Answers every GET with the given bytes; the address comes back. What was posted lands in `posted`."""
    servers = []

    def start(content: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1/information/token"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("padding", ["", "x", "xx", "xxx"])
def test_information_on_the_command_line_chooses_the_role(node: Node, padding: str) -> None:
    document = INFORMATION | {
        "namespace": f"lab?>~{padding}"
    }  # any length, and characters beyond plain base64
    found = node.find(f"console=ttyS0 init=/nxc/system/init nxc.info={encoded(document)} panic=-1")
    assert found.returncode == 0, found.stderr
    assert (node.state("role"), node.state("host"), node.state("toplevel")) == ("server", "server1", TOPLEVEL)
    assert json.loads(node.state("deployment.json")) == document
    assert str((node.root / "nxc/system").readlink()) == TOPLEVEL
    assert node.state("timings/information") == "1.25"
    network = (node.run / "systemd/network/10-nxc-525400000001.network").read_text()
    assert "MACAddress=52:54:00:00:00:01" in network
    assert "Address=10.0.0.1/24" in network
    assert "Gateway" not in network


def test_information_is_fetched_and_its_digest_checked(node: Node, serve: Callable[[bytes], str]) -> None:
    content = json.dumps(INFORMATION).encode()
    found = node.find(f"nxc.url={serve(content)} nxc.sha256={hashlib.sha256(content).hexdigest()}")
    assert found.returncode == 0, found.stderr
    assert node.state("role") == "server"


def test_a_test_boot_needs_only_a_role(node: Node) -> None:
    assert node.find("nxc.standalone=1 nxc.role=client").returncode == 0
    assert node.state("host") == "client"


def test_init_may_name_the_roles_system_itself(node: Node) -> None:
    assert node.find(f"init={TOPLEVEL}/init nxc.info={encoded(INFORMATION)}").returncode == 0


WRONG = {
    "none": ("console=ttyS0", "there is no deployment information"),
    "a role alone": ("nxc.role=server", "there is no deployment information"),
    "no base64": ("nxc.info=%%%", "nxc.info is not base64url"),
    "empty": ("nxc.info=IA", "is not a document of version 1"),
    "no JSON": (f"nxc.info={encoded('x')[:-1]}", "is not a document of version 1"),
    "version": (f"nxc.info={encoded(INFORMATION | {'version': 2})}", "is not a document of version 1"),
    "role's name": (f"nxc.info={encoded(INFORMATION | {'role': '../x'})}", "is not a document of version 1"),
    "address": (
        f"nxc.info={encoded(INFORMATION | {'hosts': {'a': {'address': 'x y'}}})}",
        "is not a document of version 1",
    ),
    "unknown role": (
        f"nxc.info={encoded(INFORMATION | {'role': 'agent'})}",
        "the image has no role agent; it has client server",
    ),
    "another init": (
        f"init={TOPLEVEL}-client/init nxc.info={encoded(INFORMATION)}",
        "init= names another system than that of role server",
    ),
    "no digest": ("nxc.url=http://127.0.0.1:9/x", "nxc.url is given without nxc.sha256"),
    "no answer": (
        "nxc.url=http://127.0.0.1:9/x nxc.sha256=00",
        "the deployment information does not come from http://127.0.0.1:9/x",
    ),
}


@pytest.mark.parametrize(("cmdline", "says"), WRONG.values(), ids=WRONG.keys())
def test_with_wrong_information_no_role_starts_and_the_console_says_why(
    node: Node, cmdline: str, says: str
) -> None:
    assert node.find(cmdline).returncode == 1
    console = node.console.read_text()
    assert says in console
    assert "this node stays unconfigured: no role is started" in console
    assert not (node.root / "nxc/system").exists()
    assert not (node.run / "nxc/toplevel").exists()


def test_a_wrong_digest_is_refused(node: Node, serve: Callable[[bytes], str]) -> None:
    url = serve(json.dumps(INFORMATION).encode())
    assert node.find(f"nxc.url={url} nxc.sha256={'0' * 64}").returncode == 1
    assert "has the sha256" in node.console.read_text()


@pytest.fixture
def booted(node: Node) -> Node:
    (node.etc / "static").mkdir()
    (node.etc / "static/hosts").write_text("127.0.0.1 localhost\n")
    assert node.find(f"nxc.info={encoded(INFORMATION)}").returncode == 0
    done = node.inform("--boot")
    assert done.returncode == 0, done.stderr
    return node


def test_a_node_knows_its_name_its_peers_and_who_may_come_in(booted: Node) -> None:
    assert booted.hostname == "server1"
    assert (booted.etc / "hosts").read_text().splitlines() == [
        "127.0.0.1 localhost",
        "10.0.0.1 server1 server",
        "10.0.0.2 alice",
    ]
    assert booted.state("authorized_keys.d/root").splitlines() == INFORMATION["authorizedKeys"]
    assert (booted.etc / "nxc/role").read_text() == "server\n"


def test_a_running_node_takes_new_hosts_and_keys(booted: Node) -> None:
    changed = INFORMATION | {
        "hosts": {"server1": {"address": "10.0.0.9"}},
        "authorizedKeys": ["ssh-ed25519 CCCC carol"],
    }
    done = booted.inform(document=changed)
    assert done.returncode == 0, done.stderr
    assert "10.0.0.9 server1" in (booted.etc / "hosts").read_text()
    assert "alice" not in (booted.etc / "hosts").read_text()
    assert booted.state("authorized_keys.d/root") == "ssh-ed25519 CCCC carol"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (INFORMATION | {"role": "client"}, "the document is for another role: client"),
        (INFORMATION | {"host": "server2"}, "the document is for another host: server2"),
        (INFORMATION | {"node": "uid-2"}, "the document is for another node: uid-2"),
        (INFORMATION | {"version": 3}, "that is not a document of version 1"),
        (None, "that is not a document of version 1"),
    ],
)
def test_a_running_node_refuses_what_is_not_for_it(booted: Node, document: Any, says: str) -> None:
    before = (booted.etc / "hosts").read_text()
    done = booted.inform(document=document)
    assert done.returncode == 1
    assert says in done.stderr
    assert (booted.etc / "hosts").read_text() == before


def test_the_secret_address_for_reports_is_for_root_alone(node: Node) -> None:
    document = INFORMATION | {"report": "http://10.0.2.100/v1/report/token"}
    assert node.find(f"nxc.info={encoded(document)}").returncode == 0
    assert (node.run / "nxc/deployment.json").stat().st_mode & 0o077 == 0
    assert node.inform("--boot").returncode == 0
    assert "report" not in json.loads((node.etc / "nxc/deployment.json").read_text())
