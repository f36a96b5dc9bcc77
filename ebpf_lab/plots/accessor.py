"""``Trace.plot``: the plots of a trace's streams and maps, or of any frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from ebpf_lab.errors import UsageProblem
from ebpf_lab.plots.canvas import Canvas
from ebpf_lab.plots.choice import suggestions
from ebpf_lab.source.words import did_you_mean, listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Plots:
    """Draws; called without a name, what the data suggests.

    Every method returns matplotlib's ``Axes`` (its ``figure`` has ``savefig``), draws into ``ax`` where that
    is given, and takes ``of``: the stream or map to draw.  Without it, that is the first one that has what
    the plot needs, the main stream before all.

    Parameters
    ----------
    tables : mapping
        Frames by name, the main one first.
    canvas : Canvas
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame], canvas: Canvas | None = None) -> None:
        self._tables = tables
        self._canvas = canvas or Canvas()

    def __call__(self, *, of: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw what the data suggests first.

        Raises
        ------
        UsageProblem
            The columns suggest nothing.
        """
        for name in self._names(of):
            for each in suggestions(self._tables[name]):
                draw: Callable[..., Axes] = getattr(self, each.method)
                return draw(of=name, ax=ax, **each.arguments)
        raise UsageProblem(
            "these columns suggest no plot",
            why="there are no times, durations, call chains, processes, histograms or names among them",
            hint="counts(column) and latency(column) draw any column",
        )

    def __repr__(self) -> str:
        found = [
            each.code("trace") for name in self._names(None)[:1] for each in suggestions(self._tables[name])
        ]
        return "\n".join(["What this data suggests:", *(found or ["nothing"])])

    def timeline(self, by: str | None = None, *, of: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw how many events came when, in bars of a round width.

        Parameters
        ----------
        by : str, optional
            Column whose values are told apart by colour; without it, a column of few names if there is one.

        Raises
        ------
        UsageProblem
            There is no column of points in time.
        """
        from ebpf_lab.plots.timeline import timeline

        return self._draw(of, lambda frame: timeline(self._canvas, frame, by, ax))

    def counts(self, column: str | None = None, *, of: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw how often each value of a column came, or, of a map, what it counts for each.

        Raises
        ------
        UsageProblem
            There is no such column or, without one given, none of names.
        """
        from ebpf_lab.plots.counts import counts

        return self._draw(of, lambda frame: counts(self._canvas, frame, column, ax))

    def latency(
        self,
        column: str | None = None,
        *,
        by: str | None = None,
        unit: str = "",
        of: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw how long things took, in buckets of powers of two.

        Parameters
        ----------
        column : str, optional
            Durations or any numbers; without it the first column of durations, or a histogram's slots.
        by : str, optional
            Column whose values are told apart by colour.
        unit : {"ns", "us", "ms"}, optional
            What a histogram map counts in: its slots are mere numbers.

        Raises
        ------
        UsageProblem
            There are no durations and no slots, or the column holds no numbers.
        """
        from ebpf_lab.plots.latency import latency

        return self._draw(of, lambda frame: latency(self._canvas, frame, column, by, unit, ax))

    def heatmap(self, column: str | None = None, *, of: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw how many events came when, and how long they took or what they were.

        Parameters
        ----------
        column : str, optional
            Durations or numbers, in buckets of powers of two, or names; without it the first of durations,
            else of names.

        Raises
        ------
        UsageProblem
            There is no column of points in time, or none besides it.
        """
        from ebpf_lab.plots.timeline import heatmap

        return self._draw(of, lambda frame: heatmap(self._canvas, frame, column, ax))

    def flame(self, weight: str | None = None, *, of: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw call chains over each other, as wide as they were frequent.

        Parameters
        ----------
        weight : str, optional
            Column that counts; without it ``count``, ``bytes`` and the like, or each row is one.

        Raises
        ------
        UsageProblem
            There is no column of call chains.

        Notes
        -----
        :func:`ebpf_lab.folded` has the same for tools that let one walk through it.
        """
        from ebpf_lab.plots.flame import flame

        return self._draw(of, lambda frame: flame(self._canvas, frame, weight, ax))

    def tree(self, *, of: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the processes below those that started them.

        Raises
        ------
        UsageProblem
            There are no columns ``pid`` and ``ppid``.
        """
        from ebpf_lab.plots.tree import tree

        return self._draw(of, lambda frame: tree(self._canvas, frame, ax))

    def _draw(self, of: str | None, draw: Callable[[pd.DataFrame], Axes]) -> Axes:
        first: UsageProblem | None = None
        for name in self._names(of):
            try:
                return draw(self._tables[name])
            except UsageProblem as problem:
                first = first or problem
        assert first is not None
        raise first

    def _names(self, of: str | None) -> list[str]:
        names = list(self._tables)
        if not names:
            raise UsageProblem(
                "there is nothing to draw: this trace has neither a stream of events nor a map"
            )
        if of is None:
            return names
        if of not in names:
            hint = did_you_mean(of, names) or f"there are {listing(names)}"
            raise UsageProblem(f"there is no stream or map {of!r}", hint=hint)
        return [of]


def plot(frame: pd.DataFrame) -> Plots:
    """The plots of any frame, such as a part of a trace's: ``plot(frame.query("pid == 7")).timeline()``."""
    return Plots({"frame": frame})
