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
from contextlib import ExitStack

from ebpf_lab.errors import MissingFeature
from ebpf_lab.host.perf_events import raw_tracepoint_open
from ebpf_lab.host.privileges import explain_eperm
from ebpf_lab.host.syscalls import BpfCommand, MapType, bpf
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.elements import lookup
from ebpf_lab.readers.printk_program import load
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
            Records that begin with :data:`~ebpf_lab.readers.printk_lines.HEAD`, of two sizes;
            :func:`~ebpf_lab.readers.printk_lines.lines` makes them readable.
        """
        return self._reader.drain(limit)

    def close(self) -> None:
        """Detach and close."""
        self._stack.close()


def _create(stack: ExitStack, kind: MapType, key_size: int, value_size: int, entries: int) -> int:
    fd = bpf(BpfCommand.MAP_CREATE, struct.pack("<IIIII", kind, key_size, value_size, entries, 0))
    stack.callback(os.close, fd)
    return fd
