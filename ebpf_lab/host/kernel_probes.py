"""Finds out what the kernel can do by doing it: small programs are loaded, attached and taken away.

Each function tries one feature.  It returns a remark ("" mostly) when that worked, and raises
:class:`Lacking`, :class:`Undecided` or the kernel's :class:`OSError` when it did not;
:mod:`ebpf_lab.host.features` words it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ebpf_lab.host import btf_ids, kernel, perf_events, programs, system_calls, tracefs
from ebpf_lab.host.answers import Lacking, Undecided
from ebpf_lab.host.syscalls import (
    BpfCommand,
    MapType,
    ProgType,
    bpf,
    online_cpus,
    perf_attributes,
    perf_event_open,
)

# enum bpf_attach_type
_TRACE_RAW_TP, _TRACE_FENTRY, _LSM_MAC, _XDP = 23, 24, 27, 37
_KPROBE_MULTI, _TCX_INGRESS, _UPROBE_MULTI = 42, 46, 48
_XDP_PASS = 2
_XDP_GENERIC = 2
_TC_NEXT = -1
_SOFTWARE, _BPF_OUTPUT = 1, 10
_SAMPLE_RAW = 1 << 10
# Something that every kernel has, and that seldom happens.
_QUIET_TRACEPOINT = ("sched", "sched_process_exec")
_QUIET_CALL = "getpgid"


@contextmanager
def _held(*fds: int) -> Iterator[None]:
    try:
        yield
    finally:
        perf_events.close_quietly(list(fds))


def _attach(program: int, event: int) -> None:
    os.close(perf_events.link(program, event))


def basic() -> str:
    """Any BPF program at all."""
    os.close(programs.load(ProgType.SOCKET_FILTER, programs.answer(0)))
    return ""


def btf() -> str:
    """Types of the running kernel."""
    if not btf_ids.VMLINUX.exists():
        raise Lacking(
            "/sys/kernel/btf/vmlinux does not exist: the kernel was built without CONFIG_DEBUG_INFO_BTF"
        )
    with btf_ids.VMLINUX.open("rb") as file:
        file.read(1)
    return ""


def kprobe() -> str:
    """A kprobe on a system call that hardly any program makes."""
    if perf_events.device_type("kprobe") is None:
        raise Lacking(kernel.lacks("CONFIG_KPROBES") or "the kernel was built without kprobes")
    function = _quiet_function()
    program = programs.load(ProgType.KPROBE, programs.answer(0))
    with _held(program):
        _attach(program, perf_events.open_kprobe(function, 0, retprobe=False))
    return ""


def kprobe_multi() -> str:
    """One link for many kprobes.

    Since Linux kernel commit 0dcac2725406 ("bpf: Add multi kprobe link") in v5.18.
    """
    if perf_events.device_type("kprobe") is None:
        raise Lacking(kernel.lacks("CONFIG_KPROBES") or "the kernel was built without kprobes")
    name = ctypes.create_string_buffer(_quiet_function().encode())
    symbols = (ctypes.c_uint64 * 1)(ctypes.addressof(name))
    program = programs.load(ProgType.KPROBE, programs.answer(0), attach_type=_KPROBE_MULTI)
    with _held(program):
        rest = struct.pack("<IIQQQ", 0, 1, ctypes.addressof(symbols), 0, 0)
        os.close(perf_events.link_create(program, 0, _KPROBE_MULTI, rest))
    return ""


def tracepoint() -> str:
    """A tracepoint by its number in tracefs."""
    number = tracefs.tracepoint_id(*_QUIET_TRACEPOINT)
    if number is None:
        raise Undecided(f"the kernel has no tracepoint {':'.join(_QUIET_TRACEPOINT)} to try it on")
    program = programs.load(ProgType.TRACEPOINT, programs.answer(0))
    with _held(program):
        _attach(program, perf_events.open_tracepoint(number))
    return ""


def raw_tracepoint() -> str:
    """A raw tracepoint by name."""
    program = programs.load(ProgType.RAW_TRACEPOINT, programs.answer(0))
    with _held(program):
        os.close(perf_events.raw_tracepoint_open(program, _QUIET_TRACEPOINT[1]))
    return ""


def tp_btf() -> str:
    """A raw tracepoint with typed arguments."""
    program = _load_by_btf(
        ProgType.TRACING, _TRACE_RAW_TP, btf_ids.TYPEDEF, f"btf_trace_{_QUIET_TRACEPOINT[1]}"
    )
    with _held(program):
        os.close(perf_events.raw_tracepoint_open(program))
    return ""


def fentry() -> str:
    """A program at a function's entry, by a trampoline instead of a breakpoint."""
    # 6.1 on arm64 loads it and cannot attach it.
    program = _load_by_btf(ProgType.TRACING, _TRACE_FENTRY, btf_ids.FUNCTION, _quiet_function())
    with _held(program):
        os.close(perf_events.raw_tracepoint_open(program))
    return ""


def lsm() -> str:
    """A security hook: where "bpf" is not among the active modules, programs attach and are never called."""
    counter = programs.create_map(MapType.ARRAY, key=4, value=8, entries=1)
    with _held(counter):
        program = _load_by_btf(
            ProgType.LSM,
            _LSM_MAC,
            btf_ids.FUNCTION,
            f"bpf_lsm_task_{_QUIET_CALL}",
            programs.note_a_run(counter),
        )
        with _held(program, perf_events.raw_tracepoint_open(program)):
            os.getpgid(os.getpid())
            called = programs.read_u64(counter, 0)
    if not called:
        raise Lacking(
            "a program was attached and never called: bpf is not among the active security modules",
            "add bpf to the kernel's boot parameter lsm= (cat /sys/kernel/security/lsm shows what is there)",
        )
    return ""


