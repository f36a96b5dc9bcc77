"""Read a perf buffer: one mapped ring for every CPU, merged in the order of time."""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from ebpf_lab.errors import UsageProblem
from ebpf_lab.readers import perf
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.elements import delete, update
from ebpf_lab.readers.perf import PerfRing
from ebpf_lab.readers.records import PIECE, Positions, Words, by_header, gather, walk

_BPF_OUTPUT = 10
# PERF_SAMPLE_TIME | PERF_SAMPLE_RAW: u64 header, u64 time, u32 size of what follows, the bytes.
_TIME_WORD = 1
_RAW = 20
_LOST_WORD = 2


class PerfBuffer:
    """Reader of a BPF_MAP_TYPE_PERF_EVENT_ARRAY.

    Opens a perf event on every CPU that is online and puts it into the map, where programs find it by
    ``BPF_F_CURRENT_CPU``; an event of a CPU that comes online later has nowhere to go, and its
    ``bpf_perf_event_output`` fails.  Use it from one thread at a time.

    Parameters
    ----------
    map_fd : int
        Descriptor of the map; it stays the caller's and must outlive the reader.
    pages_per_cpu : int
        Pages of each CPU's ring, a power of two.  Fewer are taken where this user may not lock so many.

    Attributes
    ----------
    fds : tuple of int
        What to poll, with a timeout: a ring wakes its reader only when it is a quarter full.

    Raises
    ------
    MissingPrivilege
        This process may not open perf events.
    UsageProblem
        The map has fewer elements than the machine has CPUs.

    Notes
    -----
    A record is the event's bytes, padded by the kernel (``Batch.padded``).

    Each CPU's records are in order; between CPUs they are put in order by the kernel's time stamp.  A drain
    takes records up to the moment it began, and where one ring is cut short by the limit, up to the last
    record taken from it: so order holds over drains too, except for a record that was being written on one
    CPU during the very moment in which another drain began.
    """

    def __init__(self, map_fd: int, pages_per_cpu: int) -> None:
        self._map_fd = map_fd
        self._order = 0

        def open_one(cpu: int) -> PerfRing:
            return PerfRing(
                cpu=cpu,
                pid=-1,
                config=_BPF_OUTPUT,
                pages=pages_per_cpu,
                sample_type=perf.SAMPLE_TIME | perf.SAMPLE_RAW,
                flags=0,
            )

        self._rings = perf.open_each_cpu(open_one)
        self.fds = tuple(ring.fd for ring in self._rings.values())
        try:
            for cpu, ring in self._rings.items():
                ring.enable()
                update(map_fd, struct.pack("<I", cpu), struct.pack("<I", ring.fd))
        except OSError as error:
            self.close()
            if error.errno == errno.E2BIG:
                raise UsageProblem(
                    f"the perf event array has no element for CPU {cpu}",
                    why="each CPU writes through an element of its own",
                    hint="leave max_entries out: it becomes the number of CPUs",
                ) from error
            raise

    @property
    def lost(self) -> int:
        """Events that found no room, so far: exact since Linux 6.0, before it as far as announced."""
        return sum(ring.count_lost() for ring in self._rings.values())

    def drain(self, limit: int = 16 << 20) -> list[Batch]:
        """Take what has arrived, as :meth:`ebpf_lab.readers.ringbuf.RingBuffer.drain` does.

        Parameters
        ----------
        limit : int
            Stop after about this many bytes, records' headers included (64 KiB for each CPU at least).
        """
        until = time.monotonic_ns()
        batches: list[Batch] = []
        taken = 0
        while taken < limit:
            piece, consumed = self._take(until, min(limit - taken, PIECE))
            if not consumed:
                break
            batches += piece
            taken += consumed
        return batches

    def _take(self, until: int, limit: int) -> tuple[list[Batch], int]:
        rings = tuple(self._rings.values())
        words, ends, cut = perf.take(rings, limit)
        parts: list[_Part] = []
        begin = 0
        for end, is_cut in zip(ends, cut, strict=True):
            part = _Part(words, begin, end)
            if is_cut and len(part.times):
                until = min(until, int(part.times[-1]))
            parts.append(part)
            begin = end
        for ring, part in zip(rings, parts, strict=True):
            part.trim(until)
            ring.announce(part.announced)
            ring.advance(part.consumed)
        return self._batches(words, parts), 8 * sum(part.consumed for part in parts)

    def _batches(self, words: Words, parts: list[_Part]) -> list[Batch]:
        parts = [part for part in parts if len(part.offsets)]
        if not parts:
            return []
        offsets = np.concatenate([part.offsets for part in parts])
        order = None
        if len(parts) > 1:
            order = np.argsort(np.concatenate([part.times for part in parts]), kind="stable")
            offsets = offsets[order]
        common = {part.common for part in parts}
        groups: Iterable[tuple[int, Positions | None]] = [(header, None) for header in common if header]
        if len(common) > 1 or None in common:
            headers = np.concatenate([part.headers for part in parts])
            groups = by_header(headers if order is None else headers[order])
        batches = []
        for header, which in groups:
            size = perf.record_stride(header) * 8 - _RAW
            starts: Positions = (offsets if which is None else offsets[which]) * 2 + _RAW // 4
            batches.append(
                Batch(
                    record_size=size,
                    data=gather(words.view(np.uint8), starts, size, unit=4),
                    order=self._order if which is None else self._order + int(which[0]),
                    index=None if which is None else which + self._order,
                    padded=True,
                )
            )
        self._order += len(offsets)
        return batches

    def close(self) -> None:
        """Take the events out of the map, unmap and close them; what was not drained is gone."""
        for cpu in self._rings:
            with suppress(OSError):  # a map with too few elements, or one emptied by its owner
                delete(self._map_fd, struct.pack("<I", cpu))
        perf.close_rings(self._rings.values())
        self._rings = {}


class _Part:
    """What was copied from one CPU's ring."""

    def __init__(self, words: Words, begin: int, end: int) -> None:
        self._begin = begin
        self._words = words
        self.offsets, self.headers, following = walk(
            words, begin, end, keep=perf.SHAPE, shape=perf.SHAPE, stride=perf.record_stride
        )
        self.consumed = following - begin
        self._losses = self.offsets[:0]
        self.common = self._find_common()
        if self.common is None:
            types = perf.record_types(self.headers)
            self._losses = self.offsets[types == perf.RECORD_LOST]
            samples = types == perf.RECORD_SAMPLE
            self.offsets, self.headers = self.offsets[samples], self.headers[samples]
        self.times: Words = words[self.offsets + _TIME_WORD]

    def _find_common(self) -> int | None:
        """The header that all records share, if they are samples of one size, as they nearly always are."""
        if not len(self.headers) or perf.record_types(self.headers[:1])[0] != perf.RECORD_SAMPLE:
            return None
        return int(self.headers[0]) if (self.headers == self.headers[0]).all() else None

    def trim(self, until: int) -> None:
        """Leave records later than ``until`` for the next drain."""
        if not len(self.times) or int(self.times.max()) <= until:
            return
        kept = int((self.times > np.uint64(until)).argmax())
        self.consumed = int(self.offsets[kept]) - self._begin
        self.offsets, self.headers, self.times = self.offsets[:kept], self.headers[:kept], self.times[:kept]

    @property
    def announced(self) -> int:
        """Losses told of by the records consumed."""
        told = self._losses[self._losses < self._begin + self.consumed]
        return int(self._words[told + _LOST_WORD].sum())
