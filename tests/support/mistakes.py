"""Mistakes that learners make: a cell as it was written, what the lab says to it, and the cell mended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent.parent / "data" / "mistakes"
LOGS = CASES / "logs"

_PART = re.compile(r"^--- (\w+)\n", re.MULTILINE)
_OMITTED = re.compile(r"\n  \(\d+ log lines omitted: err\.log\)$")


@dataclass(frozen=True)
class Mistake:
    """One case: ``name`` is "arrow_for_dot.bcc"."""

    name: str
    cell: str
    error: str
    fixed: str

    @property
    def dialect(self) -> str:
        """Of the cell."""
        return self.name.partition(".")[2]


def mistakes() -> list[Mistake]:
    """All cases."""
    return [_read(path) for path in sorted(CASES.glob("*.txt"))]


def shown(block: str) -> str:
    """An error's block without the number of the log's lines, which is the compiler's affair."""
    return _OMITTED.sub("", block)


def taught(block: str) -> list[str]:
    """What of a block does not depend on the compiler's version: the cause and the fix."""
    lines = block.splitlines()
    first = next((at for at, line in enumerate(lines) if line.startswith(("  why ", "  fix "))), len(lines))
    return lines[first:]


def _read(path: Path) -> Mistake:
    _, *parts = _PART.split(path.read_text())
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    return Mistake(path.stem, found["cell"], found["error"].rstrip("\n"), found["fixed"])
