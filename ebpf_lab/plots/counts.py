"""How often each value of a column came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ebpf_lab.plots import columns
from ebpf_lab.plots.canvas import Canvas, name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS = 20


def counts(canvas: Canvas, frame: pd.DataFrame, column: str | None, ax: Axes | None) -> Axes:
    """Draw a bar for each of the most frequent values."""
    weight = columns.weight(frame)
    if column is None:
        found = [each for each in columns.names(frame) if each != weight]
        if not found:
            hint = "counts(column) takes any column"
            raise columns.missing("count of names", "a column of names, such as comm", frame, hint)
        column = found[0]
    values = frame[columns.check(frame, column)]
    has_time = bool(columns.points(frame))
    weight = None if weight == column or has_time else weight
    unit = weight or ("events" if has_time else "rows")
    title = f"{unit[0].upper()}{unit[1:]} by {column}"
    weights = None if weight is None else frame[weight].to_numpy(float)
    codes, names = columns.top(values, _BARS + 1, weights)
    totals = np.bincount(codes, weights=weights, minlength=len(names))
    if not totals.any():
        with canvas.axes(2.4, ax) as axes:
            empty = "Nothing came" if values.empty else "Every count is 0"
            return canvas.say(axes, title, f"{empty}: there is nothing to draw.")
    what = "in all" if weight else unit
    more = f"{totals.sum():,.0f} {what} · {columns.number(values.nunique(), 'value')}"
    if len(names) > _BARS:
        # As a bar they would dwarf those that are told apart.
        more += f", of which {names.pop()} with {totals[-1]:,.0f} are not shown"
        totals = totals[:-1]
    with canvas.axes(1.3 + 0.26 * len(names), ax) as axes:
        bars = axes.barh(np.arange(len(names)), totals, height=0.76, color=canvas.theme.series[0])
        axes.bar_label(bars, [f"{total:,.0f}" for total in totals], padding=4, color=canvas.theme.text)
        axes.set_yticks(np.arange(len(names)), [name(each) for each in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, max(totals.max() * 1.12, 1))
        axes.tick_params(axis="y", length=0)
        canvas.count_along(axes, "x")
        axes.set_xlabel(unit)
        canvas.title(axes, title, more)
    return axes
