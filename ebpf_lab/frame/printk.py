"""The lines of ``bpf_printk`` as a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.assemble import assemble, frame_of
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.layout import Layout
from ebpf_lab.source.ctype import Array, CType, Int, Member, Struct

_MIN_MESSAGE = 33
"""A message is text and no category, however short the longest of this trace may be."""


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
    dtype = lines.dtype
    members = []
    for name in dtype.names or ():
        field, offset = dtype.fields[name][:2]
        members.append(Member(name, _ctype(field), offset * 8))
    layout = Layout.of(Struct("line", dtype.itemsize, tuple(members)))
    block = np.ascontiguousarray(lines).view(np.uint8).reshape(len(lines), dtype.itemsize)
    return frame_of(assemble(layout, len(lines), [(slice(None), block)], clock), len(lines))
