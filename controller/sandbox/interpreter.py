"""This Python in the jail: the interpreter, the driver of test scripts, and the libraries that it needs. Read-only."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import controller

CODE, LIBRARIES = "/nxc/code", "/nxc/lib"
NEEDED = ("asyncssh", "cryptography", "_cffi_backend", "typing_extensions")
_SHOWN = ("/usr/bin", "/usr/lib", "/usr/local")
_NIX = "/nix/store"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What is shown where, the environment, and the command line of a module."""

    binds: tuple[tuple[str, str, str], ...]
    environment: dict[str, str]
    program: str

    def command(self, module: str) -> list[str]:
        """A command line without user's and site's configuration."""
        return [self.program, "-s", "-S", "-P", "-B", "-m", module]


def interpreter() -> Interpreter:
    """As this process has them. Looks at files."""
    program, prefix = os.path.realpath(sys.executable), sys.base_prefix
    binds = [(str(Path(controller.__file__).parent), f"{CODE}/controller", "ro")]
    if prefix.startswith(f"{_NIX}/"):
        binds.append((_NIX, _NIX, "ro"))
    elif prefix != "/usr" and not prefix.startswith(_SHOWN):
        binds.append((prefix, prefix, "ro"))
    paths = [CODE]
    for place in dict.fromkeys(filter(None, map(_place, NEEDED))):
        paths.append(f"{LIBRARIES}{len(paths)}")
        binds.append((place, paths[-1], "ro"))
    environment = {
        "PYTHONPATH": ":".join(paths),
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108  the jail's own
        "LANG": "C.UTF-8",
        **({"LD_LIBRARY_PATH": f"{prefix}/lib"} if prefix != "/usr" else {}),
    }
    return Interpreter(tuple(binds), environment, program)


def _place(module: str) -> str | None:
    """The directory that a library is imported from; `None` where it is not installed, or comes with Python."""
    found = find_spec(module)
    if found is None or not found.origin:
        return None
    origin = Path(found.origin)
    return str(origin.parent.parent if origin.name == "__init__.py" else origin.parent)
