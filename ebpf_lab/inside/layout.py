"""A drawing of boxes and the ways between them: boxes that never overlap, ways of straight lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ebpf_lab.inside.layers import Layers, Place, layered

BESIDE, BESIDE_PASSAGE = 26.0, 14.0
"""Room between two boxes of a layer, and between a passing line and what is next to it."""
_ABOVE_TRACKS, _BELOW_TRACKS, _TRACK = 20.0, 14.0, 9.0
_SWEEPS = 16
_PORTS = 44.0
"""Room between two ways out of a box, if it is wide enough."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node is: its upper left corner, and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph that is laid out.

    Attributes
    ----------
    boxes : list of Box
        By node.
    ways : list of list of Point
        By edge, from the lower side of a box to the upper side of another.
    back : list of bool
        Whether an edge closes a loop, and leads up.
    width, height : float
    """

    boxes: list[Box]
    ways: list[list[Point]]
    back: list[bool]
    width: float
    height: float


def arrange(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Drawing:
    """Lay out boxes of these sizes, joined by edges from one to another; the first is at the top."""
    layers = layered(len(sizes), edges)
    centres = _across(layers, sizes, edges)
    left = min((centres[place] - _half(layers, sizes, place) for place in centres), default=0)
    for place in centres:
        centres[place] -= left
    lines = [_steps(layers, centres, sizes, edges, number) for number in range(len(edges))]
    tracks, counts = _tracks(lines, len(layers.order))
    heights = [0.0] * len(layers.order)
    for (_, height), at in zip(sizes, layers.layer, strict=True):
        heights[at] = max(heights[at], height)
    tops, bottoms, y = [], [], 0.0
    for number, height in enumerate(heights):
        y += _gap(counts[number], first=number == 0)
        tops.append(y)
        y += height
        bottoms.append(y)
    y += _gap(counts[-1], first=not counts[-1])
    boxes = []
    for node, (width, height) in enumerate(sizes):
        boxes.append(Box(centres[layers.node(node)] - width / 2, tops[layers.layer[node]], width, height))
    ways = []
    for (origin, target), steps in zip(edges, lines, strict=True):
        points = [(steps[0].start, boxes[origin].y + boxes[origin].height)]
        for step in steps:
            top = bottoms[step.gap - 1] if step.gap else 0.0
            track = top + _ABOVE_TRACKS + _TRACK * tracks[step.gap, step.key]
            points += [(step.start, track), (step.end, track)]
        points.append((steps[-1].end, boxes[target].y))
        ways.append(_straight(points))
    width = max([*(box.x + box.width for box in boxes), *(x for way in ways for x, _ in way)], default=0.0)
    return Drawing(boxes, ways, layers.back, width, y)


@dataclass(frozen=True, slots=True)
class _Step:
    """An edge's way through the room above a layer, from one x to another; ``key`` is where it leads."""

    gap: int
    start: float
    end: float
    key: tuple[Place, bool]


def _gap(tracks: int, *, first: bool) -> float:
    if first and not tracks:
        return 0.0
    return _ABOVE_TRACKS + _TRACK * max(tracks - 1, 0) + _BELOW_TRACKS


def _half(layers: Layers, sizes: Sequence[tuple[float, float]], place: Place) -> float:
    return sizes[place[0]][0] / 2 if place == layers.node(place[0]) else 0.0


