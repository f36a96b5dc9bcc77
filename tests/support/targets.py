"""Programs built from C to be traced."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "targets"

SEEK_MARK = 0x1000 + os.getpid() % 64
"""By which programs know the calls of ``seek``: another run of the tests at the same time has its own.  There
are but a few, so that compiled programs are found in the cache."""


def build(name: str, directory: Path) -> Path:
    """Compile ``tests/targets/<name>.c`` into ``directory`` and return the program's path."""
    program = directory / name
    subprocess.run(
        # Fortified, printf() would be __printf_chk(); -O1 keeps the functions that probes name.
        [
            "gcc",
            "-O1",
            "-g",
            "-U_FORTIFY_SOURCE",
            "-Wall",
            "-Werror",
            f"-DMARK={SEEK_MARK}",
            "-o",
            program,
            SOURCES / f"{name}.c",
        ],
        check=True,
    )
    return program
