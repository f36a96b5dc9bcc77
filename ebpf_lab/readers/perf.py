"""One mapped perf event: open it, copy out what it holds, ask it for its losses.

The mapping is a page of control data and 2**n pages of records (perf_event_open(2), "MMAP layout";
``kernel/events/ring_buffer.c``).  The kernel publishes ``data_head`` behind a write barrier once the records
before it are complete; what lies before ``data_tail``, which is ours to write, it may overwrite.  Records are
therefore loaded after a barrier behind the load of ``data_head``, and ``data_tail`` is stored after a barrier
behind them.  Both are aligned eight-byte elements of a NumPy array, which are loaded and stored in one piece.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.host import privileges
from ebpf_lab.host.privileges import explain_eperm
from ebpf_lab.host.syscalls import memory_barrier, online_cpus, perf_attributes, perf_event_open
from ebpf_lab.readers.records import Positions, Words, walk

SOFTWARE = 1
SAMPLE_TIME = 1 << 2
SAMPLE_RAW = 1 << 10
INHERIT = 1 << 1
TASK = 1 << 13
SAMPLE_ID_ALL = 1 << 18
RECORD_LOST = 2
RECORD_FORK = 7
RECORD_SAMPLE = 9

_WATERMARK = 1 << 14
_USE_CLOCKID = 1 << 25
_CLOCK_MONOTONIC = 1
_FORMAT_LOST = 1 << 4
_IOC_ENABLE = 0x2400
_LEAST_SHARE = 1 << 16
"""Bytes taken from a ring in any case: no record is longer."""
_NO_LIMIT = 1 << 40
_DATA_HEAD = 1024
"""Byte of ``data_head`` in ``struct perf_event_mmap_page``; ``data_tail`` follows it."""

# A record's header is u32 type, u16 misc, u16 size, here read as one u64.  Records of one type and size are
# alike whatever their misc, which says whether the kernel or the user was running.
_TYPE = 0xFFFFFFFF
_SIZE_SHIFT = 48
SHAPE = _TYPE | 0xFFFF << _SIZE_SHIFT


def record_types(headers: Words) -> NDArray[np.uint64]:
    """PERF_RECORD_* of each header."""
    return headers & np.uint64(_TYPE)


def record_stride(shape: int) -> int:
    """Words from a record's header to the next (records are multiples of eight bytes)."""
    return shape >> _SIZE_SHIFT + 3


class PerfRing:
    """A perf event of one CPU and the mapping of its records.

    Parameters
    ----------
    cpu, pid : int
        As in perf_event_open(2).
    config : int
        PERF_COUNT_SW_* of the event.
    pages : int
        Data pages wanted, a power of two; halved while the kernel says that it would be more than this
        user may lock in memory (``kernel.perf_event_mlock_kb``).
    sample_type, flags : int
        As in ``struct perf_event_attr``.  Times are CLOCK_MONOTONIC.
    period : int
        Events from one record to the next, or with the flag for that records a second.

    Notes
    -----
    Since Linux kernel commit 119a784c8127 ("perf/core: Add a new read format to get a number of lost
    samples") in v6.0 the kernel counts every lost record (PERF_FORMAT_LOST).  Before it, losses are told of
    by records alone (PERF_RECORD_LOST): the last ones only once there is room again and one more record.

    Raises
    ------
    OSError
        With the kernel's errno.
    """

    def __init__(
        self,
        *,
        cpu: int,
        pid: int,
        config: int,
        pages: int,
        sample_type: int,
        flags: int,
        period: int = 1,
    ) -> None:
        self._counted = 0
        self._announced = 0

        def attributes(read_format: int) -> bytes:
            return perf_attributes(
                SOFTWARE,
                config,
                period=period,
                sample_type=sample_type,
                read_format=read_format,
                flags=flags | _WATERMARK | _USE_CLOCKID,
                wakeup=pages * mmap.PAGESIZE // 4,
                clock=_CLOCK_MONOTONIC,
            )

        try:
            self.fd = perf_event_open(attributes(_FORMAT_LOST), pid=pid, cpu=cpu)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self.fd = perf_event_open(attributes(0), pid=pid, cpu=cpu)
        try:
            self._memory = _map(self.fd, pages)
        except BaseException:
            os.close(self.fd)
            raise
        self._size = len(self._memory) - mmap.PAGESIZE
        self._ends: Words = np.frombuffer(self._memory, np.uint64, 2, _DATA_HEAD)
        self._data: Words = np.frombuffer(self._memory, np.uint64, offset=mmap.PAGESIZE)

    def enable(self) -> None:
        """Start it."""
        fcntl.ioctl(self.fd, _IOC_ENABLE, 0)

    @property
    def available(self) -> int:
        """Words ready to be copied; a barrier must follow before they are."""
        head, tail = self._ends.tolist()
        return int(head - tail) // 8

    def copy(self, words: int, into: Words) -> None:
        """Copy the oldest records, by at most two moves: a record may wrap around."""
        begin = int(self._ends[1]) % self._size // 8
        first = min(words, len(self._data) - begin)
        into[:first] = self._data[begin : begin + first]
        into[first:words] = self._data[: words - first]

    def advance(self, words: int) -> None:
        """Give the oldest records back to the kernel; a barrier must lie between copying and this."""
        self._ends[1] += np.uint64(words * 8)

    def announce(self, lost: int) -> None:
        """Add a loss that a PERF_RECORD_LOST told of."""
        self._announced += lost

    def count_lost(self) -> int:
        """Records that the kernel had no room for, so far."""
        # Short of eight bytes more: the kernel does not count; nothing at all: the CPU is offline.
        if len(counts := os.read(self.fd, 16)) == 16:
            self._counted = struct.unpack("<QQ", counts)[1]
        return max(self._counted, self._announced)

    def close(self) -> None:
        """Unmap and close the event."""
        del self._ends, self._data
        self._memory.close()
        os.close(self.fd)


