"""How often a page is told of something new: no faster than it can show it."""

from __future__ import annotations

INTERVAL = 1 / 15
"""Least seconds between two updates: what the eye can follow."""


class Pace:
    """Lets one update be under way at a time: the next one waits until the page has shown the last.

    A page that is slow, hidden, paused or closed thus gets nothing more, and nothing piles up for it.
    Written by two threads, the sending one and the one that hears the page; each sets whole numbers only.

    Parameters
    ----------
    interval : float
        Least seconds between two updates.
    """

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._number = 0
        self._shown = -1
        self._sent = float("-inf")

    def arrived(self) -> None:
        """A page began to show the view, and holds what was sent last."""
        self._shown = self._number

    def shown(self, number: int) -> None:
        """A page has shown this update."""
        self._shown = max(self._shown, min(number, self._number))

    @property
    def watched(self) -> bool:
        """Whether a page has shown all that it was sent."""
        return self._shown == self._number

    def may_send(self, now: float) -> bool:
        """Whether the page waits for an update, at this time in seconds."""
        return self.watched and now - self._sent >= self._interval

    def send(self, now: float) -> int:
        """Note that an update is sent now, and give its number."""
        self._number += 1
        self._sent = now
        return self._number
