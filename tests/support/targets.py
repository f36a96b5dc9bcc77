"""Programs built from C to be traced."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "targets"


def build(name: str, directory: Path) -> Path:
    """Compile ``tests/targets/<name>.c`` into ``directory`` and return the program's path."""
    program = directory / name
    subprocess.run(
        # Fortified, printf() would be __printf_chk(); -O1 keeps the functions that probes name.
        ["gcc", "-O1", "-g", "-U_FORTIFY_SOURCE", "-Wall", "-Werror", "-o", program, SOURCES / f"{name}.c"],
        check=True,
    )
    return program
