"""A ``%%bpf`` cell as text: its first line, and its C."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from ebpf_lab.source.dialect import told
from ebpf_lab.source.lexer import Scan, scan
from ebpf_lab.source.maps import FoundMap, bcc_maps, libbpf_maps
from ebpf_lab.source.spec import Dialect

# IPython lets empty lines stand above a cell's magic.
_FIRST_LINE = re.compile(r"\s*%%bpf(?P<options>[ \t][^\n]*)?(?P<end>\n|\Z)")
_BACKEND = re.compile(r"--backend[ =](\w+)")


@dataclass(frozen=True)
class Cell:
    """A cell that begins with ``%%bpf``.

    Attributes
    ----------
    options : str
        What stands behind the magic.
    code : str
        The C below.
    start : int
        Where the C begins in the cell.
    """

    options: str
    code: str
    start: int

    @classmethod
    def read(cls, text: str) -> Cell | None:
        """The cell, None when it is another one."""
        first = _FIRST_LINE.match(text)
        if first is None:
            return None
        start = first.end() if first["end"] else len(text) + 1
        return cls(first["options"] or "", text[start:], start)

    @cached_property
    def scan(self) -> Scan:
        """The tokens of its C."""
        return scan(self.code)

    @cached_property
    def dialect(self) -> Dialect | None:
        """The dialect it is written in, None while nothing shows it."""
        asked = _BACKEND.search(self.options.split(" -- ")[0])
        if asked is not None and asked[1] in set(Dialect):
            return Dialect(asked[1])
        shown = told(self.scan)
        return shown[0] if shown is not None else None

    @cached_property
    def maps(self) -> list[FoundMap]:
        """The maps that its C declares."""
        return [*bcc_maps(self.scan), *libbpf_maps(self.scan)]

    def names(self) -> set[str]:
        """The names in its C."""
        return {token.text for token in self.scan.tokens if token.kind == "name"} | set(self.scan.macros)

    def types(self, word: str) -> set[str]:
        """The names behind "struct", "union" or "enum" in its C."""
        tokens = self.scan.tokens
        return {
            behind.text for token, behind in pairwise(tokens) if token.text == word and behind.kind == "name"
        }