def _across(
    layers: Layers, sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]
) -> dict[Place, float]:
    """The x of each place's centre: near those above and below, in order, and with room between them."""
    above, below = defaultdict(list), defaultdict(list)
    for upper, lower in layers.links(edges):
        above[lower].append(upper)
        below[upper].append(lower)
    centres: dict[Place, float] = {}
    offsets = []
    for row in layers.order:
        at, offset = 0.0, []
        for number, place in enumerate(row):
            half = _half(layers, sizes, place)
            if number:
                both = half and _half(layers, sizes, row[number - 1])
                at += half + (BESIDE if both else BESIDE_PASSAGE)
            offset.append(at)
            centres[place] = at
            at += half
        offsets.append(offset)
    for sweep in range(_SWEEPS):
        near, rows = (above, layers.order) if sweep % 2 == 0 else (below, layers.order[::-1])
        room = offsets if sweep % 2 == 0 else offsets[::-1]
        for row, offset in zip(rows, room, strict=True):
            wanted, weights = [], []
            for place, shift in zip(row, offset, strict=True):
                # Straight lines matter most where nothing but a line is.
                neighbours = near[place]
                mean = sum(centres[each] for each in neighbours) / len(neighbours) if neighbours else None
                wanted.append((centres[place] if mean is None else mean) - shift)
                weights.append(0.2 if mean is None else 1.0 if _half(layers, sizes, place) else 4.0)
            for place, shift, x in zip(row, offset, _ascending(wanted, weights), strict=True):
                centres[place] = x + shift
    return centres


def _ascending(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The numbers nearest to those wanted, by squares, that never decrease (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(wanted, weights, strict=True):
        count = 1
        while pools and pools[-1][0] > value:
            before, more, number = pools.pop()
            value = (value * weight + before * more) / (weight + more)
            weight, count = weight + more, count + number
        pools.append((value, weight, count))
    return [value for value, _, count in pools for _ in range(count)]


def _steps(
    layers: Layers,
    centres: dict[Place, float],
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    number: int,
) -> list[_Step]:
    origin, target = edges[number]
    up = layers.back[number]
    path = layers.paths[number]
    start = _port(layers, centres, sizes, edges, number)
    end = centres[layers.node(target)]
    if up:
        # Beside those that come from above.
        end += min(sizes[target][0] / 4, _PORTS / 2)
    # A gap has the number of the layer below it; an edge that leads up begins in the one below its box.
    first, last = layers.layer[origin] + 1, layers.layer[target]
    found = []
    for index, gap in enumerate(range(first, last - 1, -1) if up else range(first, last + 1)):
        place = path[index] if index < len(path) else layers.node(target)
        there = centres[place] if index < len(path) else end
        found.append(_Step(gap, start, there, (place, up)))
        start = there
    return found


def _port(
    layers: Layers,
    centres: dict[Place, float],
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    number: int,
) -> float:
    """Where an edge leaves its box: those of a box in the order of where they go."""

    def goes(each: int) -> tuple[float, int]:
        path = layers.paths[each]
        return centres[path[0] if path else layers.node(edges[each][1])], each

    origin = edges[number][0]
    ways = sorted((each for each, (start, _) in enumerate(edges) if start == origin), key=goes)
    room = min(_PORTS, sizes[origin][0] / (len(ways) + 1))
    return centres[layers.node(origin)] + (ways.index(number) - (len(ways) - 1) / 2) * room


def _tracks(lines: Iterable[Sequence[_Step]], layers: int) -> tuple[dict[tuple[int, object], int], list[int]]:
    """The track of all that leads to one place through a gap, and how many tracks each gap has."""
    spans: list[dict[object, tuple[float, float]]] = [{} for _ in range(layers + 1)]
    for steps in lines:
        for step in steps:
            low, high = spans[step.gap].get(step.key, (step.start, step.start))
            spans[step.gap][step.key] = (min(low, step.start, step.end), max(high, step.start, step.end))
    tracks: dict[tuple[int, object], int] = {}
    counts = []
    for gap, found in enumerate(spans):
        ends: list[float] = []
        for key, (low, high) in sorted(found.items(), key=lambda item: item[1]):
            free = next((number for number, end in enumerate(ends) if end < low), len(ends))
            if free == len(ends):
                ends.append(high)
            ends[free] = high
            tracks[gap, key] = free
        counts.append(len(ends))
    return tracks, counts


def _straight(points: Sequence[Point]) -> list[Point]:
    """Without the points at which nothing turns."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and any(kept[-2][axis] == kept[-1][axis] == point[axis] for axis in (0, 1)):
            kept.pop()
        kept.append(point)
    return kept
