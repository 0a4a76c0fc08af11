"""The programs that a jail sees: this host's, or those of another system that lies somewhere on it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from controller.build.nar import STORE
from controller.model.errors import NxcError

_SHOWN = (
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/share/nix",
)
_MERGED = ("/bin", "/lib", "/lib64")


@dataclass(frozen=True, slots=True)
class System:
    """The system below `root` (empty: the host's own), of which jails see programs and libraries, read-only."""

    root: str = ""

    def binds(self) -> list[tuple[str, str, str]]:
        """What is shown where, for `jail.py`."""
        paths = [path for path in _SHOWN if os.path.isdir(self.root + path)]
        paths += [
            path
            for path in _MERGED
            if os.path.isdir(self.root + path) and not os.path.islink(self.root + path)
        ]
        return [(self.root + path, path, "ro") for path in paths]

    def links(self) -> dict[str, str]:
        """`/lib` and the like where they are links, as on a system with a merged /usr (or without them at all)."""
        links = {}
        for path in _MERGED:
            if os.path.islink(self.root + path):
                links[path] = os.readlink(self.root + path)
            elif not os.path.isdir(self.root + path) and os.path.isdir(f"{self.root}/usr{path}"):
                links[path] = f"usr{path}"
        return links

    def tool(self, name: str) -> str:
        """The path, inside, of one of Nix's programs. NxcError `NixMissing`: it is not there."""
        if self.root:
            places = ("/usr/bin", "/usr/local/bin", "/bin")
            found = next(
                (f"{place}/{name}" for place in places if os.path.exists(f"{self.root}{place}/{name}")), None
            )
        else:
            found = shutil.which(name)
        if found is None:
            raise NxcError(
                "NixMissing", f"{name} is not on the PATH; install Nix 2.8 or newer (Debian: nix-bin)"
            )
        real = os.path.realpath(found)
        if not self.root and real.startswith(f"{STORE}/"):
            raise NxcError(
                "NixMissing",
                f"{found} lies in {STORE}, which the controller's own store takes the place of; name a system "
                "with Nix in /usr/bin (a Debian tree with nix-bin, for instance)",
            )
        return found


HOST = System()
