"""Read the lines of ``bpf_printk``, each reader all of them, and none from before it was opened.

Not through ``trace_pipe``: that is one for the whole kernel, gives EBUSY to a second reader, and begins with
whatever lines were left in the trace buffer.  What writes those lines is the tracepoint
``bpf_trace:bpf_trace_printk`` (since Linux kernel commit ac5a72ea5c89 ("bpf: Use dedicated bpf_trace_printk
event instead of trace_printk()") in v5.9), on which others may listen too: here a small raw tracepoint
program that passes each line on through a ring buffer.  A perf event on that tracepoint would need no
program, but misses every line printed by a program on another tracepoint: the kernel calls such programs
with the CPU's perf recursion guard taken (``perf_trace_buf_alloc`` in ``include/trace/perf.h``), which
drops perf events raised meanwhile without counting them.  Raw tracepoint programs stand outside of it.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.errors import MissingFeature
from ebpf_lab.host.perf_events import raw_tracepoint_open
from ebpf_lab.host.privileges import explain_eperm
from ebpf_lab.host.syscalls import BpfCommand, MapType, bpf
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.elements import lookup
from ebpf_lab.readers.printk_program import HEAD, load
from ebpf_lab.readers.program_info import program_info
from ebpf_lab.readers.ringbuf import RingBuffer

_TRACEPOINT = "bpf_trace_printk"
_BUFFER_BYTES = 4 << 20
"""Room for 21,000 lines of up to 127 characters between two drains."""


class PrintkReader:
    """Reader of every line printed by ``bpf_printk`` or ``bpf_trace_printk`` from now on.

    Attributes
    ----------
    fds : tuple of int
        What to poll.

    Raises
    ------
    MissingPrivilege
        This process may not load a program.
    MissingFeature
        The kernel has no such tracepoint.
    """

    def __init__(self) -> None:
        with ExitStack() as opening:
            try:
                ring = _create(opening, MapType.RINGBUF, 0, 0, _BUFFER_BYTES)
                self._lost_fd = _create(opening, MapType.ARRAY, 4, 8, 1)
                self._program = load(ring, self._lost_fd)
                opening.callback(os.close, self._program)
                self._reader = RingBuffer(ring, _BUFFER_BYTES)
                opening.callback(self._reader.close)
                opening.callback(os.close, raw_tracepoint_open(self._program, _TRACEPOINT))
            except OSError as error:
                if error.errno == errno.EPERM:
                    raise explain_eperm("read the lines of bpf_printk") from error
                if error.errno in (errno.ENOENT, errno.EINVAL, errno.EACCES):
                    raise MissingFeature(
                        "the lines of bpf_printk cannot be read",
                        why=f"this kernel refused a program on {_TRACEPOINT}: {error.strerror}",
                        hint="send events through a ring buffer, or use a kernel from 5.9 on",
                    ) from error
                raise
            self._stack = opening.pop_all()
        self.fds = self._reader.fds

    @property
    def lost(self) -> int:
        """Lines that found no room, or were printed while this CPU was passing on another."""
        count = lookup(self._lost_fd, bytes(4), 8) or bytes(8)
        return int(struct.unpack("<Q", count)[0]) + program_info(self._program).recursion_misses

    def drain(self, limit: int = 16 << 20) -> list[Batch]:
        """Take what has arrived, as :meth:`ebpf_lab.readers.ringbuf.RingBuffer.drain` does.

        Returns
        -------
        list of Batch
            Records that begin with :data:`~ebpf_lab.readers.printk_program.HEAD`, of two sizes;
            :func:`lines` makes them readable.
        """
        return self._reader.drain(limit)

    def close(self) -> None:
        """Detach and close."""
        self._stack.close()


def _create(stack: ExitStack, kind: MapType, key_size: int, value_size: int, entries: int) -> int:
    fd = bpf(BpfCommand.MAP_CREATE, struct.pack("<IIIII", kind, key_size, value_size, entries, 0))
    stack.callback(os.close, fd)
    return fd


def heads(batch: Batch) -> NDArray[Any]:
    """What stands before the text of each line, ``(n,)`` of dtype ``HEAD``."""
    found: NDArray[Any] = np.ascontiguousarray(batch.data[:, : HEAD.itemsize]).view(HEAD)[:, 0]
    return found


def lines(batches: Sequence[Batch]) -> NDArray[Any]:
    """The lines of the batches, in the order of printing.

    Returns
    -------
    (n,) structured array
        ts : u8 [ns, CLOCK_MONOTONIC], cpu, pid, tid : u4, comm : S16, message : bytes as wide as the
        longest, without the newline at the end.
    """
    lengths = [_text_lengths(batch) for batch in batches]
    width = max((int(part.max(initial=0)) for part in lengths), default=0)
    result = np.zeros(
        sum(map(len, batches)),
        [
            ("ts", "<u8"),
            ("cpu", "<u4"),
            ("pid", "<u4"),
            ("tid", "<u4"),
            ("comm", "S16"),
            ("message", f"S{width or 1}"),
        ],
    )
    order = np.concatenate([np.empty(0, np.int64), *(batch.positions() for batch in batches)]).argsort()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    begin = 0
    for batch, length in zip(batches, lengths, strict=True):
        where = place[begin : begin + len(batch)]
        begin += len(batch)
        head = heads(batch)
        for field in ("ts", "cpu", "pid", "tid", "comm"):
            result[field][where] = head[field]
        text = np.zeros((len(batch), width or 1), np.uint8)
        taken = batch.data[:, HEAD.itemsize :][:, : text.shape[1]]
        # Behind the NUL lies what an earlier record left in the ring buffer.
        text[:, : taken.shape[1]] = np.where(np.arange(taken.shape[1]) < length[:, None], taken, 0)
        result["message"][where] = text.view(f"S{text.shape[1]}")[:, 0]
    return result


def _text_lengths(batch: Batch) -> NDArray[np.int64]:
    # The length counts the NUL, and is a negative error number when the text could not be read.
    length = np.maximum(heads(batch)["length"].astype(np.int64) - 1, 0)
    if len(batch):
        last = batch.data[np.arange(len(batch)), HEAD.itemsize + np.maximum(length - 1, 0)]
        length -= (length > 0) & (last == ord("\n"))
    return length
