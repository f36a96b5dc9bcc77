"""Directories of recordings, such as the course's: each recording is found by its program and options."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from ebpf_lab.errors import UsageProblem
from ebpf_lab.recordings.model import Asked

REPLAY, RECORD = "EBPF_LAB_REPLAY", "EBPF_LAB_RECORD"
"""Variables of the environment: the directory whose recordings cells and scripts replay, or record into."""

RECORDINGS = "recordings"
"""The directory of the course's, beside its notebooks."""

LIVE_ELSEWHERE = "open the lesson where programs run: %bpf doctor says what this machine lacks"

_DIGITS = 12
"""Digits of a recording's key in its name."""


def replays() -> Path | None:
    """Where this notebook's recordings are, None where its programs run in a kernel."""
    return _directory(REPLAY)


def records() -> Path | None:
    """Where this notebook's traces are recorded, None where they are not."""
    return _directory(RECORD)


def _directory(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return Path(named) if named else None


def place(directory: Path, text: str, asked: Asked, function: str) -> Path:
    """The name of a recording in a directory: a program's function for people, and what it is found by."""
    readable = re.sub(r"\W", "_", function, flags=re.ASCII)[:40] or "program"
    return directory / f"{readable}-{asked.key(text)[:_DIGITS]}.zip"


def find(directory: Path, text: str, asked: Asked) -> Path:
    """The recording of a program, of this machine's architecture where there is one.

    Raises
    ------
    UsageProblem
        There is none.
    """
    found = sorted(
        directory.rglob(f"*-{asked.key(text)[:_DIGITS]}.zip"),
        key=lambda path: (platform.machine() not in path.parts, path),
    )
    if found:
        return found[0]
    if not any(directory.rglob("*.zip")):
        raise UsageProblem(f"there are no recordings in {directory}")
    raise UsageProblem(
        "there is no recording of this cell as it is now",
        why=f"nothing runs in a kernel here: cells show what was recorded ({directory})",
        hint=f"undo the changes to its C and its first line, if there are any, or {LIVE_ELSEWHERE}",
    )