def _map(fd: int, pages: int) -> mmap.mmap:
    wanted = (1 + pages) * mmap.PAGESIZE
    while True:
        try:
            return mmap.mmap(
                fd, (1 + pages) * mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE
            )
        except PermissionError:
            if pages == 1:
                raise privileges.memory_locked(wanted) from None
            pages //= 2


def open_each_cpu(open_one: Callable[[int], PerfRing]) -> dict[int, PerfRing]:
    """Open a ring on every CPU that is online.

    Raises
    ------
    MissingPrivilege
        This process may not.
    """
    rings: dict[int, PerfRing] = {}
    try:
        for cpu in online_cpus():
            try:
                rings[cpu] = open_one(cpu)
            except OSError as error:
                if error.errno != errno.ENODEV:  # it went offline after the listing
                    raise
    except OSError as error:
        close_rings(rings.values())
        if error.errno in (errno.EPERM, errno.EACCES):
            raise explain_eperm("open a perf event") from error
        raise
    return rings


def close_rings(rings: Iterable[PerfRing]) -> None:
    """Close them all."""
    for ring in rings:
        ring.close()


def take(rings: Sequence[PerfRing], limit: int) -> tuple[Words, list[int], list[bool]]:
    """Copy what several rings hold into one array.

    Returns
    -------
    words : (n,) uint64
        The rings' contents, one after the other.
    ends : list of int
        Where each ring's part ends.
    cut : list of bool
        Whether a ring holds more than its share of ``limit`` bytes, so that its part may end within a record.
    """
    share = max(limit // max(len(rings), 1), _LEAST_SHARE) // 8
    waiting = [ring.available for ring in rings]
    memory_barrier()
    counts = [min(available, share) for available in waiting]
    words: Words = np.empty(sum(counts), np.uint64)
    ends = []
    at = 0
    for ring, count in zip(rings, counts, strict=True):
        ring.copy(count, words[at : at + count])
        at += count
        ends.append(at)
    memory_barrier()
    return words, ends, [available > count for available, count in zip(waiting, counts, strict=True)]


@dataclass(frozen=True, slots=True)
class Records:
    """What one ring held.

    Attributes
    ----------
    words : (n,) uint64
        The records, one after the other.
    offsets : (m,) int64
        The word of each record's header.
    headers, types : (m,) uint64
        Each header's :data:`SHAPE`, and its PERF_RECORD_*.
    """

    words: Words
    offsets: Positions
    headers: Words
    types: NDArray[np.uint64]

    def of(self, kind: int) -> Positions:
        """Offsets of the records of one type."""
        found: Positions = self.offsets[self.types == kind]
        return found


def drain(rings: Sequence[PerfRing]) -> Iterator[Records]:
    """Take all that the rings hold, ring by ring, and note the losses that it tells of."""
    words, ends, _ = take(rings, _NO_LIMIT)
    for ring, begin, end in zip(rings, [0, *ends], ends, strict=False):
        held = words[begin:end]
        offsets, headers, following = walk(held, 0, len(held), keep=SHAPE, shape=SHAPE, stride=record_stride)
        ring.advance(following)
        records = Records(held[:following], offsets, headers, record_types(headers))
        ring.announce(int(held[records.of(RECORD_LOST) + 2].sum()))
        yield records
