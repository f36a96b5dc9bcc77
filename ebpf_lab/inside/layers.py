"""The nodes of a graph in layers: as many edges as can be lead down, and few of them cross.

After Sugiyama, Tagawa and Toda (1981): edges that close a loop are turned, each node goes below all that lead
to it, an edge that passes layers gets a place in each of them, and the places of a layer are sorted by the
mean of their neighbours.  Edges to one node share their places: thirty ways to one exit are one line.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_SWEEPS = 8

Place = tuple[int, int, bool]
"""A node's number, a layer, and whether it is a passage of edges that lead up to the node.

What stands in a layer that is not the node's own is a passage too.
"""


@dataclass(slots=True)
class Layers:
    """A graph in layers.

    Attributes
    ----------
    layer : list of int
        By node.
    order : list of list of Place
        What is in each layer, from left to right.
    paths : list of list of Place
        The places that each edge passes between its ends; of one that leads up, also one beside each end.
    back : list of bool
        Whether an edge closes a loop.
    """

    layer: list[int]
    back: list[bool]
    order: list[list[Place]] = field(default_factory=list)
    paths: list[list[Place]] = field(default_factory=list)

    def node(self, number: int) -> Place:
        """The place of a node itself."""
        return number, self.layer[number], False

    def links(self, edges: Sequence[tuple[int, int]]) -> set[tuple[Place, Place]]:
        """Pairs of places with one layer between them, the upper one first, that edges join."""
        found = set()
        for (origin, target), path in zip(edges, self.paths, strict=True):
            whole = [self.node(origin), *path, self.node(target)]
            for one, other in itertools.pairwise(whole):
                if one[1] != other[1]:
                    found.add((one, other) if one[1] < other[1] else (other, one))
        return found


def layered(nodes: int, edges: Sequence[tuple[int, int]]) -> Layers:
    """Put the nodes 0, 1, … into layers; the first is where everything begins."""
    back = _closing(nodes, edges)
    layers = Layers(_depths(nodes, edges, back), back)
    layers.order = [[] for _ in range(max(layers.layer, default=-1) + 1)]
    for node in range(nodes):
        layers.order[layers.layer[node]].append(layers.node(node))
    known: set[Place] = set()
    for (origin, target), up in zip(edges, back, strict=True):
        first, last = layers.layer[origin], layers.layer[target]
        between = range(first, last - 1, -1) if up else range(first + 1, last)
        layers.paths.append([(target, at, up) for at in between])
        for place in layers.paths[-1]:
            if place not in known:
                known.add(place)
                layers.order[place[1]].append(place)
    _sort(layers, layers.links(edges))
    return layers


def _closing(nodes: int, edges: Sequence[tuple[int, int]]) -> list[bool]:
    """Which edges lead back to a node that is on the way to them, by a search in depth."""
    leaving = defaultdict(list)
    for number, (origin, _) in enumerate(edges):
        leaving[origin].append(number)
    back = [False] * len(edges)
    seen: set[int] = set()
    for root in range(nodes):
        if root in seen:
            continue
        seen.add(root)
        open_nodes, stack = {root}, [(root, iter(leaving[root]))]
        while stack:
            node, ways = stack[-1]
            for number in ways:
                target = edges[number][1]
                if target in open_nodes:
                    back[number] = True
                elif target not in seen:
                    seen.add(target)
                    open_nodes.add(target)
                    stack.append((target, iter(leaving[target])))
                    break
            else:
                open_nodes.discard(node)
                stack.pop()
    return back


def _depths(nodes: int, edges: Sequence[tuple[int, int]], back: Sequence[bool]) -> list[int]:
    """Each node's layer: below all that lead down to it."""
    ahead = [edge for edge, up in zip(edges, back, strict=True) if not up]
    waiting, leaving = [0] * nodes, defaultdict(list)
    for origin, target in ahead:
        waiting[target] += 1
        leaving[origin].append(target)
    depth = [0] * nodes
    ready = [node for node in range(nodes) if not waiting[node]]
    while ready:
        node = ready.pop()
        for target in leaving[node]:
            depth[target] = max(depth[target], depth[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return depth


def _sort(layers: Layers, links: Iterable[tuple[Place, Place]]) -> None:
    above, below = defaultdict(list), defaultdict(list)
    for upper, lower in links:
        above[lower].append(upper)
        below[upper].append(lower)
    best, fewest = [list(row) for row in layers.order], _crossings(layers.order, below)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        rows = layers.order[1:] if down else layers.order[-2::-1]
        fixed = layers.order if down else layers.order[::-1]
        near = above if down else below
        for before, row in zip(fixed, rows, strict=False):
            at = {place: number for number, place in enumerate(before)}
            wanted = {
                place: sum(at[each] for each in near[place]) / len(near[place])
                if near[place]
                else float(number)
                for number, place in enumerate(row)
            }
            row.sort(key=wanted.__getitem__)
        number = _crossings(layers.order, below)
        if number < fewest:
            best, fewest = [list(row) for row in layers.order], number
    layers.order = best


def _crossings(order: Sequence[Sequence[Place]], below: dict[Place, list[Place]]) -> int:
    total = 0
    for row, following in itertools.pairwise(order):
        at = {place: number for number, place in enumerate(following)}
        passed: list[int] = []
        for place in row:
            ends = sorted(at[each] for each in below.get(place, ()))
            total += sum(earlier > end for end in ends for earlier in passed)
            passed += ends
    return total
