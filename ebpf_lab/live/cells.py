"""Values of a frame as short texts for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ebpf_lab.frame.hexint import HexArray

_LONGEST = 80
"""Characters of a cell: more are cut, which the ellipsis says."""
_NAT = np.iinfo("int64").min


def texts(column: pd.Series[Any]) -> list[str]:
    """The values of a column as texts; what is missing is ""."""
    if column.dtype.kind == "m":
        nanoseconds = column.to_numpy("timedelta64[ns]").view("int64").tolist()
        return ["" if value == _NAT else f"{value / 1e9:.6f}" for value in nanoseconds]
    if isinstance(column.dtype, pd.CategoricalDtype):
        named = [_text(value) for value in column.cat.categories.tolist()]
        return [named[code] if code >= 0 else "" for code in column.cat.codes.tolist()]
    if isinstance(column.array, HexArray):
        return ["" if value is pd.NA else f"{int(value):#x}" for value in column.array]
    return [_text(value) for value in column.tolist()]


def is_number(column: pd.Series[Any]) -> bool:
    """Whether a column reads best flush right."""
    return column.dtype.kind in "iufm"


def countable(column: pd.Series[Any]) -> bool:
    """Whether to count how often each value comes makes sense."""
    return column.dtype.kind in "iub" or isinstance(column.dtype, pd.CategoricalDtype)


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, bytes):
        text = value[: _LONGEST // 2 + 1].hex()
    elif isinstance(value, np.ndarray):
        text = " ".join(map(str, value[:_LONGEST].tolist()))
    elif isinstance(value, Sequence):
        text = " ".join(map(str, value[:_LONGEST]))
    elif value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
