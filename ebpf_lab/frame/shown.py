"""Values of a frame as people read them, in a table's cell or beside an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.clock import TimeRole, time_role
from ebpf_lab.frame.hexint import HexDtype

_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_LONGEST_ARRAY = 64
"""Elements of an array that are shown."""
_NOT_A_TIME = np.iinfo(np.int64).min
"""The bits of NaT."""


def printable(text: str) -> str:
    r"""A text without what a terminal or a page would obey: a process may be called anything.

    Examples
    --------
    >>> printable("a\x1b[1mb")
    'a\\x1b[1mb'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def elided(text: str, most: int) -> str:
    """A text with at most so many characters: its middle is left out, because names differ at either end.

    Examples
    --------
    >>> elided("/usr/lib/python3/dist-packages/apt", 20)
    '/usr/lib/p…ckages/apt'
    """
    if len(text) <= most + 1:
        return text
    return f"{text[: (most + 1) // 2]}…{text[len(text) - most // 2 :]}"


def span(nanoseconds: float) -> str:
    """A length of time in the unit that suits it, to three digits.

    Examples
    --------
    >>> [span(each) for each in (0, 999, 1024, 131071, 2.5e9)]
    ['0 ns', '999 ns', '1.02 µs', '131 µs', '2.5 s']
    """
    rounded = float(three_digits(np.array([nanoseconds]))[0])
    unit, name = next(each for each in _UNITS if abs(rounded) >= each[0] or each[0] == 1)
    value = rounded / unit
    return f"{value:.3g} {name}" if abs(value) < 1000 else f"{value:,.0f} {name}"


def three_digits(values: NDArray[Any]) -> NDArray[np.float64]:
    """Nanoseconds, rounded as :func:`span` shows them."""
    sizes = np.maximum(np.abs(values.astype(np.float64)), 1)
    step = 10.0 ** np.maximum(np.floor(np.log10(sizes)) - 2, 0)
    rounded: NDArray[np.float64] = np.round(values / step) * step
    return rounded


def is_duration(column: pd.Series[Any]) -> bool:
    """Whether a column of times holds lengths, and not points in time."""
    role, _ = time_role(str(column.name), 8)
    return column.dtype.kind == "m" and role in (TimeRole.DURATION, TimeRole.POINT_OR_DURATION)


def texts(column: pd.Series[Any]) -> list[str | None]:
    """The values of a column as texts, None where there is none.

    Durations are rounded to three digits; a point in time has all of its nine behind the point.
    """
    if isinstance(column.dtype, HexDtype):
        return [None if value is pd.NA else hex(value) for value in column.array]
    if column.dtype.kind == "m":
        numbers = column.to_numpy("m8[ns]").view(np.int64).tolist()
        show = span if is_duration(column) else _point
        return [None if value == _NOT_A_TIME else show(value) for value in numbers]
    return [_text(value) for value in column.array]


def _point(nanoseconds: int) -> str:
    sign, size = "-" if nanoseconds < 0 else "", abs(nanoseconds)
    return f"{sign}{size // 10**9}.{size % 10**9:09d}"


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, (np.ndarray, list, tuple)):
        shown = [_text(each) or "" for each in list(value)[:_LONGEST_ARRAY]]
        return f"[{', '.join(shown)}{', …' if len(value) > _LONGEST_ARRAY else ''}]"
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    return printable(str(value))
