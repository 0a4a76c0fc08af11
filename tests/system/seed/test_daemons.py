"""Debian's daemons, configured by NixOS's options, on machines of the seed."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from tests.system.seed.machine import NETWORK, Image, Machine, free_port, information, inline

pytestmark = pytest.mark.slow


async def test_real_daemons_start_and_answer(
    daemons: Image, client_key: asyncssh.SSHKey, public_key: str, tmp_path: Path
) -> None:
    node = Machine(daemons, tmp_path, [inline(information("server", public_key))], client_key, memory=512)
    node.boot()
    try:
        await node.says("the role server is up")
        assert await node.succeed("systemctl list-units --state=failed --plain --no-legend") == ""
        assert await node.eventually("curl -sf http://127.0.0.1/") == "served by nginx\n"
        assert await node.eventually("redis-cli ping") == "PONG\n"
        asked = "su postgres -s /bin/sh -c \"psql -tAc 'select 6 * 7'\""
        assert "42" in await node.eventually(asked)
        await node.eventually("iperf3 -c 127.0.0.1 -t 1 >/dev/null")
        # kill -9 of the main process: another one answers
        await node.succeed("kill -9 $(systemctl show -p MainPID --value nginx)")
        assert await node.eventually("curl -sf http://127.0.0.1/") == "served by nginx\n"
        await node.succeed("systemctl stop nginx postgresql; ! ps | grep -E '[n]ginx: master|[b]in/postgres'")
    finally:
        await node.off()


async def test_a_client_mounts_a_folder_of_another_machine(
    nfs: Image, client_key: asyncssh.SSHKey, public_key: str, tmp_path: Path
) -> None:
    port = free_port()
    addresses = {"server": "10.0.0.1", "client": "10.0.0.2"}
    hosts = {name: {"address": address, "aliases": []} for name, address in addresses.items()}

    def machine(role: str, number: int, network: str) -> Machine:
        document = information(role, public_key, hosts=hosts)
        network_card = {"mac": NETWORK.format(number), "address": f"{addresses[role]}/24", "gateway": None}
        document["interfaces"].append(network_card)
        return Machine(
            nfs, tmp_path / role, [inline(document)], client_key, 256, network=network, number=number
        )

    server = machine("server", 1, f"socket,listen=127.0.0.1:{port}")
    client = machine("client", 2, f"socket,connect=127.0.0.1:{port}")
    try:
        server.boot()
        client.boot()
        await server.succeed("echo carried > /srv/shared/there")
        assert await client.eventually("cat /data/there", 150) == "carried\n"
        await client.succeed("echo back > /data/here")
        assert await server.succeed("cat /srv/shared/here") == "back\n"
    finally:
        await client.off()
        await server.off()
