"""The benchmarks' own programs in C, compiled when they are needed."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"


class NotCompiled(Exception):
    """gcc is missing, or refused a program."""


@cache
def compiled(name: str, *libraries: str) -> Path:
    """The program made of ``NAME.c``, compiled by gcc once a run.

    Raises
    ------
    NotCompiled
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / name
    command = [
        "gcc",
        "-O2",
        "-o",
        str(program),
        str(HERE / f"{name}.c"),
        *(f"-l{each}" for each in libraries),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotCompiled("gcc is not installed") from None
    if done.returncode:
        raise NotCompiled(done.stderr)
    return program
