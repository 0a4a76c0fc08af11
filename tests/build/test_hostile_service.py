"""Hostile compositions, end to end: applied as kubectl does it, refused in status, and the operator stays well."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.build.test_isolation import listener
from tests.build.test_service import House, Lab, house, lab, role

__all__ = ["house", "lab"]  # fixtures

pytestmark = pytest.mark.slow

SECRET = "the token of the controller"


def fixed(url: str, name: str = "wanted") -> str:
    """A composition that wants this as a fixed output."""
    return role(f"""environment.etc.x.source = derivation {{
      name = "{name}"; system = "builtin"; builder = "builtin:fetchurl"; url = "{url}";
      outputHash = "{"0" * 64}"; outputHashAlgo = "sha256"; outputHashMode = "flat";
    }};""")


def forged(manifest: str) -> str:
    """A composition whose overlay writes this as the manifest of its image."""
    return f"""{{ pkgs, ... }}: {{
  overlays = [ (final: prev: {{
    run = args: prev.run (if prev.lib.hasPrefix "nxc-image" args.name or "" then args // {{
      script = "mkdir -p $out; cat > $out/manifest.json <<'EOF'\\n${{''{manifest}''}}\\nEOF";
    }} else args);
  }}) ];
  roles.server = {{ }};
}}
"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that the operator may read."""
    for place in (tmp_path, *list(tmp_path.parents)[:2]):
        place.chmod(place.stat().st_mode | 0o755)
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "token").chmod(0o644)
    return tmp_path / "token"


async def refused(lab: Lab, text: str, condition: str, says: str) -> str:
    """Applies it; the message of the condition that has to become false."""
    await lab.apply(text)
    status, stalled = await lab.condition("Stalled", "True")
    _, found = await lab.condition(condition, "False")
    assert re.search(says, found["message"], re.DOTALL), found["message"]
    assert SECRET not in json.dumps(status)
    return str(stalled["reason"])


@pytest.mark.parametrize(
    "line",
    [
        "environment.etc.x.source = {path};",
        "environment.etc.x.text = builtins.readFile {path};",
        "imports = [ {path} ];",
        'environment.etc.x.text = builtins.readFile (builtins.fetchurl "file://{path}");',
    ],
)
async def test_a_file_of_the_operator_is_refused_by_name(
    house: House, lab: Lab, secret: Path, line: str
) -> None:
    await refused(
        lab,
        role(line.format(path=secret)),
        "Evaluated",
        "token' (may not be read|is not there)|/tmp' may not",
    )


async def test_a_fixed_output_from_loopback_is_refused_by_name(house: House, lab: Lab) -> None:
    with listener() as (port, came):
        reason = await refused(
            lab,
            fixed(f"http://127.0.0.1:{port}/x"),
            "Built",
            f"wanted \\(from http://127.0.0.1:{port}/x\\).*from outside",
        )
        assert reason == "FetchRefused"
        assert came == []


async def test_a_file_as_a_fixed_output_is_refused_by_name(house: House, lab: Lab, secret: Path) -> None:
    reason = await refused(
        lab, fixed(f"file://{secret}"), "Built", f"wanted \\(from file://{secret}\\).*from outside"
    )
    assert reason == "FetchRefused"


async def test_a_package_that_is_not_in_the_lock_is_refused(house: House, lab: Lab, secret: Path) -> None:
    """The one that fetches fetches what is locked; a composition cannot lock."""
    text = fixed(f"file:///nxc-seed/../..{secret}", "evil.deb")
    await refused(lab, text, "Built", r"evil\.deb \(from file:///nxc-seed/.*from outside")


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("{ }", "manifest"),
        ('{"version": 1, "flavour": "vm-ramdisk", "kernel": "/etc/shadow"}', "manifest"),
        ("not JSON", "manifest"),
    ],
)
async def test_a_forged_manifest_is_refused(house: House, lab: Lab, manifest: str, says: str) -> None:
    reason = await refused(lab, forged(manifest), "Built", says)
    assert reason == "ForgedManifest"


async def test_after_all_that_the_operator_is_well(house: House, lab: Lab) -> None:
    await lab.apply(role('environment.etc.fine.text = "fine";'))
    await lab.condition("Ready", "True")
    assert "Traceback" not in house.operator.said()
