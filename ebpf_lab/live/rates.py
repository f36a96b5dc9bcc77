"""Events and losses over the last half minute."""

from __future__ import annotations

from collections import deque
from typing import Any

STEP = 0.25
"""Seconds of one point."""
POINTS = 120


class Rates:
    """Events a second, a point for each quarter of a second, from counts that only grow."""

    def __init__(self) -> None:
        self._begin: float | None = None
        self._first = (0, 0)
        self._events: deque[float] = deque(maxlen=POINTS)
        self._lost: deque[float] = deque(maxlen=POINTS)

    def add(self, now: float, delivered: int, lost: int) -> None:
        """Note the counts at this time, in seconds."""
        if self._begin is None:
            self._begin, self._first = now, (0, 0)
            if delivered or lost:
                # Nobody saw over how long they came.
                self._first = (delivered, lost)
            return
        seconds = now - self._begin
        if seconds < STEP:
            return
        # A look-out that was late has one rate for all that time.
        for _ in range(min(int(seconds / STEP), POINTS)):
            self._events.append((delivered - self._first[0]) / seconds)
            self._lost.append((lost - self._first[1]) / seconds)
        self._begin, self._first = now, (delivered, lost)

    def state(self) -> dict[str, Any]:
        """The rate now, over the last second, and the points, oldest first."""
        last = list(self._events)[-round(1 / STEP) :]
        return {
            "rate": sum(last) / len(last) if last else 0.0,
            "points": [round(value, 1) for value in self._events],
            "lost_points": [round(value, 1) for value in self._lost],
            "point_seconds": STEP,
        }