@contextmanager
def _code_of_nobody() -> Iterator[str]:
    """A file that no process runs: probes on it disturb nothing."""
    fd = os.memfd_create("lab_probe")
    with _held(fd):
        os.write(fd, b"\x90" * 4096)
        yield f"/proc/self/fd/{fd}"


def uprobe() -> str:
    """A uprobe."""
    _require_uprobes()
    program = programs.load(ProgType.KPROBE, programs.answer(0))
    with _held(program), _code_of_nobody() as path:
        _attach(program, perf_events.open_uprobe(path, 0, retprobe=False))
    return ""


def usdt() -> str:
    """A uprobe that raises a program's semaphore."""
    _require_uprobes()
    program = programs.load(ProgType.KPROBE, programs.answer(0))
    with _held(program), _code_of_nobody() as path:
        _attach(program, perf_events.open_uprobe(path, 0, retprobe=False, semaphore=2048))
    return ""


def uprobe_multi() -> str:
    """One link for many uprobes.

    Since Linux kernel commit 89ae89f53d20 ("bpf: Add multi uprobe link") in v6.6.
    """
    _require_uprobes()
    program = programs.load(ProgType.KPROBE, programs.answer(0), attach_type=_UPROBE_MULTI)
    with _held(program), _code_of_nobody() as name:
        path = ctypes.create_string_buffer(name.encode())
        offsets = (ctypes.c_uint64 * 1)(0)
        rest = struct.pack("<QQQQIIII", ctypes.addressof(path), ctypes.addressof(offsets), 0, 0, 1, 0, 0, 0)
        os.close(perf_events.link_create(program, 0, _UPROBE_MULTI, rest))
    return ""


def perf_event() -> str:
    """A program run by the clock (``profile``)."""
    program = programs.load(ProgType.PERF_EVENT, programs.answer(0))
    with _held(program):
        _attach(program, perf_events.open_sampling(online_cpus()[0], frequency=1, period=None))
    return ""


def ringbuf() -> str:
    """The ring buffer map."""
    os.close(programs.create_map(MapType.RINGBUF, key=0, value=0, entries=os.sysconf("SC_PAGE_SIZE")))
    return ""


def perfbuf() -> str:
    """The perf event array, and the event that programs write to through it."""
    with ExitStack() as stack:
        array = programs.create_map(MapType.PERF_EVENT_ARRAY, key=4, value=4, entries=1)
        stack.enter_context(_held(array))
        output = perf_attributes(_SOFTWARE, _BPF_OUTPUT, sample_type=_SAMPLE_RAW)
        stack.enter_context(_held(perf_event_open(output, cpu=online_cpus()[0])))
    return ""


def printk() -> str:
    """``bpf_trace_printk``, and the tracepoint that its lines are read from."""
    if tracefs.tracepoint_id("bpf_trace", "bpf_trace_printk") is None:
        raise Lacking("the kernel has no tracepoint bpf_trace:bpf_trace_printk (it came with Linux 5.9)")
    os.close(programs.load(ProgType.RAW_TRACEPOINT, programs.printk()))
    return ""


def stats() -> str:
    """Run counts and times of programs."""
    os.close(bpf(BpfCommand.ENABLE_STATS, struct.pack("<I", 0)))
    return ""


def xdp() -> str:
    """A program for packets as they arrive, on the loopback interface; it lets everything pass."""
    program = programs.load(ProgType.XDP, programs.answer(_XDP_PASS), attach_type=_XDP)
    with _held(program):
        try:
            os.close(perf_events.link_create(program, socket.if_nametoindex("lo"), _XDP, flags=_XDP_GENERIC))
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
    return ""


def tc() -> str:
    """A program in the traffic control path of the loopback interface; it lets everything pass."""
    program = programs.load(ProgType.SCHED_CLS, programs.answer(_TC_NEXT))
    with _held(program):
        try:
            rest = struct.pack("<IIQ", 0, 0, 0)
            os.close(perf_events.link_create(program, socket.if_nametoindex("lo"), _TCX_INGRESS, rest))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # Before tcx (v6.6) programs hang on a queueing discipline, which trying would leave behind.
            raise Undecided(
                "programs load; this kernel attaches them to a queueing discipline only, which was not tried"
            ) from None
    return ""


def tracing_directory() -> str:
    """tracefs, mounted and readable."""
    tracefs.root()
    return ""


def _require_uprobes() -> None:
    if perf_events.device_type("uprobe") is None:
        raise Lacking(kernel.lacks("CONFIG_UPROBE_EVENTS") or "the kernel was built without uprobes")


def _quiet_function() -> str:
    function = system_calls.function_of(_QUIET_CALL)
    if not function:
        raise Undecided(f"the kernel lists no function for the system call {_QUIET_CALL} to try it on")
    return function


def _load_by_btf(
    program_type: ProgType, attach_type: int, kind: int, name: str, code: bytes | None = None
) -> int:
    try:
        number = btf_ids.kernel_ids([(kind, name)]).get(name)
    except FileNotFoundError:
        raise Lacking("the kernel has no BTF, which it is attached by") from None
    if number is None:
        raise Undecided(f"the kernel's BTF has no {name} to try it on")
    return programs.load(program_type, code or programs.answer(0), attach_type=attach_type, btf_id=number)
