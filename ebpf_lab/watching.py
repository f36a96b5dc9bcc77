"""What somebody who looks on sees of a trace while it runs: its newest events, and its counts.

Looking on takes nothing away: the frame behind it has every event all the same.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ebpf_lab.backends.loaded import LoadedStream
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.names import Names
from ebpf_lab.readers.batch import Batch
from ebpf_lab.stats import StreamStats

_MOST_BYTES = 8 << 20
"""Bytes of each stream that wait to be looked at; a look-out that is slower sees the newest of them."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What is known of a trace without decoding anything.

    Attributes
    ----------
    seconds : float
        Since its programs were attached.
    streams : tuple of (LoadedStream, StreamStats)
        In the order of the trace's streams; nobody knows yet what cannot be decoded.
    clock : TraceClock
        When it began.
    names : Names
        What its events are decoded with.
    """

    seconds: float
    streams: tuple[tuple[LoadedStream, StreamStats], ...]
    clock: TraceClock
    names: Names


@dataclass(slots=True)
class _Waiting:
    batches: deque[Batch] = field(default_factory=deque)
    bytes: int = 0


class Watch:
    """The events that came since they were last taken, of each stream by its place; the newest if too many.

    Filled by the collector's thread, emptied by another one.
    """

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: dict[int, _Waiting] = {}

    def add(self, place: int, batch: Batch) -> None:
        """Note events; their bytes are shared, not copied."""
        with self._lock:
            waiting = self._waiting.setdefault(place, _Waiting())
            waiting.batches.append(batch)
            waiting.bytes += batch.nbytes
            while waiting.bytes > self._most and len(waiting.batches) > 1:
                waiting.bytes -= waiting.batches.popleft().nbytes

    def take(self) -> dict[int, Sequence[Batch]]:
        """What waits, oldest first, by the stream's place; it waits no longer."""
        with self._lock:
            taken: dict[int, Sequence[Batch]] = {
                place: tuple(waiting.batches) for place, waiting in self._waiting.items()
            }
            self._waiting.clear()
            return taken
