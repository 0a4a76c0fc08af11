"""What goes wrong around the machines: the disk of their records is full, the API server is killed."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.model.kinds import DEPLOYMENT
from tests.bench.planes import Local
from tests.loop.process import free_port
from tests.loop.stage import condition
from tests.system.vm.conftest import Site, operator_with, stage_on
from tests.system.vm.stage import BOOT_SECONDS

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class FrailSite(Site):
    """A site with an API server that can be killed, and a small file system for the records of its machines."""

    plane: Local

    @property
    def filler(self) -> Path:
        """Where this is, nothing else has room."""
        return self.state / "machines" / "filler"

    def fill(self) -> None:
        """Leave no room for records."""
        with self.filler.open("wb", buffering=0) as stream:
            while True:
                try:
                    stream.write(bytes(1 << 12))
                except OSError as error:
                    if error.errno == errno.ENOSPC:
                        return
                    raise

    def kill_api_server(self) -> None:
        """As the kernel's out-of-memory killer does it."""
        assert self.plane.process is not None
        self.plane.process.kill()
        self.plane.process.wait(10)


@pytest.fixture
def frail_site(images: Path, tmp_path: Path) -> Iterator[FrailSite]:
    records = tmp_path / "machines"
    records.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m,mode=700", "nxc-test", str(records)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with Local(tmp_path / "plane", "--no-operator", "--port", str(free_port())) as plane:
            operator = operator_with(images, plane.kubeconfig, tmp_path)
            try:
                operator.start()
                yield FrailSite(plane.kubeconfig, operator, tmp_path, plane)
                assert operator.stop() == 0
            finally:
                if operator.running:
                    operator.kill()
    finally:
        subprocess.run(["umount", "--lazy", str(records)], check=True)


async def test_a_full_disk_and_a_killed_api_server_are_told_of_and_outlived(frail_site: FrailSite) -> None:
    async with stage_on(frail_site, patient=True) as stage:
        await asyncio.to_thread(frail_site.fill)
        await stage.tiny()

        async def told() -> bool:
            held = condition(await stage.get(DEPLOYMENT, "web"), "Reconciling", "True")
            return held is not None and "No space left on device" in held["message"]

        await stage.until("the deployment says that the disk is full", told, 30)
        frail_site.filler.unlink()
        await stage.ready(seconds=BOOT_SECONDS)
        assert (await stage.node())["status"]["attempt"] == 1  # nobody had booted anything
        # while there is no API server, the machine ends
        await asyncio.to_thread(frail_site.kill_api_server)
        os.kill(await stage.pid(), signal.SIGKILL)
        await asyncio.to_thread(frail_site.plane.__enter__)

        async def second() -> bool:
            return (await stage.node())["status"].get("attempt") == 2

        await stage.until("the machine is started again", second, 120)
        await stage.ready(seconds=BOOT_SECONDS)
        failure = (await stage.node())["status"]["lastFailure"]
        assert failure["message"] == "QEMU was ended by signal 9"
    assert frail_site.operator.stop() == 0
    assert not frail_site.runtime.exists()
    assert "Traceback" not in frail_site.operator.said(), frail_site.operator.said()
