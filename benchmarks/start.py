"""From a cell to attached programs: how long one waits."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import ebpf_lab
from benchmarks.consumers import bare_bcc
from benchmarks.harness import Effort, Goal, Result, alternate, ratio
from benchmarks.peers import bpftrace

_EVENT = "struct opening { u64 ts; u32 pid; char comm[16]; char file[64]; };\n"
_BODY = """
    e->ts = bpf_ktime_get_ns();
    e->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(e->comm, sizeof(e->comm));
"""
_LIBBPF = f"""{_EVENT}
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 18); }} events SEC(".maps");
SEC("tracepoint/syscalls/sys_enter_openat")
int opened(struct trace_event_raw_sys_enter *ctx)
{{
    struct opening *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e)
        return 0;
    {_BODY}
    bpf_probe_read_user_str(e->file, sizeof(e->file), (void *)ctx->args[1]);
    bpf_ringbuf_submit(e, 0);
    return 0;
}}
"""
_BCC = f"""{_EVENT}
BPF_RINGBUF_OUTPUT(events, 64);
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{{
    struct opening *e = events.ringbuf_reserve(sizeof(struct opening));
    if (!e)
        return 0;
    {_BODY}
    bpf_probe_read_user_str(e->file, sizeof(e->file), (void *)args->filename);
    events.ringbuf_submit(e, 0);
    return 0;
}}
"""
_BPFTRACE = 'tracepoint:syscalls:sys_enter_openat { printf("%d %s %s\\n", pid, comm, str(args->filename)) }'

_CAUSE = (
    "The lab runs bcc in a process of its own, so that neither what LLVM prints nor its crashes reach the"
    " notebook; starting that process and handing its descriptors over is what comes on top"
)

_BUSY = (
    "It is a time on the clock, which a machine with more to do than it has processors stretches: the least"
    " of the values is what it takes where nothing else runs"
)

_numbers = itertools.count(time.time_ns())


def start(effort: Effort) -> Iterator[Result]:
    """One program of either dialect, on the same tracepoint."""
    bare = bare_bcc()
    sides: dict[str, Callable[[], float]] = {
        "libbpf, compiled": lambda: _lab(_unknown(_LIBBPF)),
        "libbpf, object cached": lambda: _lab(_LIBBPF),
        "bcc dialect": lambda: _lab(_unknown(_BCC)),
        "bcc itself": lambda: _bare(bare, _unknown(_BCC)),
        "bpftrace": _bpftrace,
    }
    series = alternate(sides, 2 * effort.rounds if effort.judged else 1)
    compiled, cached = series["libbpf, compiled"], series["libbpf, object cached"]
    ours, theirs = series["bcc dialect"], series["bcc itself"]
    goals = (
        Goal("libbpf, compiled / bcc itself", ratio(compiled, theirs), 0.5, "×", least=False),
        Goal("libbpf, object cached", cached.median, 60, "ms", least=False, cause=_BUSY),
        Goal("bcc dialect / bcc itself", ratio(ours, theirs), 1.1, "×", least=False, cause=_CAUSE),
    )
    title = "From the text of a program on sys_enter_openat to attached, after the first time"
    yield Result("start", title, "ms", tuple(series.values()), False, goals)


def _unknown(text: str) -> str:
    """The text as it was never compiled before; vmlinux.h and what it becomes stay known."""
    return f"{text}\n// {next(_numbers)}\n"


def _lab(text: str) -> float:
    began = time.perf_counter()
    with ebpf_lab.trace(text):
        return (time.perf_counter() - began) * 1e3


def _bare(bcc: ModuleType, text: str) -> float:
    began = time.perf_counter()
    module = bcc.BPF(text=text, cflags=["-w"])
    module["events"].open_ring_buffer(lambda context, data, size: None)
    seconds = time.perf_counter() - began
    module.cleanup()
    return seconds * 1e3


def _bpftrace() -> float:
    began = time.perf_counter()
    with bpftrace(_BPFTRACE):
        return (time.perf_counter() - began) * 1e3
