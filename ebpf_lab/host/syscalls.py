"""bpf(2), perf_event_open(2) and membarrier(2), which Python's standard library does not wrap.

Every call raises :class:`OSError` with the kernel's errno; callers turn it into one of the lab's errors.
Structures are packed by hand into the kernel's fixed little-endian layouts (both of the lab's
architectures are little-endian).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Sequence
from enum import IntEnum
from functools import cache

_NUMBERS = {
    "x86_64": {"bpf": 321, "perf_event_open": 298, "membarrier": 324},
    "aarch64": {"bpf": 280, "perf_event_open": 241, "membarrier": 283},
}
_PERF_FLAG_FD_CLOEXEC = 8


class BpfCommand(IntEnum):
    """Commands of bpf(2) (``enum bpf_cmd`` in ``include/uapi/linux/bpf.h``)."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    PROG_TEST_RUN = 10
    PROG_GET_NEXT_ID = 11
    MAP_GET_NEXT_ID = 12
    PROG_GET_FD_BY_ID = 13
    MAP_GET_FD_BY_ID = 14
    OBJ_GET_INFO_BY_FD = 15
    RAW_TRACEPOINT_OPEN = 17
    BTF_LOAD = 18
    BTF_GET_FD_BY_ID = 19
    MAP_LOOKUP_BATCH = 24
    LINK_CREATE = 28
    LINK_GET_FD_BY_ID = 30
    LINK_GET_NEXT_ID = 31
    ENABLE_STATS = 32
    ITER_CREATE = 33


class ProgType(IntEnum):
    """Program types (``enum bpf_prog_type``) the lab attaches."""

    SOCKET_FILTER = 1
    KPROBE = 2
    SCHED_CLS = 3
    TRACEPOINT = 5
    XDP = 6
    PERF_EVENT = 7
    RAW_TRACEPOINT = 17
    TRACING = 26
    LSM = 29


class MapType(IntEnum):
    """Map types (``enum bpf_map_type``)."""

    HASH = 1
    ARRAY = 2
    PROG_ARRAY = 3
    PERF_EVENT_ARRAY = 4
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    STACK_TRACE = 7
    CGROUP_ARRAY = 8
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    LPM_TRIE = 11
    ARRAY_OF_MAPS = 12
    HASH_OF_MAPS = 13
    QUEUE = 22
    STACK = 23
    RINGBUF = 27
    TASK_STORAGE = 29
    BLOOM_FILTER = 30


@cache
def _syscall() -> ctypes._NamedFuncPointer:
    if not sys.platform.startswith("linux"):
        raise OSError(38, "BPF exists on Linux only")
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    return call


def _number(name: str) -> int:
    try:
        return _NUMBERS[platform.machine()][name]
    except KeyError:
        raise OSError(38, f"the lab has no system call numbers for {platform.machine()}") from None


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def bpf(command: int, attributes: ctypes.Array[ctypes.c_char] | bytes) -> int:
    """Call bpf(2).

    Parameters
    ----------
    command : int
        A :class:`BpfCommand`.
    attributes : bytes or ctypes buffer
        ``union bpf_attr``; a ctypes buffer (``create_string_buffer``) also receives what the kernel writes.

    Returns
    -------
    int
        The kernel's result: often a new descriptor, which is close-on-exec.

    Raises
    ------
    OSError
        With the kernel's errno.
    """
    if isinstance(attributes, bytes):
        attributes = ctypes.create_string_buffer(attributes, len(attributes))
    return _check(
        _syscall()(
            ctypes.c_long(_number("bpf")),
            ctypes.c_int(command),
            attributes,
            ctypes.c_uint(ctypes.sizeof(attributes)),
        )
    )


def perf_event_open(attributes: bytes, *, pid: int = -1, cpu: int = -1, group: int = -1) -> int:
    """Call perf_event_open(2) and return the new descriptor (close-on-exec).

    Parameters
    ----------
    attributes : bytes
        ``struct perf_event_attr``; :func:`perf_attributes` packs one.
    pid, cpu, group : int
        As in the manual page.

    Raises
    ------
    OSError
        With the kernel's errno.
    """
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return _check(
        _syscall()(
            ctypes.c_long(_number("perf_event_open")),
            buffer,
            ctypes.c_int(pid),
            ctypes.c_int(cpu),
            ctypes.c_int(group),
            ctypes.c_ulong(_PERF_FLAG_FD_CLOEXEC),
        )
    )


def perf_attributes(
    event_type: int,
    config: int = 0,
    *,
    config1: int = 0,
    config2: int = 0,
    period: int = 0,
    sample_type: int = 0,
    read_format: int = 0,
    flags: int = 0,
    wakeup: int = 0,
    clock: int = 0,
) -> bytes:
    """Pack a ``struct perf_event_attr`` (PERF_ATTR_SIZE_VER5, 112 bytes).

    ``flags`` is the bit field behind ``read_format`` (bit 0 disabled, 1 inherit, 9 comm, 10 freq, 13 task,
    25 use_clockid ...); ``wakeup`` counts events or, with bit 14, bytes; ``clock`` is a clock id.
    """
    return struct.pack(
        "<IIQQQQQIIQQQQIiQIHH",
        event_type,
        112,
        config,
        period,
        sample_type,
        read_format,
        flags,
        wakeup,
        0,
        config1,
        config2,
        0,
        0,
        0,
        clock,
        0,
        0,
        0,
        0,
    )


def memory_barrier() -> None:
    """Order this thread's earlier loads and stores before its later ones, against every other CPU.

    MEMBARRIER_CMD_GLOBAL_EXPEDITED executes ``smp_mb()`` on the calling CPU whatever the process's number
    of threads and needs no registration (membarrier(2); since Linux 4.16).  x86-64 never reorders loads
    with loads or stores with stores (Intel SDM vol. 3A, 9.2), so that nothing is called there.
    """
    if platform.machine() != "x86_64":
        number = ctypes.c_long(_number("membarrier"))
        _check(_syscall()(number, ctypes.c_int(2), ctypes.c_uint(0), ctypes.c_int(0)))


def online_cpus() -> Sequence[int]:
    """CPUs that are online, in order."""
    return _cpus("online")


def possible_cpus() -> Sequence[int]:
    """CPUs that could ever come online, in order: a per-CPU map has a value for each of them."""
    return _cpus("possible")


def _cpus(which: str) -> Sequence[int]:
    with open(f"/sys/devices/system/cpu/{which}") as file:
        text = file.read()
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return cpus
