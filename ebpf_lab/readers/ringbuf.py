"""Read a BPF ring buffer through its mapping, without a call or a Python object an event.

The map is three areas to ``mmap`` (``Documentation/bpf/ringbuf.rst``, ``kernel/bpf/ringbuf.c``): a page with
the consumer's position, a page with the producer's position, and the data, which appears twice in a row so
that a record at its end goes on into the second copy.  A record is a u32 length, whose upper two bits say
"being written" and "discarded", a u32 that concerns the kernel alone, and the payload, padded to eight bytes.
Positions count bytes since the map's creation and never wrap; their low bits are the place in the data.

Memory order.  The kernel publishes a header, then the producer position (``smp_store_release``), later
clears the header's busy bit (``xchg``, a full barrier) after the payload is complete, and reads the consumer
position with ``smp_load_acquire``.  Our side must therefore load the position, then the headers, then the
payloads, and store the consumer position after that.  Each step is whole NumPy passes over an area, so one
:func:`~ebpf_lab.host.syscalls.memory_barrier` between steps orders all of a drain's accesses; on x86-64 the
processor keeps that order by itself.  A position is one aligned eight-byte element of a NumPy array over the
mapped page: NumPy loads and stores it with a single instruction, which both architectures do atomically.
"""

from __future__ import annotations

import mmap

import numpy as np

from ebpf_lab.host.syscalls import memory_barrier
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.records import PIECE, Positions, Words, by_header, gather, walk

_BUSY = 1 << 31
_DISCARD = 1 << 30
_LENGTH = _DISCARD - 1
_HEADER = 8


def decode(words: Words, begin: int, end: int, order: int) -> tuple[list[Batch], int]:
    """Copy out the records between two words of a ring buffer's data.

    Parameters
    ----------
    words : (n,) uint64
        The data, both copies of it.
    begin, end : int
        First record's word, and the word to stop at.
    order : int
        Arrival number of the first record.

    Returns
    -------
    batches : list of Batch
        One for each size met; discarded records are left out.
    next : int
        The word behind the last record taken: ``end``, or the first record still being written.
    """
    offsets, headers, following = walk(
        words, begin, end, keep=_BUSY | _DISCARD | _LENGTH, shape=_BUSY | _LENGTH, stride=_stride
    )
    memory_barrier()
    discarded = (headers & np.uint64(_DISCARD)) != 0
    if discarded.any():
        offsets, headers = offsets[~discarded], headers[~discarded]
    block = words.view(np.uint8)
    batches = []
    for size, which in by_header(headers):
        starts: Positions = (offsets if which is None else offsets[which]) + _HEADER // 8
        first = order if which is None else order + int(which[0])
        batches.append(
            Batch(
                record_size=size,
                data=gather(block, starts, size, unit=8),
                order=first,
                index=None if which is None else which + order,
            )
        )
    return batches, following


def _stride(length: int) -> int:
    return 0 if length & _BUSY else (length + _HEADER + 7) // 8


class RingBuffer:
    """Reader of one BPF ring buffer.

    A ring buffer has one consumer position: give each map to one reader, and use that from one thread at
    a time.

    Parameters
    ----------
    map_fd : int
        Descriptor of the map; it stays the caller's.
    max_entries : int
        The map's size in bytes, a power of two.

    Attributes
    ----------
    fds : tuple of int
        What to poll: readable when a record is committed after the reader had caught up.
    lost : int
        Always 0: a failed reserve leaves no trace in the buffer.  Such losses are counted by the program
        itself, see :func:`ebpf_lab.readers.counts.read_losses`.

    Notes
    -----
    Records submitted with ``BPF_RB_NO_WAKEUP`` wake nobody, so poll with a timeout (50 to 100 ms) and drain
    after it too.

    Raises
    ------
    OSError
        The map is not a ring buffer, or not of that size.
    """

    def __init__(self, map_fd: int, max_entries: int) -> None:
        page = mmap.PAGESIZE
        self.fds = (map_fd,)
        self.lost = 0
        self._mask = max_entries - 1
        self._order = 0
        self._consumer_page = mmap.mmap(map_fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        try:
            self._producer_pages = mmap.mmap(
                map_fd, page + 2 * max_entries, mmap.MAP_SHARED, mmap.PROT_READ, offset=page
            )
        except BaseException:
            self._consumer_page.close()
            raise
        self._consumer: Words = np.frombuffer(self._consumer_page, np.uint64, 1)
        self._producer: Words = np.frombuffer(self._producer_pages, np.uint64, 1)
        self._words: Words = np.frombuffer(self._producer_pages, np.uint64, offset=page)

    def drain(self, limit: int = 16 << 20) -> list[Batch]:
        """Take what has arrived.

        Parameters
        ----------
        limit : int
            Stop after about this many bytes; one record is always taken.  What arrives while draining is
            left for the next call, so that a flood cannot keep this one from returning.

        Returns
        -------
        list of Batch
            One or more for each record size, none when nothing complete has arrived.
        """
        start = int(self._consumer[0])
        available = int(self._producer[0]) - start
        memory_barrier()
        batches: list[Batch] = []
        taken = 0
        while taken < min(available, limit) or (available and not taken):
            begin = (start + taken & self._mask) // 8
            first = _stride(int(self._words[begin]) & _LENGTH) * 8
            room = limit - taken if taken else max(limit, first)
            span = min(available - taken, room, max(PIECE, first)) // 8
            piece, following = decode(self._words, begin, begin + span, self._order)
            if following == begin:
                break
            batches += piece
            taken += (following - begin) * 8
            self._order += sum(map(len, piece))
            memory_barrier()
            self._consumer[0] = start + taken
        return batches

    def close(self) -> None:
        """Unmap the buffer; what was not drained stays in the map."""
        del self._consumer, self._producer, self._words
        self._consumer_page.close()
        self._producer_pages.close()
