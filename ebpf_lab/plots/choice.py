"""Which plots a frame suggests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from ebpf_lab.frame.folded import chain_columns
from ebpf_lab.plots import columns


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A plot that says something about a frame.

    Attributes
    ----------
    method : str
        Of :class:`~ebpf_lab.plots.accessor.Plots`.
    words : str
        What it is called on a button.
    arguments : mapping
        To call the method with.
    """

    method: str
    words: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    def code(self, trace: str) -> str:
        """What a person writes to get it."""
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{trace}.plot.{self.method}({given})"


def suggestions(frame: pd.DataFrame) -> list[Suggestion]:
    """What can be drawn of a frame, the plot that says most first."""
    found = []
    if chain_columns(frame):
        found.append(Suggestion("flame", "Flame graph"))
    if columns.is_histogram(frame):
        found.append(Suggestion("latency", "Histogram"))
    if columns.family(frame):
        found.append(Suggestion("tree", "Process tree"))
    has_time = bool(columns.points(frame))
    for name in columns.durations(frame)[:1]:
        found.append(Suggestion("latency", f"Latency: {name}", {"column": name}))
        if has_time:
            found.append(Suggestion("heatmap", f"Heat map: {name}", {"column": name}))
    if has_time:
        found.append(Suggestion("timeline", "Timeline"))
    told_apart = [name for name in columns.names(frame) if frame[name].nunique() > 1]
    if (has_time or columns.weight(frame)) and not columns.is_histogram(frame):
        counted = [*told_apart, *columns.counted_keys(frame)]
        found += [Suggestion("counts", f"Counts: {name}", {"column": name}) for name in counted[:3]]
    if has_time and not columns.durations(frame):
        found += [Suggestion("heatmap", f"Heat map: {name}", {"column": name}) for name in told_apart[:1]]
    return found
