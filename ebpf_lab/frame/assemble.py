"""From blocks of events of one type to a finished frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ebpf_lab.frame import arguments
from ebpf_lab.frame.arguments import Arguments
from ebpf_lab.frame.clock import TimeRole, TraceClock, convert_time, time_role
from ebpf_lab.frame.columns import Bytes, Rows, store_for
from ebpf_lab.frame.decoders import Users, decoders_for, machine, user_name
from ebpf_lab.frame.layout import Column, Kind, Layout
from ebpf_lab.frame.stacks import STACK_COLUMN, StackNames
from ebpf_lab.source.ctype import Int


def assemble(
    layout: Layout,
    count: int,
    blocks: Iterable[tuple[Rows, Bytes]],
    clock: TraceClock | None,
    *,
    stacks: StackNames | None = None,
    arch: str | None = None,
    users: Users = user_name,
) -> dict[str, Any]:
    """Decode events of one type.

    Parameters
    ----------
    layout : Layout
    count : int
        Number of events in all blocks.
    blocks : iterable of (rows, bytes)
        Rows of the frame, and those events; each row once.
    clock : TraceClock or None
        When the trace began; None leaves times as they are.
    stacks : StackNames, optional
        Names the call chains that stack ids stand for.
    arch : str, optional
        Where the events are from; this machine unless told.
    users : callable
        Names users there.

    Returns
    -------
    dict
        Columns by name, in the order of the members, each added one behind what it is made from.
    """
    sizes = arguments.find(layout.columns)
    stores = [
        (column, Arguments(column, sizes[column.name], count))
        if column.name in sizes
        else (column, store_for(column, count))
        for column in layout.columns
    ]
    for rows, block in blocks:
        whole = _whole(block, layout.size)
        for _, store in stores:
            store.put(rows, whole)
    arrays = {column.name: store.array() for column, store in stores}
    decoders = decoders_for(layout.columns, arch or machine(), users)
    result: dict[str, Any] = {}
    for column in layout.columns:
        name, values = column.name, arrays[column.name]
        # Names come first: times are converted where they are.
        result[name] = values
        if name in decoders:
            result[decoders[name].column] = decoders[name].apply(values)
        chain = STACK_COLUMN.fullmatch(name)
        if stacks is not None and chain and column.kind is Kind.NUMBER and chain[1] not in arrays:
            # The helpers give errors as negative numbers, which many programs keep in a u32.
            ids = values.view(f"i{values.itemsize}").astype(np.int64)
            result[chain[1]] = stacks.column(ids, _process_ids(layout, arrays))
        result[name] = timed(column, values, clock)
    return result


def frame_of(arrays: dict[str, Any], count: int, index: pd.Index | None = None) -> pd.DataFrame:
    """Make a frame around columns, without copying them."""
    return pd.DataFrame(arrays, index=pd.RangeIndex(count) if index is None else index, copy=False)


def _whole(block: Bytes, size: int) -> Bytes:
    """Events with at least ``size`` bytes each, zeros behind what was sent."""
    if block.shape[1] >= size:
        return block
    filled = np.zeros((len(block), size), np.uint8)
    filled[:, : block.shape[1]] = block
    return filled


def role_of(column: Column) -> tuple[TimeRole, int]:
    """What a column's name and type say about time; see :func:`ebpf_lab.frame.clock.time_role`."""
    if column.kind is not Kind.NUMBER or not isinstance(column.type, Int) or column.bits is not None:
        return TimeRole.NONE, 1
    return time_role(column.name, column.size)


def timed(column: Column, values: Any, clock: TraceClock | None) -> Any:
    """Turn a column's values into times where they are such, in place; without a clock never."""
    role, unit = role_of(column)
    return values if clock is None or role is TimeRole.NONE else convert_time(values, role, unit, clock)


def _process_ids(layout: Layout, arrays: dict[str, Any]) -> Any:
    for name in ("tgid", "pid"):
        for column in layout.columns:
            if column.name.rpartition(".")[2] == name and column.kind is Kind.NUMBER:
                return arrays[column.name].astype(np.int64)
    return None
