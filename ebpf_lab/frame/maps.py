"""Maps as frames: keys and values in typed columns, one row for each element."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.frame.assemble import assemble, frame_of, role_of, timed
from ebpf_lab.frame.clock import TimeRole, TraceClock
from ebpf_lab.frame.columns import store_for
from ebpf_lab.frame.decoders import Users, user_name
from ebpf_lab.frame.layout import Column, Kind, Layout
from ebpf_lab.frame.stacks import StackNames, stack_frame
from ebpf_lab.source.ctype import CType, Int, Opaque

__all__ = ["map_frame", "stack_frame"]

_PER_CPU = (5, 6, 10, 21)
"""BPF_MAP_TYPE_PERCPU_HASH, _PERCPU_ARRAY, _LRU_PERCPU_HASH, _PERCPU_CGROUP_STORAGE."""
_LOG2_SLOTS = 64


def map_frame(
    source: LoadedMap,
    keys: NDArray[np.uint8],
    values: NDArray[np.uint8],
    clock: TraceClock | None = None,
    *,
    stacks: StackNames | None = None,
    arch: str | None = None,
    users: Users = user_name,
) -> pd.DataFrame:
    """Return a map's elements, sorted by key.

    Parameters
    ----------
    source : LoadedMap
    keys : (n, key_size) uint8
    values : (n, cpus, value_size) uint8
        Without copies for each CPU, ``cpus`` is 1.
    clock : TraceClock, optional
        When the trace began: makes times relative, as in events.
    stacks, arch, users
        As for :func:`ebpf_lab.frame.build.build`.

    Returns
    -------
    DataFrame
        A key or value that is no struct is the column ``key`` or ``value``, else each member is one; members
        of both by one name are ``pid`` and ``value.pid``.

        Per-CPU maps have for each number its sum over all CPUs, then its value on each: ``value``, ``cpu0``,
        ``cpu1``; of a struct ``count``, ``count.cpu0``, and so on to the last CPU with anything in it.

        A histogram (``BPF_HISTOGRAM``) has ``slot : int64``, ``low : uint64``, ``high : uint64`` and
        ``count``: slot n counts the values from 2**(n-1) to 2**n - 1, slot 1 those of 0, too, as
        ``bpf_log2l`` sorts them.  Slots that go beyond 64 are not logarithms: these have no bounds.
    """
    found, columns = _columns(source, keys, values, clock, stacks=stacks, arch=arch, users=users)
    key_layout, _ = layouts(source)
    counts = columns.get("value")
    slot = _slot(key_layout)
    if source.histogram and slot is not None and isinstance(counts, np.ndarray) and counts.dtype.kind in "iu":
        return _histogram(found, slot, counts)
    return _sorted(_joined(found, columns, len(keys)), _order(key_layout))


def element_frame(
    source: LoadedMap,
    keys: NDArray[np.uint8],
    values: NDArray[np.uint8],
    *,
    arch: str | None = None,
    users: Users = user_name,
) -> pd.DataFrame:
    """As :func:`map_frame`, with numbers of elements as its index, times as numbers, and no histogram."""
    found, columns = _columns(source, keys, values, None, stacks=None, arch=arch, users=users)
    frame, order = _joined(found, columns, len(keys)), _order(layouts(source)[0])
    return frame.sort_values(order, kind="stable") if order else frame


def layouts(source: LoadedMap) -> tuple[Layout, Layout]:
    """Columns of a map's keys, and of its values."""
    key = Layout.of(_known(source.key, source.key_size), "key")
    return key, Layout.of(_known(source.value, source.value_size), "value")


def value_places(source: LoadedMap, cpus: int) -> dict[str, tuple[Column, int]]:
    """By its name in the frame, each column of the value that is no sum, and the CPU whose it is."""
    key_layout, value_layout = layouts(source)
    names = {column.name for column in key_layout.columns}
    places = {}
    for column in value_layout.columns:
        own = {column.name: 0}
        if source.type in _PER_CPU:
            own = {f"{_prefix(column)}cpu{cpu}": cpu for cpu in range(cpus)}
        for name, cpu in own.items():
            places[f"value.{name}" if name in names else name] = (column, cpu)
    return places


