"""The builder with Nix, as the entry points of group `nxc.builders` name it."""

from __future__ import annotations

from controller.build.api import BuildContext
from controller.build.nix_engine import NixEngine
from controller.build.service import BuildService


def nix(context: BuildContext) -> BuildService:
    """One service for the package sources of all kinds."""
    return BuildService(context, NixEngine(context.settings))
