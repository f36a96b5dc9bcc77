"""BPF programs in raw instructions: to attach without any compiler."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from ebpf_lab.backends.loaded import LoadedProgram
from ebpf_lab.host import programs
from ebpf_lab.host.syscalls import MapType, ProgType
from ebpf_lab.source.probe import Probe

TRACE_RAW_TP, TRACE_FENTRY, TRACE_FEXIT = 23, 24, 25


def instruction(code: int, destination: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """One instruction (``struct bpf_insn``)."""
    return struct.pack("<BBhi", code, source << 4 | destination, offset, value)


def counting(map_fd: int, *, process: int = 0, cookie: bool = False) -> bytes:
    """Add 1, or the attach cookie, to an array map's first u64 at each run (in one process, if given)."""
    add = [
        instruction(0xBF, 1, 6),  # r1 = context
        instruction(0x85, value=174),  # call bpf_get_attach_cookie
        instruction(0xBF, 8, 0),  # r8 = r0
    ]
    body = [
        *(add if cookie else [instruction(0xB7, 8, value=1)]),
        instruction(0x62, 10, offset=-4),  # *(u32 *)(r10 - 4) = 0
        instruction(0x18, 1, 1, value=map_fd) + instruction(0),  # r1 = map
        instruction(0xBF, 2, 10),  # r2 = r10
        instruction(0x07, 2, value=-4),  # r2 += -4
        instruction(0x85, value=1),  # call bpf_map_lookup_elem
        instruction(0x15, 0, offset=1),  # if r0 == 0 skip one
        instruction(0xDB, 0, 8),  # lock *(u64 *)r0 += r8
    ]
    code = b"".join(body)
    if process:
        check = [
            instruction(0x85, value=14),  # call bpf_get_current_pid_tgid
            instruction(0x77, 0, value=32),  # r0 >>= 32
            instruction(0x55, 0, offset=len(code) // 8, value=process),  # if r0 != process skip all
        ]
        code = b"".join(check) + code
    return instruction(0xBF, 6, 1) + code + programs.answer(0)


class Counter:
    """A map that programs count in, and the programs that do."""

    def __init__(self) -> None:
        self.map = programs.create_map(MapType.ARRAY, key=4, value=8, entries=1)
        self.fds = [self.map]

    @property
    def runs(self) -> int:
        """Runs so far, or the sum of their cookies."""
        return programs.read_u64(self.map, 0)

    def program(
        self,
        kind: ProgType,
        *,
        own: bool = False,
        cookie: bool = False,
        probe: str = "",
        attach_type: int = 0,
        btf_id: int = 0,
        code: bytes = b"",
    ) -> LoadedProgram:
        """Load a program that counts (``own``: runs in this process only), or one that runs ``code``."""
        code = code or counting(self.map, process=os.getpid() if own else 0, cookie=cookie)
        fd = programs.load(kind, code, attach_type=attach_type, btf_id=btf_id)
        self.fds.append(fd)
        return LoadedProgram("count", fd, kind, Probe.parse(probe) if probe else None)


@contextmanager
def counter() -> Iterator[Counter]:
    """A counter; its map and programs are gone at the end."""
    made = Counter()
    try:
        yield made
    finally:
        for fd in made.fds:
            os.close(fd)
