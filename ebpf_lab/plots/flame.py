"""A flame graph: call chains over each other, as wide as they were frequent."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.folded import chain_columns, chains
from ebpf_lab.frame.shown import printable
from ebpf_lab.plots import columns
from ebpf_lab.plots.canvas import Canvas
from ebpf_lab.plots.colours import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 0.21
"""Height of a function in inches."""
_DEEPEST = 64
"""Functions above one another that are drawn."""
_THINNEST = 0.0015
"""Part of the width below which a function is not drawn."""
_LETTER = 0.068
"""Width of a letter in inches, at most."""
_AMOUNTS = ("bytes", "total", "size")
"""Columns that count where there is none that says how often."""
_COMMAND, _USER, _KERNEL = "command", "user", "kernel"
_COLOURS = {_COMMAND: 6, _USER: 1, _KERNEL: 0}


@dataclass(slots=True)
class _Node:
    value: int = 0
    above: dict[tuple[str, str], _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Box:
    """A function in the picture: from ``left``, ``width`` of the whole, in row ``depth`` from below."""

    name: str
    kind: str
    left: float
    width: float
    depth: int


def flame(canvas: Canvas, frame: pd.DataFrame, weight: str | None, ax: Axes | None) -> Axes:
    """Draw the call chains of a frame."""
    if not chain_columns(frame):
        raise columns.missing(
            "flame graph",
            "a column of call chains",
            frame,
            "a member such as user_stack_id, filled by bpf_get_stackid(), makes one",
        )
    if weight is not None and not columns.is_number(frame[columns.check(frame, weight)]):
        raise UsageProblem(f"column {weight!r} holds no numbers", hint='flame("count") takes one that does')
    weight = weight or columns.weight(frame) or next((each for each in _AMOUNTS if each in frame), "count")
    total, found = boxes(frame, weight)
    with canvas.axes(1.35 + _ROW * (max((box.depth for box in found), default=4) + 1), ax) as axes:
        if not found:
            return canvas.say(axes, "Flame graph", "No call chain was seen: there is nothing to draw.")
        _draw(canvas, axes, found)
        unit = weight if weight in frame else "events"
        unit = "events" if unit == "count" else unit
        said = "a function is as wide as often it was on the call chain; callers stand below"
        canvas.title(axes, "Flame graph", f"{total:,} {unit} · {said}")
    return axes


def boxes(frame: pd.DataFrame, weight: str) -> tuple[int, list[Box]]:
    """The sum of all weights, and what is drawn."""
    root = _Node()
    for chain, count in chains(frame, weight=weight).items():
        node = root
        node.value += count
        kernel_from = len(chain.functions) - chain.in_kernel
        kinds = (
            _KERNEL if depth >= kernel_from else _COMMAND if chain.has_command and not depth else _USER
            for depth in range(len(chain.functions))
        )
        # Functions without a name in a row, such as a chain through foreign memory is full of, are one.
        steps = [
            step
            for step, same in itertools.groupby(zip(chain.functions, kinds, strict=True))
            for _ in itertools.islice(same, 1 if step[0].startswith("[") else None)
        ]
        for step in steps[:_DEEPEST]:
            node = node.above.setdefault(step, _Node())
            node.value += count
    return root.value, list(_laid_out(root)) if root.value > 0 else []


def _laid_out(root: _Node) -> Iterator[Box]:
    waiting = [(root, 0.0, -1)]
    while waiting:
        node, left, depth = waiting.pop()
        for (function, kind), child in sorted(node.above.items()):
            width = child.value / root.value
            if width >= _THINNEST:
                yield Box(function, kind, left, width, depth + 1)
                waiting.append((child, left, depth + 1))
            left += width


def _draw(canvas: Canvas, axes: Axes, found: list[Box]) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    theme = canvas.theme
    corners = [
        [
            (b.left, b.depth),
            (b.left + b.width, b.depth),
            (b.left + b.width, b.depth + 1),
            (b.left, b.depth + 1),
        ]
        for b in found
    ]
    colours = [_tint(theme, box) for box in found]
    axes.add_collection(PolyCollection(corners, facecolors=colours, edgecolors=theme.ground, linewidths=0.8))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(box.depth for box in found) + 1)
    axes.set_axis_off()
    for box in found:
        room = int(box.width * (canvas.width - 0.3) / _LETTER) - 1
        if room >= 3:
            text = printable(box.name)
            shown = text if len(text) <= room else f"{text[: room - 1]}…"
            axes.text(box.left + 0.004, box.depth + 0.47, shown, va="center", fontsize=8, clip_on=True)
    kinds = [kind for kind in _COLOURS if any(box.kind == kind for box in found)]
    patches = [Patch(color=_mixed(theme, theme.series[_COLOURS[kind]], 0.5)) for kind in kinds]
    canvas.legend(axes, kinds, patches, "")


def _tint(theme: Theme, box: Box) -> tuple[float, float, float]:
    # The same function has the same tint wherever it is, and its neighbours most likely another one.
    part = 0.34 + 0.26 * (zlib.crc32(box.name.encode(errors="replace")) % 64) / 63
    return _mixed(theme, theme.series[_COLOURS[box.kind]], part)


def _mixed(theme: Theme, colour: str, part: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    red, green, blue = (
        part * own + (1 - part) * ground
        for own, ground in zip(to_rgb(colour), to_rgb(theme.ground), strict=True)
    )
    return red, green, blue
