"""Numbers that the kernel or a program keeps: lost events, and what the programs' runs cost."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from ebpf_lab.backends.loaded import LossCounter
from ebpf_lab.host.privileges import ADMIN, explain_eperm
from ebpf_lab.host.syscalls import BpfCommand, bpf
from ebpf_lab.readers.elements import lookup
from ebpf_lab.readers.maps import value_layout
from ebpf_lab.readers.program_info import program_info

_RUN_TIME = 0
_SYSCTL = "/proc/sys/kernel/bpf_stats_enabled"


def read_losses(counters: Iterable[LossCounter]) -> dict[str, int]:
    """Events lost to failed reserves, by stream; counters of one stream are added up."""
    losses: dict[str, int] = {}
    for counter in counters:
        losses[counter.stream] = losses.get(counter.stream, 0) + _read(counter)
    return losses


def _read(counter: LossCounter) -> int:
    source = counter.map
    cpus, stride = value_layout(source)
    value = lookup(source.fd, counter.key.to_bytes(source.key_size, "little"), cpus * stride)
    if value is None:  # in a hash, nothing was lost yet
        return 0
    return sum(struct.unpack_from("<Q", value, cpu * stride + counter.offset)[0] for cpu in range(cpus))


@dataclass(frozen=True, slots=True)
class ProgramCount:
    """Runs of one program.

    Attributes
    ----------
    runs : int or None
        None when the kernel was not counting.
    ns_per_run : float or None
        None too when it never ran.
    missed : int
        Times the kernel skipped the program because it was running on that CPU already.
    """

    runs: int | None
    ns_per_run: float | None
    missed: int


class ProgramCounts:
    """Has the kernel count runs of programs, until it is closed.

    Parameters
    ----------
    programs : mapping
        Descriptor by name.  They stay the caller's; load them before, attach them after.

    Attributes
    ----------
    why : str
        Why runs are not counted, "" when they are.

    Notes
    -----
    BPF_ENABLE_STATS, since Linux kernel commit d46edd671a14 ("bpf: Sharing bpf runtime stats with
    BPF_ENABLE_STATS") in v5.8, needs CAP_SYS_ADMIN.  Every program of the machine is counted while any such
    descriptor is open, at the cost of two reads of the clock a run.
    """

    def __init__(self, programs: Mapping[str, int]) -> None:
        self._programs = dict(programs)
        self._fd = -1
        self.why = ""
        try:
            self._fd = bpf(BpfCommand.ENABLE_STATS, struct.pack("<I", _RUN_TIME))
        except OSError as error:
            if not _counting_anyway():
                refused = error.errno in (errno.EPERM, errno.EACCES)
                self.why = explain_eperm("count runs", ADMIN).why if refused else error.strerror or str(error)

    def read(self) -> dict[str, ProgramCount]:
        """The counts so far."""
        return {name: self._count(fd) for name, fd in self._programs.items()}

    def _count(self, fd: int) -> ProgramCount:
        info = program_info(fd)
        if self.why:
            return ProgramCount(None, None, info.recursion_misses)
        each = info.run_time_ns / info.runs if info.runs else None
        return ProgramCount(info.runs, each, info.recursion_misses)

    def close(self) -> None:
        """Let the kernel stop counting."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _counting_anyway() -> bool:
    try:
        with open(_SYSCTL) as file:
            return file.read().strip() == "1"
    except OSError:
        return False
