"""What ``ebpf-lab run`` writes frames as, portion by portion: tables, lines of JSON, CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any, Protocol, TextIO

import numpy as np
import pandas as pd

from ebpf_lab.cli.rows import Plain, plain_columns
from ebpf_lab.frame.hexint import HexDtype
from ebpf_lab.frame.shown import printable

_LONGEST = 20
"""Width of a column of text in a table, where it is not the last one."""
_INTEGERS = {1: 3, 2: 6, 4: 7, 8: 12}
"""Widths of integers by their bytes: what is common, such as process ids, and not what is possible."""
_SECONDS = 13


class Writer(Protocol):
    """Takes the portions of a frame, which all have the same columns."""

    def write(self, frame: pd.DataFrame) -> None:
        """Write all rows."""

    def close(self) -> None:
        """Finish; there may have been no rows."""


class TextTable:
    """A table whose columns stay where they are: widths come from types, and the last column is free.

    A value that is too wide moves what is behind it in its own row alone.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._widths: list[int] | None = None

    def write(self, frame: pd.DataFrame) -> None:
        """Write all rows, and before the first ones the names of the columns."""
        if not len(frame):
            return
        columns = plain_columns(frame)
        shown = [[_shown(value, _is_time(frame[name])) for value in columns[name]] for name in columns]
        right = [frame[name].dtype.kind in "iufm" for name in columns]
        lines = []
        if self._widths is None:
            self._widths = [_width(frame[name]) for name in columns]
            lines.append(_line(list(columns), self._widths, right))
        lines += [_line(row, self._widths, right) for row in zip(*shown, strict=True)]
        self._out.write("\n".join([*lines, ""]))
        self._out.flush()

    def close(self) -> None:
        """Nothing is left to write: without rows there is no table."""


def _is_time(column: pd.Series[Any]) -> bool:
    return bool(column.dtype.kind == "m")


def _width(column: pd.Series[Any]) -> int:
    dtype = column.dtype
    name = len(str(column.name))
    if isinstance(dtype, HexDtype):
        return max(name, 18)
    if isinstance(dtype, pd.CategoricalDtype):
        return max(name, 16)  # comm, and names of one
    if dtype.kind == "m":
        return max(name, _SECONDS)
    if isinstance(dtype, np.dtype | pd.Int64Dtype) and dtype.kind in "iu":
        return max(name, _INTEGERS[dtype.itemsize])
    return max(name, 5 if dtype.kind == "b" else 12 if dtype.kind == "f" else _LONGEST)


def _line(words: Any, widths: list[int], right: list[bool]) -> str:
    cells = [
        word.rjust(width) if numeric else word.ljust(width)
        for word, width, numeric in zip(words, widths, right, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _shown(value: Plain, time: bool) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if time and isinstance(value, float):
        return f"{value:.9f}"
    if isinstance(value, list):
        return " ".join(_shown(each, time) for each in value)
    return printable(str(value))


class JsonLines:
    """One object a line (https://jsonlines.org)."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, frame: pd.DataFrame) -> None:
        """Write all rows."""
        columns = plain_columns(frame)
        for row in zip(*columns.values(), strict=True):
            self._out.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")
        self._out.flush()

    def close(self) -> None:
        """Nothing is left to write."""


class CommaSeparated:
    """CSV (RFC 4180, with newlines for line ends); what is missing is empty, an array is JSON."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._csv = csv.writer(out, lineterminator="\n")
        self._begun = False

    def write(self, frame: pd.DataFrame) -> None:
        """Write all rows, and the names of the columns even when there are none."""
        columns = plain_columns(frame)
        if not self._begun:
            self._csv.writerow(columns)
            self._begun = True
        cells = [
            [_cell(value, _is_time(frame[name])) for value in values] for name, values in columns.items()
        ]
        self._csv.writerows(zip(*cells, strict=True))
        self._out.flush()

    def close(self) -> None:
        """Nothing is left to write."""


def _cell(value: Plain, time: bool) -> str:
    if value is None:
        return ""
    if time and isinstance(value, float):
        return f"{value:.9f}"
    return value if isinstance(value, str) else json.dumps(value)


FORMATS: dict[str, Callable[[TextIO], Writer]] = {
    "text": TextTable,
    "json": JsonLines,
    "csv": CommaSeparated,
}
"""Formats for standard output."""
