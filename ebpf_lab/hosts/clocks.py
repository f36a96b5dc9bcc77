"""How two machines' clocks compare, and how well that is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_ROUNDS = 5
"""Questions a measurement: the fastest answer says most, and one in five is seldom held up."""


@dataclass(frozen=True, slots=True)
class Offset:
    """What another machine's clock is ahead of this one's: between ``low`` and ``high`` nanoseconds."""

    low: int
    high: int

    @classmethod
    def measured(cls, ask: Callable[[], int]) -> Offset:
        """Ask for the other clock a few times.

        It was read after the question was sent and before the answer came, and so each answer is a bound on
        both sides, however unlike the two ways are.

        Parameters
        ----------
        ask : callable
            Returns ``time.monotonic_ns()`` of the other machine.
        """
        rounds = []
        for _ in range(_ROUNDS):
            before = time.monotonic_ns()
            there = ask()
            rounds.append(cls(there - time.monotonic_ns(), there - before))
        return min(rounds, key=lambda each: each.within)

    def and_later(self, later: Offset) -> Offset:
        """The bounds that hold all the time between two measurements, of clocks that drift apart."""
        return Offset(min(self.low, later.low), max(self.high, later.high))

    @property
    def ns(self) -> int:
        """The likeliest value."""
        return (self.low + self.high) // 2

    @property
    def within(self) -> int:
        """How far from that the true value may be, in nanoseconds."""
        return (self.high - self.low + 1) // 2
