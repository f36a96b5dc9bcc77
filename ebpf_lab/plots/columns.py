"""What the columns of a frame are good for: times, durations, call chains, names, processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.hexint import HexDtype
from ebpf_lab.frame.shown import is_duration
from ebpf_lab.source.words import did_you_mean, listing

_WEIGHTS = ("count", "value", "hits", "samples")
"""Columns that say how often, in the order in which they are taken."""
_PARENTS = ("ppid", "parent", "parent_pid", "real_parent")
_CHILDREN = ("pid", "child", "child_pid", "tid")
_NAMED = (
    "nr_name",
    "comm",
    "sig_name",
    "call",
    "operation",
    "outcome",
    "ret_errno",
    "file",
    "filename",
    "path",
)
"""Names that are worth counting, the best first."""
_UNITS = {"us": 1_000, "usec": 1_000, "usecs": 1_000, "ms": 1_000_000, "msec": 1_000_000, "msecs": 1_000_000}
_KEYS = ("key", "pid", "tid", "tgid", "cpu", "nr", "uid")
"""Numbers that stand for somebody or something, and are counted as names are."""
_LARGEST_COUNT = 1 << 40
"""What is larger is no count but a time or an address: a minute of the kernel's clock in nanoseconds."""
_FEW = 200
"""Distinct values up to which a column may be one of names."""


def points(frame: pd.DataFrame) -> list[str]:
    """Columns of points in time, and those that are most likely it first."""
    every = map(str, frame.columns)
    times = [name for name in every if frame[name].dtype.kind == "m" and not is_duration(frame[name])]
    return sorted(times, key=lambda name: name != "ts")


def durations(frame: pd.DataFrame) -> list[str]:
    """Columns of durations, also those of microseconds or milliseconds, which stay integers."""
    return [name for name in map(str, frame.columns) if unit(frame[name])]


def unit(column: pd.Series[Any]) -> int:
    """Nanoseconds that a step of a duration has; 0 of what is none."""
    if is_duration(column):
        return 1
    suffix = str(column.name).rpartition("_")[2]
    return _UNITS.get(suffix, 0) if "_" in str(column.name) and is_number(column) else 0


def is_histogram(frame: pd.DataFrame) -> bool:
    """Whether the rows are slots of a log2 histogram, as a map's are."""
    return {"slot", "low", "high", "count"} <= set(frame.columns)


def names(frame: pd.DataFrame) -> list[str]:
    """Columns of names, by which events may be told apart, those that tell most first."""
    found = [name for name in map(str, frame.columns) if _is_name(frame[name])]
    return sorted(found, key=lambda name: (frame[name].nunique() < 2, _rank(name)))


def counted_keys(frame: pd.DataFrame) -> list[str]:
    """Columns of numbers for which a map counts something."""
    counts = weight(frame)
    if counts is None or points(frame) or frame[counts].max() >= _LARGEST_COUNT:
        return []
    return [name for name in _KEYS if name in frame and name != counts and is_number(frame[name])]


def _is_name(column: pd.Series[Any]) -> bool:
    name = str(column.name)
    if name.endswith("stack") or isinstance(column.dtype, HexDtype):
        return False
    if isinstance(column.dtype, pd.CategoricalDtype):
        return True
    # Before pandas 3, text is a column of objects.
    if isinstance(column.dtype, pd.StringDtype) or pd.api.types.infer_dtype(column) == "string":
        return column.nunique() <= max(_FEW, len(column) // 4)
    return False


def _rank(name: str) -> int:
    last = name.rpartition(".")[2]
    return _NAMED.index(last) if last in _NAMED else len(_NAMED)


def family(frame: pd.DataFrame) -> tuple[str, str] | None:
    """The columns of a process and its parent."""
    for parent in _PARENTS:
        for child in _CHILDREN:
            if parent in frame and child in frame:
                return child, parent
    return None


def weight(frame: pd.DataFrame) -> str | None:
    """The column that says how often, in a frame of a map."""
    return next((name for name in _WEIGHTS if name in frame and is_number(frame[name])), None)


def is_number(column: pd.Series[Any]) -> bool:
    """Whether a column holds quantities; an address is none."""
    return column.dtype.kind in "iuf" and not isinstance(column.dtype, HexDtype)


def check(frame: pd.DataFrame, column: str) -> str:
    """The column's name, if there is one.

    Raises
    ------
    UsageProblem
        There is none.
    """
    if column in frame:
        return column
    raise UsageProblem(
        f"there is no column {column!r}",
        hint=did_you_mean(column, map(str, frame.columns)) or f"the columns are {had(frame)}",
    )


def had(frame: pd.DataFrame) -> str:
    """The frame's columns as words."""
    return listing(list(map(str, frame.columns))) if len(frame.columns) else "none"


def nanoseconds(column: pd.Series[Any]) -> NDArray[np.int64]:
    """Times as integers; those that are missing are left out."""
    return column.dropna().to_numpy("m8[ns]").view(np.int64)


def top(
    column: pd.Series[Any], most: int, weights: NDArray[Any] | None = None
) -> tuple[NDArray[Any], list[str]]:
    """The most frequent values of a column, and the others as one.

    Returns
    -------
    codes : (n,) int
        Index in ``names`` for each row.
    names : list of str
        At most ``most``, the most frequent first; the last is "others" where there are more.
    """
    codes, distinct = pd.factorize(_as_text(column))
    labels = [str(each) for each in distinct]
    missing = codes < 0
    if missing.any():
        codes, labels = np.where(missing, len(labels), codes), [*labels, "(none)"]
    totals = np.bincount(codes, weights=weights, minlength=len(labels))
    order = np.argsort(-totals, kind="stable")
    if len(order) <= most:
        ranks = np.empty(len(order), np.intp)
        ranks[order] = np.arange(len(order))
        return ranks[codes], [labels[at] for at in order]
    ranks = np.full(len(order), most - 1, np.intp)
    ranks[order[: most - 1]] = np.arange(most - 1)
    return ranks[codes], [*(labels[at] for at in order[: most - 1]), f"{len(order) - most + 1:,} others"]


def _as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(column.dtype, HexDtype):
        return column.map(lambda value: hex(value), na_action="ignore")
    if column.dtype == object:
        return column.map(lambda value: value if isinstance(value, str) else str(value), na_action="ignore")
    return column


def missing(plot: str, needs: str, frame: pd.DataFrame, hint: str) -> UsageProblem:
    """The error of a plot that cannot be made of this frame."""
    return UsageProblem(
        f"no {plot} can be drawn: it needs {needs}", why=f"the columns are {had(frame)}", hint=hint
    )


def colours(series: Sequence[str], names: Sequence[str]) -> list[str]:
    """A colour for each name; the others together have the last one."""
    last = bool(names) and names[-1].endswith(" others")
    own = list(series[: len(names) - last])
    return [*own, series[-1]] if last else own


def number(count: int, noun: str) -> str:
    """A count in words: "1 event", "2,300 events"."""
    return f"{count:,} {noun}{'' if count == 1 else 'es' if noun.endswith('s') else 's'}"
