"""Which processes a command consists of: itself, what it starts, what those start, daemons included."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.readers import perf
from ebpf_lab.readers.perf import PerfRing

_T = TypeVar("_T")

_DUMMY = 9
_PAGES = 64
"""Pages of each CPU's ring (256 KiB with 4 KiB pages): 8,192 forks and exits between two drains."""

_FORK = np.dtype(
    [("header", "<u8"), ("pid", "<u4"), ("ppid", "<u4"), ("tid", "<u4"), ("ptid", "<u4"), ("time", "<u8")]
)


class ChildTracker:
    """The processes and threads that come of what :meth:`launch` starts.

    A perf event that counts nothing (PERF_COUNT_SW_DUMMY) but is inherited by every child of its thread
    reports each fork.  Inheritance happens inside fork itself, so that neither a child that lives for a
    microsecond nor one whose parent is long gone can be missed, and other processes cost nothing.

    Attributes
    ----------
    pids, tids : set of int
        Process and thread ids, in this process's PID namespace, as far as :meth:`drain` has been called.
        Ids that have been used again by strangers within the trace are not told apart.

    Raises
    ------
    MissingPrivilege
        From :meth:`launch`: this process may not open perf events.
    """

    def __init__(self) -> None:
        self.pids: set[int] = set()
        self.tids: set[int] = set()
        self._rings: tuple[PerfRing, ...] = ()
        self._launcher = -1

    def launch(self, start: Callable[[], _T]) -> _T:
        """Call ``start`` on a thread of its own, whose children are followed from then on.

        Only what that thread itself starts is followed, so that other threads of this process may start
        what they like meanwhile.

        Parameters
        ----------
        start : callable
            Starts the command, with :class:`subprocess.Popen` for one.

        Returns
        -------
        object
            What ``start`` returned; what it raised is raised.
        """
        results: list[_T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                self._open()
                results.append(start())
            except BaseException as error:  # noqa: BLE001  # raised below, on the caller's thread
                errors.append(error)

        thread = threading.Thread(target=run, name="ebpf-lab-launch")
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def _open(self) -> None:
        self._launcher = threading.get_native_id()

        def open_one(cpu: int) -> PerfRing:
            # pid 0 is the calling thread.  An inherited event can be mapped only if it belongs to one CPU
            # (perf_mmap in kernel/events/core.c), hence one for each.
            flags = perf.INHERIT | perf.TASK
            return PerfRing(cpu=cpu, pid=0, config=_DUMMY, pages=_PAGES, sample_type=0, flags=flags)

        self._rings = tuple(perf.open_each_cpu(open_one).values())

    @property
    def lost(self) -> int:
        """Reports of a fork or of an exit that found no room: when not 0, processes may be missing."""
        return sum(ring.count_lost() for ring in self._rings)

    def drain(self) -> None:
        """Take the forks reported so far into :attr:`pids` and :attr:`tids`."""
        # Asked for once: another thread may open them meanwhile, as events of others come before the launch.
        for records in perf.drain(self._rings):
            self._add(_forks(records.words, records.of(perf.RECORD_FORK)))

    def _add(self, forks: NDArray[Any]) -> None:
        # Threads of this process that the launching thread started (subprocess helpers) inherit the event
        # too: of this process's own forks only the launching thread's new processes count.
        me = os.getpid()
        ours = forks["ppid"] == me
        forks = forks[~ours | ((forks["ptid"] == self._launcher) & (forks["pid"] != me))]
        self.pids.update(forks["pid"].tolist())
        self.tids.update(forks["tid"].tolist())

    def close(self) -> None:
        """Take in what is left, then unmap and close."""
        self.drain()
        perf.close_rings(self._rings)
        self._rings = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _forks(words: NDArray[np.uint64], offsets: NDArray[np.int64]) -> NDArray[Any]:
    size = _FORK.itemsize // 8
    forks: NDArray[Any] = words[offsets[:, None] + np.arange(size)].view(_FORK)[:, 0]
    return forks
