"""The lines of ``bpf_printk`` as a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.assemble import assemble, frame_of
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.layout import Column, Kind, Layout
from ebpf_lab.source.ctype import Int, Opaque


def printk_frame(lines: NDArray[Any], clock: TraceClock) -> pd.DataFrame:
    """Return lines with what the kernel noted about each.

    Parameters
    ----------
    lines : (n,) structured array
        ts : u8 [ns, CLOCK_MONOTONIC]; cpu, pid, tid : u4; comm, message : bytes.
    clock : TraceClock

    Returns
    -------
    DataFrame
        ts : timedelta64[ns] since the trace began, cpu, pid, tid : uint32, comm : category, message : str
    """
    columns = []
    fields: Mapping[str, Any] = lines.dtype.fields or {}
    for name, (field, offset, *_) in fields.items():
        if field.kind == "S":
            kind = Kind.CATEGORY if name == "comm" else Kind.TEXT
            columns.append(Column(name, kind, Opaque("", field.itemsize), offset, field.itemsize))
        else:
            number = Int(name, field.itemsize, signed=False)
            columns.append(Column(name, Kind.NUMBER, number, offset, field.itemsize, field.str))
    size = lines.dtype.itemsize
    block = np.ascontiguousarray(lines).view(np.uint8).reshape(len(lines), size)
    layout = Layout("line", size, tuple(columns), size)
    return frame_of(assemble(layout, len(lines), [(slice(None), block)], clock), len(lines))
