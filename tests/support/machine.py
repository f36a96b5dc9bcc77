"""Where the tests run."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
"""The project's directory."""

EMULATED = bool(os.environ.get("EBPF_LAB_IN_VM"))
"""Inside the virtual machine, where everything takes twenty times as long."""


def lab_verbs() -> list[str]:
    """What ``./lab`` can be asked for on Linux."""
    return re.findall(r"^    ([a-z]+)(?: \|.*)?\)", (ROOT / "lab").read_text(), re.MULTILINE)
