"""What the kernel counts about a loaded program."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass

from ebpf_lab.host.syscalls import BpfCommand, bpf

_RUN_TIME_NS = 192
"""Byte of ``run_time_ns`` in ``struct bpf_prog_info``; ``run_cnt`` and ``recursion_misses`` follow it."""
_BYTES = 216


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """Counts of one program, over all CPUs.

    Attributes
    ----------
    runs, run_time_ns : int
        Counted only while BPF statistics are enabled.
    recursion_misses : int
        Times the kernel did not call the program because it was running on that CPU already.
    """

    runs: int
    run_time_ns: int
    recursion_misses: int


def program_info(fd: int) -> ProgramInfo:
    """Ask the kernel (BPF_OBJ_GET_INFO_BY_FD)."""
    info = ctypes.create_string_buffer(_BYTES)
    bpf(BpfCommand.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, _BYTES, ctypes.addressof(info)))
    run_time, runs, misses = struct.unpack_from("<QQQ", info, _RUN_TIME_NS)
    return ProgramInfo(runs, run_time, misses)
