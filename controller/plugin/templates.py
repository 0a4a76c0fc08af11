"""`kubectl nxc init`: begin from one of the examples that ship with the program."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from controller import shipped
from controller.model.errors import UserError


def templates() -> dict[str, str]:
    """The templates by name, each with its first line of comment."""
    try:
        root = shipped.folder("examples")
    except FileNotFoundError as error:
        raise UserError("NoTemplates", str(error)) from None
    found = {}
    for composition in sorted(root.glob("*/composition.yaml")):
        first = composition.read_text("utf-8").partition("\n")[0]
        found[composition.parent.name] = first.lstrip("# ").strip()
    return found


def listing() -> str:
    """The templates, a line each."""
    known = templates()
    width = max(map(len, known), default=0)
    return "\n".join(f"{name.ljust(width)}   {about}" for name, about in known.items())


def init(template: str, directory: Path) -> list[str]:
    """Copy a template into a directory; what to do next, a line each. Nothing is overwritten."""
    known = templates()
    if template not in known:
        raise UserError("NoSuchTemplate", f"there is no template {template!r}; there are: {', '.join(known)}")
    if directory.exists() and not directory.is_dir():
        raise UserError("BadDirectory", f"{directory} is no directory")
    if directory.is_dir() and any(directory.iterdir()):
        raise UserError("BadDirectory", f"{directory} is not empty: name a new directory")
    source = shipped.folder("examples") / template
    try:
        shutil.copytree(
            source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    except (OSError, shutil.Error) as error:
        raise UserError("BadDirectory", f"cannot write to {directory}: {error}") from None
    return [
        f"{directory}: {known[template]}",
        f"  kubectl apply -f {directory}",
        f"  kubectl nxc status {_deployment(source) or 'NXD'} --watch",
    ]


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a new directory. Nothing is overwritten."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError("BadDirectory", f"{directory} is there, and not empty: name a new directory")
    try:
        for path, data in files.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(data)
    except OSError as error:
        raise UserError("BadDirectory", f"cannot write to {directory}: {error}") from None


def _deployment(folder: Path) -> str:
    for file in sorted(folder.glob("*.yaml")):
        for item in yaml.safe_load_all(file.read_text("utf-8")):
            if isinstance(item, dict) and item.get("kind") == "Deployment":
                return str(item.get("metadata", {}).get("name", ""))
    return ""
