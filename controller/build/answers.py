"""What Nix answers, parsed. Pure; what depends on a composition is checked as hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from controller.build.limits import GIB, KIB, MIB
from controller.build.log import plain
from controller.build.nar import is_store_path
from controller.model.errors import NxcError, UserError

WARNING = "nxc-warning: "
"""How nix/ marks a warning that it traces."""
_MOST_WARNINGS = 100


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What nix/entry.nix tells of a composition; `result` is all of it, but for `outPath`."""

    drv_path: str
    out_path: str
    roles: tuple[str, ...]
    result: Mapping[str, object]
    warnings: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed output that the store lacks: something from outside that Nix here may not fetch.

    `method` is `sha256` or, of an archive, `r:sha256`; `digest` is hexadecimal.
    """

    drv: str
    name: str
    path: str
    method: str
    digest: str
    url: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What the store lacks of a derivation: `build`, derivations to build, and what would have to be fetched."""

    build: tuple[str, ...]
    fixed: tuple[Fixed, ...]


@dataclass(frozen=True, slots=True)
class PathInfo:
    """A path of the store. `nar_size` in bytes, `nar_hash` as Nix writes it."""

    nar_size: int
    nar_hash: str
    references: tuple[str, ...]


def evaluation(output: bytes, errors: str, seconds: float) -> Evaluation:
    """What `nix-instantiate --eval --json` printed. UserError `EvaluationFailed`: it is not what it has to be."""
    try:
        result = json.loads(output)
    except (ValueError, RecursionError):
        raise _bad("the result of the evaluation cannot be read") from None
    if not isinstance(result, dict):
        raise _bad("the result of the evaluation is not a set")
    drv, out, roles = result.get("drvPath"), result.pop("imagePath", None), result.get("roles")
    if not (isinstance(drv, str) and is_store_path(drv) and drv.endswith(".drv")):
        raise _bad("the composition's image is no derivation")
    if not (isinstance(out, str) and is_store_path(out)):
        raise _bad("the composition's image has no output path")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise _bad("the names of the composition's roles are not strings")
    return Evaluation(drv, out, tuple(roles), result, warnings(errors), seconds)


def _bad(message: str) -> UserError:
    return UserError("EvaluationFailed", message)


def warnings(errors: str) -> tuple[str, ...]:
    """The warnings of nix/, each once, in the order of their coming."""
    told = (
        line.partition(WARNING)[2]
        for line in plain(errors).splitlines()
        if line.startswith(f"trace: {WARNING}")
    )
    return tuple(dict.fromkeys(told))[:_MOST_WARNINGS]


def to_build(errors: str) -> tuple[str, ...]:
    """The derivations that `nix-store --realise --dry-run` would build."""
    lines = (line.strip() for line in plain(errors).splitlines() if line.startswith("  "))
    return tuple(line for line in lines if line.endswith(".drv") and is_store_path(line))


def path_infos(output: bytes) -> dict[str, PathInfo]:
    """`nix path-info --json`: Nix 2.8 gives a list of objects with `path`, newer ones an object by path."""
    infos = json.loads(output)
    items = infos.items() if isinstance(infos, dict) else ((info["path"], info) for info in infos)
    read = {}
    for path, info in items:
        if not info or "narSize" not in info:
            raise NxcError("NixFailed", f"{path} is not in the store")
        read[path] = PathInfo(info["narSize"], info["narHash"], tuple(sorted(info["references"])))
    return read


_FREED = re.compile(r"([\d.]+) (bytes|KiB|MiB|GiB) freed")


def freed(said: str) -> int:
    """Bytes of `3 store paths deleted, 12.34 MiB freed`."""
    found = _FREED.findall(plain(said))
    units = {"bytes": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
    return int(float(found[-1][0]) * units[found[-1][1]]) if found else 0


def refusal(fixed: tuple[Fixed, ...]) -> UserError:
    """These fixed outputs are missing, and may not be fetched."""
    first = fixed[0]
    what = f"{first.name} (from {first.url})" if first.url else first.name
    more = f", and {len(fixed) - 1} more," if len(fixed) > 1 else ""
    return UserError(
        "FetchRefused",
        f"the composition needs {what}{more} from outside, and nothing may be fetched during a build; "
        "use packages of the package source, or put the file next to the composition",
    )
