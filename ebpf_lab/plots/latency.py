"""How long things took, in buckets of powers of two: from durations, or from a histogram that a map holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.shown import span
from ebpf_lab.plots import columns, log2
from ebpf_lab.plots.canvas import Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOLD_APART = 6
"""Names that have a colour each; the seventh colour is that of all others."""
_UNITS = {"": 1, "ns": 1, "us": 1_000, "ms": 1_000_000}
_HEIGHT = 3.6
_LEAST = 6
"""Buckets shown at least."""
_EMPTY = "Nothing was measured: there is nothing to draw."


@dataclass(frozen=True, slots=True)
class _Buckets:
    """What falls into which bucket: a slot, a weight and the number of a name for each value."""

    slots: NDArray[np.int64]
    weights: NDArray[np.float64]
    codes: NDArray[np.intp]
    names: list[str]
    scale: log2.Scale


def latency(
    canvas: Canvas, frame: pd.DataFrame, column: str | None, by: str | None, unit: str, ax: Axes | None
) -> Axes:
    """Draw a histogram whose buckets double."""
    if columns.is_histogram(frame) and column in (None, "count"):
        return _of_slots(canvas, frame, by, unit, ax)
    column = column or next(iter(columns.durations(frame)), None)
    if column is None:
        raise columns.missing(
            "latency histogram",
            "a column of durations, or the slots of a histogram map",
            frame,
            "a member such as duration_ns is taken as one; latency(column) takes any column of numbers",
        )
    seen = frame[frame[columns.check(frame, column)].notna()]
    numbers = log2.whole(seen[column])
    unit_of = columns.unit(seen[column])
    is_time = unit_of > 0
    title = (f"How long: {column}" if is_time else f"Sizes of {column}") + (f", by {by}" if by else "")
    codes, names = _told_apart(seen, by, None)
    with canvas.axes(_HEIGHT, ax) as axes:
        if not len(numbers):
            return canvas.say(axes, title, _EMPTY)
        scale = log2.Scale(is_time=is_time, factor=max(unit_of, 1))
        _draw(canvas, axes, _Buckets(log2.slots(numbers), np.ones(len(numbers)), codes, names, scale), by)
        axes.set_xlabel(f"{column}, in buckets that double")
        middle, most = (int(each) for each in np.quantile(numbers, (0.5, 0.99), method="inverted_cdf"))
        shown = [
            span(each * unit_of) if is_time else f"{each:,}" for each in (middle, most, int(numbers.max()))
        ]
        longest = "longest" if is_time else "largest"
        events = columns.number(len(numbers), "event")
        canvas.title(
            axes, title, f"{events} · median {shown[0]} · 99 % up to {shown[1]} · {longest} {shown[2]}"
        )
    return axes


def _of_slots(canvas: Canvas, frame: pd.DataFrame, by: str | None, unit: str, ax: Axes | None) -> Axes:
    if unit not in _UNITS:
        raise UsageProblem(f"unit={unit!r}: a histogram counts in ns, us or ms, or is none of times")
    by = by or next((each for each in columns.names(frame) if frame[each].nunique() > 1), None)
    seen = frame[frame["count"] > 0]
    weights, slots = seen["count"].to_numpy(float), seen["slot"].to_numpy(np.int64)
    codes, names = _told_apart(seen, by, weights)
    scale = log2.Scale(is_time=bool(unit), factor=_UNITS[unit])
    title = "Histogram" + (f", by {by}" if by else "")
    with canvas.axes(_HEIGHT, ax) as axes:
        if seen.empty:
            return canvas.say(axes, title, _EMPTY)
        _draw(canvas, axes, _Buckets(slots, weights, codes, names, scale), by)
        axes.set_xlabel(
            "time, in buckets that double" if unit else "value as counted, in buckets that double"
        )
        middle, most = (_slot_at(slots, weights, part) for part in (0.5, 0.99))
        values = columns.number(int(weights.sum()), "value")
        between = f"median {scale.low(middle)} to {scale.low(middle + 1)}"
        canvas.title(axes, title, f"{values} · {between} · 99 % below {scale.low(most + 1)}")
    return axes


def _told_apart(
    seen: pd.DataFrame, by: str | None, weights: NDArray[Any] | None
) -> tuple[NDArray[np.intp], list[str]]:
    if by is None:
        return np.zeros(len(seen), np.intp), ["events"]
    return columns.top(seen[columns.check(seen, by)], _TOLD_APART + 1, weights)


def _slot_at(slots: NDArray[np.int64], weights: NDArray[np.float64], part: float) -> int:
    """The slot in which that part of all values is reached."""
    totals = np.cumsum(np.bincount(slots, weights=weights))
    return int(np.searchsorted(totals, part * totals[-1]))


def _draw(canvas: Canvas, axes: Axes, buckets: _Buckets, by: str | None) -> None:
    first, last = int(buckets.slots.min()), int(buckets.slots.max())
    # One bucket alone would be a picture without a scale.
    around = max(_LEAST - (last - first + 1), 0)
    first = max(first - around // 2, 1)
    count = max(last - first + 1, _LEAST)
    below, handles = np.zeros(count), []
    for number, colour in enumerate(columns.colours(canvas.theme.series, buckets.names)):
        mine = buckets.codes == number
        heights = np.bincount(buckets.slots[mine] - first, weights=buckets.weights[mine], minlength=count)
        bars = axes.bar(
            np.arange(count),
            heights,
            width=1,
            bottom=below,
            align="edge",
            color=colour,
            edgecolor=canvas.theme.ground,
        )
        handles.append(bars)
        below += heights
    axes.set_xlim(0, count)
    axes.set_ylim(0, max(below.max() * 1.05, 1))
    buckets.scale.label(axes.xaxis, first, count)
    canvas.count_along(axes, "y")
    axes.set_ylabel("events")
    if by:
        canvas.legend(axes, buckets.names, handles, by)
