"""Frames as plain values, for formats that know numbers, text and lists alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ebpf_lab.frame.hexint import HexArray

Plain: TypeAlias = "bool | int | float | str | list[Plain] | None"


def plain_columns(frame: pd.DataFrame) -> dict[str, list[Plain]]:
    """The values of each column.

    Times and durations are seconds (times since the trace began), addresses and bytes are hexadecimal text
    ("0xffff…" and "00ff"), arrays are lists, and what is missing is None.
    """
    return {str(name): _plain(column) for name, column in frame.items()}


def _plain(column: pd.Series[Any]) -> list[Plain]:
    if isinstance(column.array, HexArray):
        return [None if value is pd.NA else f"{int(value):#x}" for value in column.array]
    if column.dtype.kind == "m":
        nanoseconds = column.to_numpy("timedelta64[ns]").view("int64").tolist()
        return [None if value == _NAT else value / 1e9 for value in nanoseconds]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub":
        return list(column.tolist())
    return [_value(value) for value in column.tolist()]


_NAT = np.iinfo("int64").min


def _value(value: Any) -> Plain:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, np.ndarray):
        return [_value(each) for each in value.tolist()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_value(each) for each in value]
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    return value.item() if isinstance(value, np.generic) else value  # type: ignore[no-any-return]
