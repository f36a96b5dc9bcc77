"""A recording made by hand, with something of everything in it: no kernel is needed for it."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from ebpf_lab.backends.loaded import LoadedMap, LoadedStream
from ebpf_lab.errors import Mark, MissingPrivilege, PathStep, VerifierRejected
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.inside.program import Function, NativeFunction, ProgramCode, SourceLine
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.maps import MapContents
from ebpf_lab.readers.printk_lines import HEAD
from ebpf_lab.recordings.model import Asked, Book, Made, Outcome, Programs, RecordedStream, Recording
from ebpf_lab.results import Account, MapsRead
from ebpf_lab.source.ctype import Array, Enum, Int, Member, Pointer, Struct
from ebpf_lab.source.probe import Probe
from ebpf_lab.stats import ProgramStats

TEXT = """#include "vmlinux.h"
struct event { u64 ts; u32 pid; u32 uid; int stack_id; enum parity parity; char comm[16]; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
const volatile int least = 0;
SEC("tracepoint/syscalls/sys_enter_execve")
int on_exec(void *ctx)
{
    bpf_printk("hello");
    return 0;
}
"""
EVENTS = 23
_U32, _U64 = Int("unsigned int", 4, signed=False), Int("unsigned long long", 8, signed=False)
_CHAR = Int("char", 1, signed=True, char=True)
EVENT = Struct(
    "event",
    48,
    (
        Member("ts", _U64, 0),
        Member("pid", _U32, 64),
        Member("uid", _U32, 96),
        Member("stack_id", Int("int", 4, signed=True), 128),
        Member("parity", Enum("parity", 4, signed=False, values=(("EVEN", 0), ("ODD", 1))), 160),
        Member("where", Pointer("void"), 192),
        Member("comm", Array(_CHAR, 16), 256),
    ),
)
_BOOT, _WALL = 5_000_000_000_000, 1_795_292_936_000_000_000
MADE = Made("6.12.57+deb13-amd64", "x86_64", "2026-11-21 20:15", "0.1.0")
ASKED = Asked(command=("sh", "-c", "true"), only=True, settings={"least": "5"})


def _event(number: int) -> bytes:
    head = struct.pack("<QIIiIQ", _BOOT + number * 1000, 100, 1000, 7, number % 2, 0xFFFF0000 + number)
    return head + b"sh".ljust(16, b"\0")


def _batch(count: int, order: int) -> Batch:
    data = np.frombuffer(b"".join(_event(order + at) for at in range(count)), np.uint8)
    return Batch(EVENT.size, data.reshape(count, EVENT.size), order)


def _stream() -> RecordedStream:
    odd = Batch(3, np.arange(6, dtype=np.uint8).reshape(2, 3), 11, np.array([11, 13]))
    even = Batch(EVENT.size, _batch(2, 11).data, 12, np.array([12, 14]))
    batches = (_batch(11, 0), odd, even, _batch(8, 15))
    stream = LoadedStream("events", "ringbuf", None, (EVENT,))
    return RecordedStream(stream, batches, (1_000_000, 2_000_000, 2_000_000, 80_000_000), 30, 5)


def _lines() -> RecordedStream:
    head = np.zeros(1, HEAD)
    head["ts"], head["pid"], head["comm"], head["length"] = _BOOT + 7, 100, b"sh", 6
    record = head.tobytes() + b"hello\0".ljust(128, b"\0")
    data = np.frombuffer(record, np.uint8).reshape(1, -1)
    return RecordedStream(LoadedStream("printk", "printk", None), (Batch(len(record), data, 0),), (5,), 1, 0)


def _maps() -> MapsRead:
    counts = LoadedMap("counts", -1, 5, 4, 8, 64, _U32, _U64)
    keys = np.arange(5, dtype="<u4").view(np.uint8).reshape(5, 4)
    values = np.arange(10, dtype="<u8").view(np.uint8).reshape(5, 2, 8)
    stacks = LoadedMap("stacks", -1, 7, 4, 127 * 8, 64)
    chain = np.array([0xFFFFFFFF81000010, 0xFFFFFFFF81000020], np.uint64)
    user = np.array([0x401010, 0x401020], np.uint64)
    return MapsRead([(counts, MapContents(keys, values))], [(stacks, {7: user, 9: chain})])


def _code() -> ProgramCode:
    exit_instructions = bytes.fromhex("b700000000000000 9500000000000000")
    return ProgramCode(
        "on_exec",
        exit_instructions,
        (Function("on_exec", 0),),
        (SourceLine(0, "", 9, 5, "    return 0;"),),
        {3: "events"},
        {".bss": {0: "seen"}},
        (NativeFunction(0xFFFFFFFFC0001000, bytes.fromhex("31c0c3")),),
        3,
        (0xFFFFFFFFC0001000,),
    )


def outcome() -> Outcome:
    """A trace that brought a stream of two sizes, lines, a map of two CPUs, stacks, and lost some."""
    return Outcome(
        account=Account(
            maps=_maps(),
            programs={"on_exec": ProgramStats(30, 250.5, 1)},
            left_out={Probe.parse("tracepoint:syscalls:sys_enter_open"): "no such tracepoint"},
            uncounted="",
            seconds=0.1,
            clock=TraceClock(_BOOT, _BOOT, _WALL, _WALL),
            filtered=True,
            remarks=("events: the recording holds the first 23 of 30 events",),
        ),
        functions=("on_exec",),
        streams=(_stream(), _lines()),
        inherited={0: "/dev/null", 1: "pipe"},
        directory="/root",
        names=Book(
            {0xFFFFFFFF81000010: "vfs_read+0x10"},
            {100: {0x401010: "work [prog]", 0x401020: "main [prog]"}},
            {1000: "ada"},
            {100},
        ),
        programs=Programs((_code(),), 0xFFFFFFFF81234560, {"on_exec": "0: (b7) r0 = 0\n1: (95) exit\n"}),
        warnings=(Mark(6, '    bpf_printk("hello");', 5, 10, "unused", "warning"),),
        output=b"said\n\x1b[1m\xff",
        status=-15,
    )


def recording() -> Recording:
    """That trace's recording."""
    return Recording(MADE, TEXT, "libbpf", ASKED, outcome=outcome())


def failed() -> Recording:
    """The recording of a trace that the verifier did not let happen."""
    error = VerifierRejected(
        "on_exec: R0 invalid mem access 'map_value_or_null'",
        where=(Mark(5, "int on_exec(void *ctx)", 5, 7, "here"),),
        why="it may be NULL",
        hint="if (!count) return 0;",
        log="0: (b7) r0 = 0\n",
        rule="null check",
        steps=(PathStep(5, 1, 0, "r0 = 0", "int on_exec", "R0", "", "0"),),
    )
    error.source = TEXT
    return Recording(MADE, TEXT, "libbpf", ASKED, error=error)


def unprivileged() -> Recording:
    """One made where the kernel kept the code to itself."""
    hidden = MissingPrivilege("may not see the bytecode", hint="sudo")
    code = replace(_code(), bytecode=b"", native=(NativeFunction(0, b""),))
    kept = replace(outcome(), programs=Programs((code,), absent={"bytecode": hidden}))
    return Recording(MADE, TEXT, "libbpf", ASKED, outcome=kept)
