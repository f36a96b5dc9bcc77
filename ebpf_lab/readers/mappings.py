"""Which files the code of each process comes from, noted while the processes live.

An address in a user's stack gets its name from the file that is mapped there, and a process takes its
mappings along when it ends.  The kernel reports each executable mapping as it is made (PERF_RECORD_MMAP2),
and each fork.  With what ``/proc`` knows of the processes that are there already, nothing is missing, however
short a process lived.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np

from ebpf_lab.host import maps
from ebpf_lab.host.maps import Mapping
from ebpf_lab.readers import perf
from ebpf_lab.readers.perf import PerfRing, Records

Mappings: TypeAlias = dict[int, tuple[Mapping, ...]]
"""Executable mappings by process, in the order in which they were made."""

_DUMMY = 9
_PAGES = 64
"""Pages of each CPU's ring (256 KiB with 4 KiB pages): about 2,000 mappings between two drains."""
_MMAP, _MMAP2, _BUILD_ID = 1 << 8, 1 << 23, 1 << 34
_RECORD_EXIT, _RECORD_MMAP2 = 4, 10
_HAS_BUILD_ID = 1 << 14
"""PERF_RECORD_MISC_MMAP_BUILD_ID: the record has the file's build ID in the place of its inode."""
_SETTLED_NS = 2_000_000
"""A record is younger than this when it is stored: the CPUs' records are in one order up to then."""
_MOST_ENDED = 1 << 16
"""Processes remembered after their end."""

_MAPPED = np.dtype(
    [
        ("header", "<u4"),
        ("misc", "<u2"),
        ("size", "<u2"),
        ("pid", "<u4"),
        ("tid", "<u4"),
        ("address", "<u8"),
        ("length", "<u8"),
        ("offset", "<u8"),
        ("build_id_size", "u1"),
        ("reserved", "3u1"),
        ("build_id", "20u1"),
        ("protection", "<u4"),
        ("flags", "<u4"),
    ]
)
_TASK = np.dtype([("header", "<u8"), ("pid", "<u4"), ("ppid", "<u4"), ("tid", "<u4"), ("ptid", "<u4")])


class MappingRecorder:
    """The executable mappings of every process of this machine, from the start on.

    Attributes
    ----------
    mappings : dict
        Executable mappings by process, as far as :meth:`drain` has been called.  Those of a program that the
        process was before it executed another are kept: its stacks are of both.  Process ids that have been
        used again by others are not told apart.

    Raises
    ------
    MissingPrivilege
        This process may not open perf events for all processes.

    Notes
    -----
    Build IDs since Linux kernel commit 88a16a130933 ("perf: Add build id data in mmap2 event") in v5.12.
    """

    def __init__(self) -> None:
        self.mappings: Mappings = {}
        self._ended: deque[int] = deque()
        self._waiting: list[tuple[int, int, bytes]] = []
        self._lock = threading.Lock()
        self._rings: tuple[PerfRing, ...] = tuple(perf.open_each_cpu(_open).values())
        # Behind the opening, so that what is mapped meanwhile is seen twice rather than never.
        for process in Path("/proc").glob("[0-9]*"):
            try:
                self.mappings[int(process.name)] = tuple(maps.executable(process.name))
            except OSError:
                continue  # it has ended

    @property
    def lost(self) -> int:
        """Reports that found no room: when not 0, functions of some processes may have no names."""
        with self._lock:
            return sum(ring.count_lost() for ring in self._rings)

    def drain(self) -> None:
        """Take what was reported so far into :attr:`mappings`, but for the last moments."""
        self._take(time.monotonic_ns() - _SETTLED_NS)

    def known(self) -> Mappings:
        """Everything reported so far."""
        self._take(time.monotonic_ns())
        with self._lock:
            return dict(self.mappings)

    def _take(self, until: int) -> None:
        with self._lock:
            for records in perf.drain(self._rings):
                self._waiting.extend(_reports(records))
            self._waiting.sort(key=lambda record: record[0])
            settled = 0
            for when, kind, record in self._waiting:
                if when > until:
                    break
                self._add(kind, record)
                settled += 1
            del self._waiting[:settled]

    def _add(self, kind: int, record: bytes) -> None:
        if kind == _RECORD_MMAP2:
            pid, mapping = _mapping(record)
            self.mappings[pid] = (*self.mappings.get(pid, ()), mapping)
            return
        task = np.frombuffer(record, _TASK, 1)[0]
        pid, parent = int(task["pid"]), int(task["ppid"])
        if kind == perf.RECORD_FORK:
            if pid != parent:
                self.mappings[pid] = self.mappings.get(parent, ())
        elif pid == int(task["tid"]):
            self._ended.append(pid)
            if len(self._ended) > _MOST_ENDED:
                self.mappings.pop(self._ended.popleft(), None)

    def close(self) -> None:
        """Unmap and close."""
        perf.close_rings(self._rings)
        self._rings = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(cpu: int) -> PerfRing:
    flags = _MMAP | _MMAP2 | _BUILD_ID | perf.TASK | perf.SAMPLE_ID_ALL
    return PerfRing(cpu=cpu, pid=-1, config=_DUMMY, pages=_PAGES, sample_type=perf.SAMPLE_TIME, flags=flags)


def _reports(records: Records) -> Iterator[tuple[int, int, bytes]]:
    """Time, type and bytes of each record that tells of a mapping, a fork or an exit."""
    words = records.words
    for offset, header, kind in zip(
        records.offsets.tolist(), records.headers.tolist(), records.types.tolist(), strict=True
    ):
        if kind in (_RECORD_MMAP2, perf.RECORD_FORK, _RECORD_EXIT):
            end = offset + perf.record_stride(header)
            # The last word is the sample's identity, of which there is the time alone.
            yield int(words[end - 1]), kind, words[offset : end - 1].tobytes()


def _mapping(record: bytes) -> tuple[int, Mapping]:
    fixed = np.frombuffer(record, _MAPPED, 1)[0]
    name = record[_MAPPED.itemsize :].partition(b"\0")[0].decode(errors="surrogateescape")
    build_id = b""
    if int(fixed["misc"]) & _HAS_BUILD_ID:
        build_id = fixed["build_id"].tobytes()[: int(fixed["build_id_size"])]
    start = int(fixed["address"])
    # "//anon" is what the kernel calls memory without a file here, and "" in /proc.
    path = "" if name.startswith("//") else name.removesuffix(" (deleted)")
    mapping = Mapping(start, start + int(fixed["length"]), int(fixed["offset"]), path, build_id)
    return int(fixed["pid"]), mapping
