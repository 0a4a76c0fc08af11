"""KVM only where it really works."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.testbeds.accelerator import Accelerator, probe

INTEL = "flags\t\t: fpu vme vmx sse\n"
AMD = "flags\t\t: fpu svm sse\n"
NEITHER = "flags\t\t: fpu vme sse vmxish\n"


@pytest.mark.parametrize(
    ("flags", "device", "pvm", "expected"),
    [
        (INTEL, True, False, Accelerator.KVM),
        (AMD, True, False, Accelerator.KVM),
        (NEITHER, True, False, Accelerator.TCG),
        (INTEL, False, False, Accelerator.TCG),
        (INTEL, True, True, Accelerator.TCG),
        ("", True, False, Accelerator.TCG),
    ],
)
def test_kvm_needs_device_processor_and_no_imitation(
    tmp_path: Path, flags: str, device: bool, pvm: bool, expected: Accelerator
) -> None:
    (tmp_path / "cpuinfo").write_text(flags)
    if device:
        (tmp_path / "kvm").touch()
    (tmp_path / "module").mkdir()
    if pvm:
        (tmp_path / "module" / "kvm_pvm").mkdir()
    assert probe(tmp_path / "kvm", tmp_path / "cpuinfo", tmp_path / "module") is expected


def test_without_proc_it_is_emulation(tmp_path: Path) -> None:
    (tmp_path / "kvm").touch()
    assert probe(tmp_path / "kvm", tmp_path / "none", tmp_path) is Accelerator.TCG
