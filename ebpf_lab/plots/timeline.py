"""Events over time: bars of a round width, and a second plot of them as a map of colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.shown import span
from ebpf_lab.plots import columns, log2
from ebpf_lab.plots.canvas import Canvas, name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 80
"""Bars that a timeline has at most."""
_TOLD_APART = 6
"""Names that have a colour each; the seventh colour is that of all others."""
_ROWS = 16
"""Names that have a row each in a heat map."""
_STEPS = (1, 2, 5)


def timeline(canvas: Canvas, frame: pd.DataFrame, by: str | None, ax: Axes | None) -> Axes:
    """Draw how many events came when, told apart by a column."""
    time = _time("timeline", frame)
    by = columns.check(frame, by) if by else _worth_telling_apart(frame)
    title = f"Events over time, by {by}" if by else "Events over time"
    seen = frame[frame[time].notna()]
    with canvas.axes(3.6, ax) as axes:
        if seen.empty:
            return canvas.say(axes, title, "No events came: there is nothing to draw.")
        at = columns.nanoseconds(seen[time])
        edges = bins(at)
        unit, unit_name = _unit(edges)
        codes, names = columns.top(seen[by], _TOLD_APART + 1) if by else (np.zeros(len(at), int), ["events"])
        counts, below = _counts(at, codes, edges, len(names)), np.zeros(len(edges) - 1)
        colours = columns.colours(canvas.theme.series, names)
        handles = []
        width = edges[1] - edges[0]
        for number in range(len(names)):
            bars = axes.bar(
                edges[:-1] / unit,
                counts[number],
                width=width / unit,
                bottom=below,
                align="edge",
                color=colours[number],
                edgecolor=canvas.theme.ground,
                linewidth=0.4,
            )
            handles.append(bars)
            below += counts[number]
        axes.set_xlim(edges[0] / unit, edges[-1] / unit)
        axes.set_ylim(0, max(below.max() * 1.05, 1))
        canvas.count_along(axes, "y")
        axes.set_xlabel(f"time since the trace began [{unit_name}]")
        axes.set_ylabel(f"events per {span(width)}")
        canvas.title(axes, title, _events(len(seen), len(frame) - len(seen)))
        if by:
            canvas.legend(axes, names, handles, by)
    return axes


def heatmap(canvas: Canvas, frame: pd.DataFrame, column: str | None, ax: Axes | None) -> Axes:
    """Draw how many events came when, and how long they took or what they were."""
    from matplotlib.ticker import MaxNLocator

    time = _time("heat map", frame)
    if column is None:
        column = next(iter([*columns.durations(frame), *columns.names(frame)]), None)
        if column is None:
            hint = "heatmap(column) takes any column"
            raise columns.missing("heat map", "a column of durations or names besides the time", frame, hint)
    values = frame[columns.check(frame, column)]
    seen = frame[frame[time].notna() & values.notna()]
    step = columns.unit(values)
    is_long = step > 0 or values.dtype.kind == "m" or (columns.is_number(values) and values.nunique() > _ROWS)
    title = f"Events over time and {column}"
    with canvas.axes(3.8, ax) as axes:
        if seen.empty:
            return canvas.say(axes, title, "No events came: there is nothing to draw.")
        at = columns.nanoseconds(seen[time])
        edges = bins(at)
        unit, unit_name = _unit(edges)
        if is_long:
            slots = log2.slots(log2.whole(seen[column]))
            first = int(slots.min())
            codes, rows = slots - first, int(slots.max()) - first + 1
        else:
            codes, labels = columns.top(seen[column], _ROWS + 1)
            rows = len(labels)
        counts = _counts(at, codes, edges, rows)
        cells = np.ma.masked_equal(counts, 0)
        image = axes.pcolormesh(
            edges / unit,
            np.arange(rows + 1),
            cells,
            cmap=canvas.ramp(),
            vmin=1,
            vmax=max(counts.max(), 2),
            shading="flat",
        )
        if is_long:
            log2.Scale(is_time=step > 0, factor=max(step, 1)).label(axes.yaxis, first, rows)
            axes.set_ylabel(column)
        else:
            axes.set_yticks(np.arange(rows) + 0.5, [name(each) for each in labels])
            axes.tick_params(axis="y", length=0)
            axes.invert_yaxis()
        bar = axes.figure.colorbar(image, ax=axes, pad=0.02, aspect=25)
        bar.outline.set_visible(False)
        bar.set_label(f"events per {span(edges[1] - edges[0])}")
        bar.locator = MaxNLocator(5, integer=True)
        bar.update_ticks()
        axes.set_xlabel(f"time since the trace began [{unit_name}]")
        canvas.title(axes, title, _events(len(seen), len(frame) - len(seen)))
    return axes


def _time(plot: str, frame: pd.DataFrame) -> str:
    found = columns.points(frame)
    if found:
        return found[0]
    hint = "a member u64 ts, filled by bpf_ktime_get_ns(), makes one"
    raise columns.missing(plot, "a column of points in time", frame, hint)


def _worth_telling_apart(frame: pd.DataFrame) -> str | None:
    """A column whose names share the events; of two, the one with fewer names."""
    found = [each for each in columns.names(frame) if 2 <= frame[each].nunique() <= 50]
    return found[0] if found else None


def bins(at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Edges of at most as many bars as can be told apart, of a round width: 1, 2 or 5 by a power of ten."""
    low, high = int(at.min()), int(at.max())
    least = max((high - low) / _BINS, 1)
    power = 10 ** int(np.floor(np.log10(least)))
    width = next(step * power for step in (*_STEPS, 10) if step * power >= least)
    first = low // width
    count = high // width - first + 1
    edges: NDArray[np.float64] = (first + np.arange(count + 1)) * float(width)
    return edges


def _counts(
    at: NDArray[np.int64], codes: NDArray[Any], edges: NDArray[np.float64], rows: int
) -> NDArray[Any]:
    columns_of = np.minimum(((at - edges[0]) // (edges[1] - edges[0])).astype(np.int64), len(edges) - 2)
    flat = np.bincount(codes * (len(edges) - 1) + columns_of, minlength=rows * (len(edges) - 1))
    return flat.reshape(rows, len(edges) - 1)


def _unit(edges: NDArray[np.float64]) -> tuple[float, str]:
    extent = max(abs(edges[0]), abs(edges[-1]))
    return next(
        each
        for each in ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
        if extent >= each[0] * 2 or each[0] == 1
    )


def _events(number: int, without: int) -> str:
    return columns.number(number, "event") + (f", {without:,} more without a time" if without else "")
