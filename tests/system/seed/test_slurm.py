"""Debian's munge and Slurm, configured by NixOS's options, run a job on a machine of the seed."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from tests.nix.seed_store import NIX, SeedStore
from tests.system.seed.machine import Image, Machine, information, inline

pytestmark = pytest.mark.slow

CLUSTER = f"""
  let
    source = import {NIX}/seed {{ }};
    pkgs = source.pkgs [ ];
    inherit (source.flavours) vm-ramdisk;
  in
  vm-ramdisk.image {{
    inherit pkgs;
    metadata.composition = "test";
    roles.server = source.evalRole {{
      name = "server";
      inherit pkgs;
      modules = [
        vm-ramdisk.module
        {{
          environment.etc."munge/munge.key" = {{
            text = "a key for a test only, of at least 32 bytes";
            mode = "0400"; user = "munge"; group = "munge";
          }};
          services.slurm = {{
            server.enable = true;
            client.enable = true;
            controlMachine = "server";
            nodeName = [ "server CPUs=1 State=UNKNOWN" ];
            partitionName = [ "debug Nodes=server Default=YES MaxTime=INFINITE State=UP" ];
          }};
        }}
      ];
    }};
  }}
"""


@pytest.fixture(scope="module")
def cluster(qemu: str, seed_store: SeedStore) -> Image:
    """One machine that is a whole cluster."""
    return Image.of(seed_store.build(CLUSTER))


async def test_slurm_runs_a_job(
    cluster: Image, client_key: asyncssh.SSHKey, public_key: str, tmp_path: Path
) -> None:
    hosts = {"server": {"address": "10.0.2.15", "aliases": []}}
    document = information("server", public_key, hosts=hosts)
    node = Machine(cluster, tmp_path, [inline(document)], client_key, memory=512)
    node.boot()
    try:
        await node.says("the role server is up")
        await node.eventually("sinfo --noheader --format %T | grep -x idle")
        assert await node.succeed("srun hostname") == "server\n"
        assert await node.succeed("systemctl list-units --state=failed --plain --no-legend") == ""
    finally:
        await node.off()
