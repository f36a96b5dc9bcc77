"""Where the processors are while programs run: a clock interrupts each, and the kernel notes the place.

A helper's time belongs to the line that calls it, so that of each stack the innermost place within the
programs counts.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ebpf_lab.inside.program import NativeFunction, Samples
from ebpf_lab.readers import perf
from ebpf_lab.readers.perf import PerfRing
from ebpf_lab.readers.records import Positions, Words

_CPU_CLOCK = 0
_FREQUENCY = 4999
"""Samples a second of each processor, a prime number: nothing that is periodic runs in step with it."""
_LIMIT = Path("/proc/sys/kernel/perf_event_max_sample_rate")
_PAGES = 256
_SAMPLE_IP, _SAMPLE_CALLCHAIN = 1, 1 << 5
_EXCLUDE_USER, _EXCLUDE_IDLE, _IS_FREQUENCY, _NO_USER_CALLCHAIN = 1 << 4, 1 << 7, 1 << 10, 1 << 22
_IP = 1
"""The word of a record that has the place itself; behind it are the number of callers, and they."""


class Sampler:
    """Counts the places within native code at which processors are found, from the start on.

    Parameters
    ----------
    functions : sequence of NativeFunction
        With their addresses.

    Raises
    ------
    MissingPrivilege
        This process may not open perf events.

    Notes
    -----
    The clock is that of the timer interrupt (PERF_COUNT_SW_CPU_CLOCK), which every kernel and every virtual
    machine has.  Code that runs with interrupts off is found where they are switched on again.
    """

    def __init__(self, functions: Sequence[NativeFunction]) -> None:
        ordered = sorted(functions, key=lambda each: each.address)
        self._starts = np.array([each.address for each in ordered], np.uint64)
        self._ends = np.array([each.address + len(each.code) for each in ordered], np.uint64)
        self._frequency = min(_FREQUENCY, int(_LIMIT.read_text()))
        self._found: Counter[int] = Counter()
        self._taken = 0
        self._lock = threading.Lock()
        self._rings = tuple(perf.open_each_cpu(self._open).values())

    def _open(self, cpu: int) -> PerfRing:
        return PerfRing(
            cpu=cpu,
            pid=-1,
            config=_CPU_CLOCK,
            pages=_PAGES,
            sample_type=_SAMPLE_IP | _SAMPLE_CALLCHAIN,
            flags=_EXCLUDE_USER | _EXCLUDE_IDLE | _IS_FREQUENCY | _NO_USER_CALLCHAIN,
            period=self._frequency,
        )

    def drain(self) -> None:
        """Count what was noted so far."""
        with self._lock:
            for records in perf.drain(self._rings):
                self._count(records.words, records.of(perf.RECORD_SAMPLE))

    def _count(self, words: Words, records: Positions) -> None:
        self._taken += len(records)
        if not len(records) or not len(self._starts):
            return
        function = np.searchsorted(self._starts, words, side="right") - 1
        inside = np.flatnonzero((function >= 0) & (words < self._ends[function]))
        record = np.searchsorted(records, inside, side="right") - 1
        inside, record = inside[record >= 0], record[record >= 0]
        # The innermost place stands first, and for each record only that counts.
        _, first = np.unique(record, return_index=True)
        at = inside[first]
        # Of a caller it is the place behind the call.
        is_caller = at - records[record[first]] != _IP
        self._found.update((words[at] - is_caller.astype(np.uint64)).tolist())

    def samples(self) -> Samples:
        """What was counted so far."""
        self.drain()
        with self._lock:
            lost = sum(ring.count_lost() for ring in self._rings)
            return Samples(self._frequency, self._taken, lost, dict(self._found))

    def close(self) -> None:
        """Unmap and close."""
        perf.close_rings(self._rings)
