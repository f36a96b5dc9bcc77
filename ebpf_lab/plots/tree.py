"""A tree of processes: who started whom, with which arguments, and when it was first seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ebpf_lab.frame.shown import elided, printable, span
from ebpf_lab.plots import columns
from ebpf_lab.plots.canvas import Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 60
"""Processes that are drawn."""
_ROW, _INDENT = 0.23, 0.26
"""Inches."""
_LETTER = 0.078
"""Width of a letter in inches."""
_CALLED = ("args", "argv", "cmdline", "comm", "child_comm", "file", "filename")


@dataclass(frozen=True, slots=True)
class Process:
    """A row of the tree; ``parent`` is the row above that it hangs on, -1 for none.

    ``seen`` is False for a parent that the frame knows by its number alone.
    """

    pid: int
    seen: bool
    words: str
    when: str
    depth: int
    parent: int


def tree(canvas: Canvas, frame: pd.DataFrame, ax: Axes | None) -> Axes:
    """Draw the processes of a frame below their parents."""
    found = columns.family(frame)
    if found is None:
        hint = "u32 ppid, filled from task->real_parent->tgid, makes the second; see the snippet exec_snoop"
        raise columns.missing("process tree", "columns pid and ppid", frame, hint)
    every = list(rows(frame, *found))
    title = "Processes and who started them"
    with canvas.axes(0.75 + _ROW * max(min(len(every), _ROWS + 1), 4), ax) as axes:
        if not every:
            return canvas.say(axes, title, "No events came: there is no process to draw.")
        shown = every[:_ROWS]
        left_out = len(every) - len(shown)
        axes.set_axis_off()
        axes.set_xlim(0, canvas.width - 0.3)
        axes.set_ylim(len(shown) + bool(left_out) - 0.4, -0.6)
        for at, process in enumerate(shown):
            x = process.depth * _INDENT
            if process.parent >= 0:
                axes.plot(
                    [x - 0.17, x - 0.17, x - 0.03],
                    [process.parent + 0.35, at, at],
                    color=canvas.theme.faint,
                    lw=1,
                )
            pid = f"{process.pid} "
            axes.text(x, at, pid, va="center", color=canvas.theme.accent, fontfamily="monospace", fontsize=9)
            begin = x + len(pid) * _LETTER
            room = max(int((canvas.width - 1.3 - begin) / _LETTER), 8)
            words = elided(process.words if process.seen else "(known by its number alone)", room)
            axes.text(begin, at, words, va="center", fontfamily="monospace", fontsize=9)
            axes.text(
                canvas.width - 0.35,
                at,
                process.when,
                va="center",
                ha="right",
                color=canvas.theme.faint,
                fontsize=9,
            )
        if left_out:
            axes.text(0, len(shown), f"… and {left_out:,} more", va="center", color=canvas.theme.faint)
        number = columns.number(sum(process.seen for process in every), "process")
        when = " · times are those of the first event" if any(each.when for each in every) else ""
        canvas.title(axes, title, f"{number}{when}")
    return axes


def rows(frame: pd.DataFrame, child: str, parent: str) -> Iterator[Process]:
    """The processes in the order of the tree; parents that have no row of their own are roots."""
    known = frame[[child, parent]].dropna()
    last = known.drop_duplicates(child, keep="last").index
    parents = dict(zip(known.loc[last, child].astype(int), known.loc[last, parent].astype(int), strict=True))
    order = list(dict.fromkeys(known[child].astype(int)))
    words, when = _words(frame, child), _first(frame, child)
    below: dict[int, list[int]] = {}
    for pid in order:
        if parents[pid] != pid:
            below.setdefault(parents[pid], []).append(pid)
    roots = [pid for pid in dict.fromkeys([*below, *order]) if parents.get(pid, pid) == pid]
    yield from _walk(roots, below, words, when, order)


def _walk(
    roots: list[int],
    below: Mapping[int, list[int]],
    words: Mapping[int, str],
    when: Mapping[int, str],
    order: list[int],
) -> Iterator[Process]:
    seen: set[int] = set()
    known = set(order)
    number = 0
    # What hangs on itself, because a number was used again, has no root: it comes last.
    for root in (*roots, *order):
        waiting = [(root, 0, -1)]
        while waiting:
            pid, depth, parent = waiting.pop()
            if pid in seen:
                continue
            seen.add(pid)
            yield Process(pid, pid in known, words.get(pid, ""), when.get(pid, ""), depth, parent)
            waiting += [(each, depth + 1, number) for each in reversed(below.get(pid, []))]
            number += 1


def _words(frame: pd.DataFrame, child: str) -> dict[int, str]:
    """What each process was last called."""
    called = [name for name in _CALLED if name in frame]
    found: dict[int, str] = {}
    for name in reversed(called):
        column = frame[[child, name]].dropna().drop_duplicates(child, keep="last")
        texts = column[name].map(lambda value: printable(str(value)))
        found |= {int(pid): text for pid, text in zip(column[child], texts, strict=True) if text}
    return found


def _first(frame: pd.DataFrame, child: str) -> dict[int, str]:
    times = columns.points(frame)
    if not times:
        return {}
    first = frame[[child, times[0]]].dropna().drop_duplicates(child)
    return {
        int(pid): span(at)
        for pid, at in zip(first[child], columns.nanoseconds(first[times[0]]).tolist(), strict=True)
    }
