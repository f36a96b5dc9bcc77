"""What the compiler warned of, in words, for whoever ran the text that it compiled."""

from __future__ import annotations

from collections.abc import Sequence

from ebpf_lab.errors import LabError, Mark


def title(warnings: Sequence[Mark]) -> str:
    """How many there are."""
    return f"the compiler warns of {'this' if len(warnings) == 1 else f'{len(warnings)} places'}:"


def words(warnings: Sequence[Mark]) -> str:
    """The marked lines, as errors show theirs; "" for none."""
    return str(LabError(title(warnings), where=tuple(warnings))) if warnings else ""
