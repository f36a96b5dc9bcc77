"""The control-flow graph of a function as HTML: boxes of text, and the ways between them as SVG.

The boxes are ordinary text with the ways out in words: where a page drops styles and drawings, they stand one
below the other and still say where each goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ebpf_lab.inside.flow import BasicBlock, Kind
from ebpf_lab.inside.layout import Drawing, Point, arrange
from ebpf_lab.inside.page import tint
from ebpf_lab.inside.panes import line_name
from ebpf_lab.inside.parts import Line, Part
from ebpf_lab.inside.placed import Placed

MOST_BLOCKS = 300
"""Blocks of a function that is drawn."""
_DETAILED = 160
"""Instructions of a function up to which all of them are in the boxes."""
_CHARACTER, _ROW, _PADDING = 7.25, 16.0, 5.0
"""Pixels of the type that boxes are written in."""
_MARGIN = 10.0
_LONGEST = 46
"""Characters of a row."""
_CORNER = 5.0
_LEAVES = "↪ goes to another program, unless it fails"
_WORDS = {Kind.NEXT: "goes on to", Kind.GOTO: "goes to", Kind.YES: "yes:", Kind.NO: "no:"}


def graph(part: Part) -> str:
    """The graph, or why there is none."""
    if len(part.blocks) > MOST_BLOCKS:
        return f"<p class='f'>{len(part.blocks):,} blocks are too many to be drawn.</p>"
    detailed = len(part.instructions) <= _DETAILED
    placed = {each.instruction.number: each for each in part.instructions}
    rows = [list(_rows(block, placed, detailed=detailed)) for block in part.blocks]
    sizes = []
    for number, block in enumerate(rows):
        longest = max([len(text) for _, text, _ in block], default=0)
        longest = max(longest, len(_title(number, part.blocks[number])))
        sizes.append((longest * _CHARACTER + 2 * _PADDING + 2, (len(block) + 1) * _ROW + 2 * _PADDING))
    edges = [(number, edge.to) for number, block in enumerate(part.blocks) for edge in block.edges]
    kinds = [edge.kind for block in part.blocks for edge in block.edges]
    drawing = arrange(sizes, edges)
    boxes = "".join(_box(number, block, rows[number], drawing) for number, block in enumerate(part.blocks))
    return (
        f"<div class='flow'><div class='canvas' style='width:{drawing.width + 2 * _MARGIN:.0f}px;"
        f"height:{drawing.height + 2 * _MARGIN:.0f}px'>{_ways(drawing, edges, kinds)}{boxes}</div></div>"
    )


def _title(number: int, block: BasicBlock) -> str:
    first, last = block.instructions[0].number, block.instructions[-1].number
    return f"block {number} · {first}" + (f" to {last}" if last != first else "")


def _rows(
    block: BasicBlock, placed: dict[int, Placed], *, detailed: bool
) -> Iterator[tuple[Line, str, int | None]]:
    """Line, text, and the number of the instruction that it is; None for a line of C."""
    last: Line | None = None
    for instruction in block.instructions:
        each = placed[instruction.number]
        line = (each.line.file, each.line.line)
        # What the compiler added has no line, and does not end one.
        if line != last and line[1]:
            yield line, _cut(f"{line_name(line)} {each.line.text.strip()}"), None
            last = line
        if detailed or instruction is block.instructions[-1]:
            yield line, _cut(f"  {instruction.number} {each.text}"), instruction.number
    if block.leaves:
        yield ("", 0), _LEAVES, None


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _box(number: int, block: BasicBlock, rows: list[tuple[Line, str, int | None]], drawing: Drawing) -> str:
    place = drawing.boxes[number]
    corner = f"left:{place.x + _MARGIN:.0f}px;top:{place.y + _MARGIN:.0f}px"
    style = f"{corner};width:{place.width:.0f}px;height:{place.height:.0f}px"
    lines = [f"<span class='f'>{_title(number, block)}</span>\n"]
    for line, text, instruction in rows:
        kind = "ci" if instruction is not None else "cl"
        marks = f" data-l='{escape(line_name(line))}'" if line[1] else ""
        marks += f" data-i='{instruction}'" if instruction is not None else ""
        ground = f";background:{tint(line[1])}" if line[1] else ""
        lines.append(f"<span class='{kind}'{marks} style='display:block{ground}'>{escape(text)}\n</span>")
    ways = ", ".join(f"{_WORDS[edge.kind]} block {edge.to}" for edge in block.edges)
    lines.append(f"<span class='ways'>{ways or 'leaves the function'}\n</span>")
    return f"<pre class='box' data-b='{number}' style='{style}'>{''.join(lines)}</pre>"


def _ways(drawing: Drawing, edges: list[tuple[int, int]], kinds: list[Kind]) -> str:
    made, words = [], []
    for way, back, kind, (origin, target) in zip(drawing.ways, drawing.back, kinds, edges, strict=True):
        moved = [(x + _MARGIN, y + _MARGIN) for x, y in way]
        (left, top), (x, y) = moved[0], moved[-1]
        made.append(
            f"<g class='way {kind}{' back' if back else ''}' data-from='{origin}' data-to='{target}'>"
            f"<path d='{_path(moved)}'/><path class='tip' d='M{x:.1f} {y:.1f}l-4 -7h8z'/></g>"
        )
        if kind in (Kind.YES, Kind.NO):
            place = f"left:{left + 3:.0f}px;top:{top:.0f}px"
            words.append(f"<span class='word {kind}' style='{place}'>{kind}</span>")
    width, height = drawing.width + 2 * _MARGIN, drawing.height + 2 * _MARGIN
    return f"<svg width='{width:.0f}' height='{height:.0f}'>{''.join(made)}</svg>{''.join(words)}"


def _path(points: list[Point]) -> str:
    """Lines with rounded corners."""
    made = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        (bx, by), (ax, ay) = _towards((x, y), before), _towards((x, y), after)
        made.append(f"L{bx:.1f} {by:.1f}Q{x:.1f} {y:.1f} {ax:.1f} {ay:.1f}")
    made.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return "".join(made)


def _towards(corner: Point, other: Point) -> Point:
    """The point from which a corner is rounded: half the way at most."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER, length / 2) / length if length else 0.0
    return corner[0] + dx * share, corner[1] + dy * share
