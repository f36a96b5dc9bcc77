"""Patterns in which ``*`` is the only special sign: test ids are full of brackets."""

from __future__ import annotations

import re
from pathlib import Path


def matches(pattern: str, text: str) -> bool:
    """Whether ``text`` is ``pattern``, where ``*`` stands for any characters."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text) is not None


def files(directory: Path, pattern: str) -> list[Path]:
    """Files of ``directory`` that match, sorted; finding none is an error, and no empty run of tests."""
    found = sorted(directory.glob(pattern))
    if not found:
        raise FileNotFoundError(f"no file matches {directory / pattern}")
    return found
