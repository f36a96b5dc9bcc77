"""A frame in pages, sorted and searched, fast enough for a million rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.shown import texts
from ebpf_lab.notebook.view.matching import contains, order

_LONGEST = 300
"""Characters of a value that a page carries; the table shows fewer."""


@dataclass(frozen=True, slots=True)
class Query:
    """What of a table is wanted.

    Attributes
    ----------
    start, size : int
        Rows to leave out, and to show.
    sort : str
        The column to sort by, "" for the order of the frame.
    descending : bool
    words : str
        Every word must be in the row, whatever its case; ``column:word`` looks in that column alone.
    """

    start: int = 0
    size: int = 10
    sort: str = ""
    descending: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as texts, with the frame's labels of them, and how many rows match altogether.

    ``start`` is the wanted one, or that of the last page where there are not so many rows.
    """

    labels: list[str]
    rows: list[list[str | None]]
    start: int
    matched: int


class Table:
    """Pages of one frame; remembers the last order and the last search.

    Parameters
    ----------
    frame : DataFrame
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._order: tuple[tuple[str, bool], NDArray[np.intp]] | None = None
        self._matching: tuple[str, NDArray[np.bool_] | None] = ("", None)
        self._chosen: tuple[object, NDArray[np.intp] | None] = (None, None)

    def __len__(self) -> int:
        return len(self._frame)

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """Names of the columns, and whether their values stand to the right, as quantities do."""
        names = map(str, self._frame.columns)
        return [(name, self._column(at).dtype.kind in "iufm") for at, name in enumerate(names)]

    def page(self, query: Query) -> Page:
        """The rows that are wanted."""
        rows = self._rows(query)
        matched = len(self._frame) if rows is None else len(rows)
        start = max(min(query.start, (matched - 1) // query.size * query.size), 0)
        wanted = slice(start, start + query.size)
        part = self._frame.iloc[wanted if rows is None else rows[wanted]]
        columns = [texts(part.iloc[:, at]) for at in range(part.shape[1])]
        shown = [[_short(value) for value in row] for row in zip(*columns, strict=True)]
        return Page([str(label) for label in part.index], shown, start, matched)

    def _rows(self, query: Query) -> NDArray[np.intp] | None:
        """Positions in the frame, in order; None for all as they are."""
        if not query.sort and not query.words.strip():
            return None
        key = (query.sort, query.descending, query.words)
        if self._chosen[0] != key:
            rows = self._sorted(query.sort, query.descending) if query.sort else np.arange(len(self._frame))
            mask = self._search(query.words)
            self._chosen = (key, rows if mask is None else rows[mask[rows]])
        return self._chosen[1]

    def _sorted(self, name: str, descending: bool) -> NDArray[np.intp]:
        if self._order is None or self._order[0] != (name, descending):
            self._order = ((name, descending), order(self._named(name), descending))
        return self._order[1]

    def _search(self, words: str) -> NDArray[np.bool_] | None:
        if self._matching[0] != words:
            mask: NDArray[np.bool_] | None = None
            for word in words.split():
                found = self._word(word)
                mask = found if mask is None else mask & found
            self._matching = (words, mask)
        return self._matching[1]

    def _word(self, word: str) -> NDArray[np.bool_]:
        name, colon, rest = word.partition(":")
        names = list(map(str, self._frame.columns))
        if colon and name in names:
            return contains(self._named(name), rest.lower())
        mask = np.zeros(len(self._frame), bool)
        for at in range(len(names)):
            mask |= contains(self._column(at), word.lower())
        return mask

    def _named(self, name: str) -> pd.Series[Any]:
        return self._column(list(map(str, self._frame.columns)).index(name))

    def _column(self, at: int) -> pd.Series[Any]:
        return self._frame.iloc[:, at]


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
