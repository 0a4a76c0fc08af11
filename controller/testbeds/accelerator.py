"""How machines are run on this host: KVM where it really works, else emulation."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path


class Accelerator(StrEnum):
    """QEMU's name of it (`-accel`)."""

    KVM = "kvm"
    TCG = "tcg"


def probe(
    device: Path = Path("/dev/kvm"),
    cpuinfo: Path = Path("/proc/cpuinfo"),
    modules: Path = Path("/sys/module"),
) -> Accelerator:
    """KVM if the device may be opened and the processor virtualizes by itself.

    Without vmx or svm (kvm_pvm, a paravirtual KVM of some clouds) /dev/kvm opens, and ordinary kernels crawl or
    abort.
    """
    if (modules / "kvm_pvm").exists() or not os.access(device, os.R_OK | os.W_OK):
        return Accelerator.TCG
    try:
        flags = cpuinfo.read_text(errors="replace")
    except OSError:
        return Accelerator.TCG
    return Accelerator.KVM if re.search(r"\b(vmx|svm)\b", flags) else Accelerator.TCG
