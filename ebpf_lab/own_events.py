"""Tell the events of the traced command from everybody else's (``--only``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.backends.loaded import LoadedStream
from ebpf_lab.errors import UsageProblem
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.children import ChildTracker
from ebpf_lab.readers.printk_lines import heads
from ebpf_lab.source.ctype import CType, Int, Struct

_FIELDS = ("pid", "tgid", "tid")
"""Fields that say whose an event is.  In the kernel's words a pid is a thread, in user space's a process:
either is looked for among both."""


def filter_for(stream: LoadedStream, tracker: ChildTracker) -> Callable[[Batch], NDArray[np.bool_]]:
    """Return what marks the events of a stream that belong to the tracker's processes.

    Raises
    ------
    UsageProblem
        The stream's events do not say whose they are.
    """

    def own(columns: Iterable[NDArray[np.uint32]], count: int) -> NDArray[np.bool_]:
        # An event is drained after it happened, and the fork before it: the tracker knows by now.
        tracker.drain()
        known = np.fromiter(tracker.pids | tracker.tids, np.uint32)
        mine = np.zeros(count, bool)
        for column in columns:
            mine |= np.isin(column, known)
        return mine

    if stream.kind == "printk":
        return lambda batch: own([heads(batch)[name] for name in ("pid", "tid")], len(batch))

    places = {ctype.size: _places(ctype) for ctype in stream.types}
    if not any(places.values()):
        raise UsageProblem(
            f"only: events of {stream.name} do not say whose they are",
            why=f"their struct has no field {', '.join(_FIELDS[:-1])} or {_FIELDS[-1]}",
            hint="e->pid = bpf_get_current_pid_tgid() >> 32;",
        )

    longest = places[max(places)]

    def mark(batch: Batch) -> NDArray[np.bool_]:
        # An event may be sent cut short behind its last member that is used: its head is as declared.
        whole = next((found for size, found in places.items() if batch.fits(size)), longest)
        offsets = [at for at in whole if at + 4 <= batch.record_size]
        columns = (np.ascontiguousarray(batch.data[:, at : at + 4]).view(np.uint32)[:, 0] for at in offsets)
        return own(columns, len(batch))

    return mark


def _places(ctype: CType) -> tuple[int, ...]:
    if not isinstance(ctype, Struct):
        return ()
    return tuple(
        member.bit_offset // 8
        for member in ctype.members
        if member.name in _FIELDS and isinstance(member.type, Int) and member.type.size == 4
    )
