"""The exercises of lesson 04."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_CALLS = "import os\nfor offset in {offsets!r}:\n    os.lseek(0, offset, 0)"


def _calls(offsets: list[int], expected: object) -> Workload:
    return Workload((sys.executable, "-c", _CALLS.format(offsets=offsets)), expected)


def _bursts(rng: random.Random, directory: Path) -> Workload:
    """A few calls, each for so many events at once."""
    counts = [rng.randrange(900, 2000) for _ in range(3)]
    return _calls(counts, counts)


def _nothing_lost(trace: Trace, counts: list[int]) -> None:
    frame = ended(trace)
    lost = sum(stream.dropped for stream in trace.stats.streams.values())
    if len(frame) != sum(counts) or lost:
        raise NotYet(f"{sum(counts):,} events and none lost", f"{len(frame):,} events and {lost:,} lost")


def _numbers(rng: random.Random, directory: Path) -> Workload:
    """Calls with odd and with even offsets."""
    offsets = [rng.randrange(1, 10_000) for _ in range(rng.randrange(23, 48))]
    return _calls(offsets, offsets)


def _odd_ones(trace: Trace, offsets: list[int]) -> None:
    came = column(ended(trace), "offset").tolist()
    wanted = [offset for offset in offsets if offset % 2]
    if came != wanted:
        even = sum(not offset % 2 for offset in came)
        raise NotYet(
            f"{len(wanted)} events, of odd offsets", f"{len(came)}, of which {even} have an even one"
        )


LESSON = Lesson(
    "04_ring_buffers",
    (
        Exercise(
            "ex1",
            "a burst of events without loss",
            hints=(
                "How many bytes does one record have: header and struct? And 2,000 of them?",
                "`max_entries` is the ring's size in bytes, a power of two.",
                "2,000 records of 8 + 32 bytes are 80,000 bytes: `__uint(max_entries, 256 * 1024);`",
            ),
            workload=_bursts,
            judge=_nothing_lost,
            about_losses=True,
        ),
        Exercise(
            "ex2",
            "events of odd offsets only",
            hints=(
                "Each event is written and then submitted. Decide between the two, by `event->offset`.",
                "`offset % 2` is 1 for an odd number; `bpf_ringbuf_discard(event, 0)` gives the record back.",
                "`if (event->offset % 2) bpf_ringbuf_submit(event, 0); else bpf_ringbuf_discard(event, 0);`",
            ),
            workload=_numbers,
            judge=_odd_ones,
        ),
    ),
)
