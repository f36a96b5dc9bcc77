"""A trace while it runs: its events portion by portion, and what may end it early."""

from __future__ import annotations

import select
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Self, TextIO

import pandas as pd

from ebpf_lab.session import Trace

_INTERVAL = 0.1
"""Seconds between portions."""
_ENDING = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Ctrl-C, and SIGTERM likewise, so that a command is not left behind.

    Before programs are attached a signal interrupts.  From then on the first one only sets ``asked`` to its
    number: it must not come between an event and its row.  The second one interrupts again, for a reader that
    stands still.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.patient = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self.handle) for number in _ENDING}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Called for each of the signals."""
        if self.asked or not self.patient:
            raise KeyboardInterrupt
        self.asked = number


def portions(trace: Trace, asked: Callable[[], object] = lambda: False) -> Iterator[dict[str, pd.DataFrame]]:
    """What came since the last time, again and again until the trace has ended or is ``asked`` to.

    What comes last is left for the caller to take.
    """
    while not (trace.join(_INTERVAL) or asked()):
        yield trace.take()


def check_reader(out: TextIO) -> None:
    """Raise BrokenPipeError when nobody reads what is printed, even while nothing is to be printed."""
    poll = select.poll()
    poll.register(out.fileno(), 0)
    if any(events & select.POLLERR for _, events in poll.poll(0)):
        raise BrokenPipeError
