"""The words of a cell's first line, and errors that point at them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import NoReturn

from ebpf_lab.errors import Mark, UsageProblem

MAGIC = "%%bpf"
"""What the line begins with."""


class Word(str):
    """A word of the line: what it means, and where and how (``raw``, quotes included) it is written."""

    __slots__ = ("raw", "start")
    raw: str
    start: int

    @classmethod
    def read(cls, raw: str, start: int) -> Word:
        """The word that ``raw``, at character ``start`` of the line, stands for."""
        word = cls("".join(shlex.split(raw)))
        word.raw, word.start = raw, start
        return word


class Refused(Exception):
    """A value is wrong, from character ``start`` to ``end`` of it; :func:`refuse` says so to the user."""

    def __init__(
        self, value: str, what: str, *, why: str = "", hint: str = "", start: int = 0, end: int | None = None
    ) -> None:
        super().__init__(what)
        self.value, self.what, self.why, self.hint = value, what, why, hint
        self.start = start
        self.end = len(value) if end is None else end


_WORD = re.compile(r"""(?:[^ \t\r\n'"\\]|\\[\s\S]|'[^']*'|"(?:\\[\s\S]|[^"\\])*")+""")


def split_line(line: str) -> list[Word]:
    """The line's words, divided as by a shell.

    Raises
    ------
    UsageProblem
        A quotation mark is not closed.
    """
    words = []
    at = 0
    while at < len(line):
        match = _WORD.match(line, at)
        if match is not None:
            words.append(Word.read(match.group(), at))
            at = match.end()
        elif line[at] not in " \t\r\n":
            what, hint = "this quotation mark is never closed", "'…' and \"…\" come in pairs"
            if line[at] == "\\":
                what, hint = "this backslash has nothing behind it", "a backslash itself is written twice"
            raise UsageProblem(what, where=(_mark(line, at, at + 1),), hint=hint)
        else:
            at += 1
    return words


def refuse(line: str, words: Sequence[Word], refused: Refused) -> NoReturn:
    """Raise the UsageProblem for a wrong value, marked in the line."""
    value = refused.value
    word = value if isinstance(value, Word) else next((each for each in words if each.endswith(value)), None)
    where: tuple[Mark, ...] = ()
    if word is not None:
        start, end = word.start, word.start + len(word.raw)
        if word.raw == word:  # nothing in it is quoted, and so its characters are the line's
            shift = start + len(word) - len(value)
            start, end = shift + refused.start, shift + refused.end
        where = (_mark(line, start, end),)
    raise UsageProblem(refused.what, where=where, why=refused.why, hint=refused.hint) from None


def _mark(line: str, start: int, end: int) -> Mark:
    return Mark(0, f"{MAGIC} {line}", len(MAGIC) + 2 + start, max(end - start, 1))