def _columns(
    source: LoadedMap,
    keys: NDArray[np.uint8],
    values: NDArray[np.uint8],
    clock: TraceClock | None,
    *,
    stacks: StackNames | None,
    arch: str | None,
    users: Users,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Columns of the keys, and of the values."""
    key_layout, value_layout = layouts(source)
    count = len(keys)
    found = assemble(key_layout, count, [(slice(None), keys)], clock, stacks=stacks, arch=arch, users=users)
    if source.type in _PER_CPU:
        return found, _per_cpu(value_layout, values, clock)
    block = np.ascontiguousarray(values[:, 0])
    return found, assemble(
        value_layout, count, [(slice(None), block)], clock, stacks=stacks, arch=arch, users=users
    )


def _joined(keys: dict[str, Any], values: dict[str, Any], count: int) -> pd.DataFrame:
    for name, values_of in values.items():
        keys[f"value.{name}" if name in keys else name] = values_of
    return frame_of(keys, count)


def _order(layout: Layout) -> list[str]:
    return [column.name for column in layout.columns if column.kind not in (Kind.ROWS, Kind.TEXTS)]


def _known(ctype: CType | None, size: int) -> CType:
    """A type for bytes that nothing describes: numbers where they have the size of one."""
    if ctype is not None:
        return ctype
    return Int(f"u{size * 8}", size, signed=False) if size in (1, 2, 4, 8) else Opaque("", size)


def _sorted(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    if not columns:
        return frame
    # Numbers that are a map's whole key never tie: they need no stable sort, and NumPy has a faster one.
    kind: Literal["quicksort", "stable"] = "stable"
    if len(columns) == 1 and isinstance(frame[columns[0]].dtype, np.dtype):
        kind = "quicksort"
    return frame.sort_values(columns, kind=kind, ignore_index=True)


def _per_cpu(layout: Layout, values: NDArray[np.uint8], clock: TraceClock | None) -> dict[str, Any]:
    used = np.flatnonzero(values.any(axis=(0, 2)))
    # A virtual machine may have room for hundreds of CPUs that are not there.
    values = values[:, : int(used.max(initial=0)) + 1]
    count, cpus, size = values.shape
    block = np.ascontiguousarray(values).reshape(count * cpus, size)
    columns: dict[str, Any] = {}
    for column in layout.columns:
        store = store_for(column, count * cpus)
        store.put(slice(None), block)
        each = store.array()
        if column.kind is Kind.NUMBER and role_of(column)[0] in (TimeRole.NONE, TimeRole.DURATION):
            columns[column.name] = timed(column, each.reshape(count, cpus).sum(axis=1), clock)
        each = timed(column, each, clock)
        for cpu in range(cpus):
            columns[f"{_prefix(column)}cpu{cpu}"] = each[cpu::cpus].copy()
    return columns


def _prefix(column: Column) -> str:
    return "" if column.name == "value" else f"{column.name}."


def _slot(layout: Layout) -> str | None:
    """Name of the key's column that holds the slot: by name, else the last number."""
    numbers = [column.name for column in layout.columns if column.kind is Kind.NUMBER]
    return "slot" if "slot" in numbers else numbers[-1] if numbers else None


def _histogram(keys: dict[str, Any], slot: str, counts: NDArray[Any]) -> pd.DataFrame:
    slots = keys.pop(slot).astype(np.int64)
    if not keys:
        last = int(slots[counts > 0].max(initial=0))
        inside = (slots >= 0) & (slots <= last)
        slots, counts = slots[inside], counts[inside]
        if last <= _LOG2_SLOTS:
            # Empty slots between others belong to the picture.
            filled = np.zeros(last + 1, counts.dtype)
            filled[slots] = counts
            # bpf_log2l never gives slot 0.
            first = 0 if filled[0] or last == 0 else 1
            slots, counts = np.arange(first, last + 1), filled[first:]
        if not counts.any():
            slots, counts = slots[:0], counts[:0]
    columns = {**keys, "slot": slots}
    if not len(slots) or slots.max() <= _LOG2_SLOTS:
        columns |= _bounds(slots)
    columns["count"] = counts
    return _sorted(frame_of(columns, len(slots)), [*keys, "slot"])


def _bounds(slots: NDArray[np.int64]) -> dict[str, NDArray[np.uint64]]:
    edges = [1 << slot for slot in np.maximum(slots, 0).tolist()]
    low = [edge // 2 if edge > 2 else 0 for edge in edges]
    high = [edge - 1 for edge in edges]
    return {"low": np.array(low, np.uint64), "high": np.array(high, np.uint64)}
