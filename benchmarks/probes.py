"""What a probe costs the traced program, and what tracing all its system calls costs it."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import ebpf_lab
from benchmarks import native
from benchmarks.consumers import bare_bcc
from benchmarks.harness import Effort, Goal, Result, Series, alternate, cpus, wall_seconds
from benchmarks.peers import CannotRun, bpftrace
from ebpf_lab.host.features import Answer, probe
from ebpf_lab.host.libraries import find
from ebpf_lab.host.targets import resolve
from ebpf_lab.source import snippets
from ebpf_lab.source.probe import Probe

_CALLS = 300_000
_COUNTED = (
    "While the lab traces, the kernel counts and times each run (BPF_ENABLE_STATS), of which its header"
    " tells; the others do without."
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of probe on getpgid.

    Attributes
    ----------
    needs : str
        The feature that it takes.
    ours, bpftrace : str
        The probe, as each names it; ``{symbol}`` is the kernel's function, ``{libc}`` the library.
    attach : callable
        Has bcc attach a function of a module, and returns what detaches it.
    """

    needs: str
    ours: str
    bpftrace: str
    attach: Callable[[Any, str], Callable[[], None]]


def _tracepoint(module: Any, symbol: str) -> Callable[[], None]:
    module.attach_tracepoint("syscalls:sys_enter_getpgid", fn_name="count")
    return lambda: module.detach_tracepoint("syscalls:sys_enter_getpgid")


def _raw_tracepoint(module: Any, symbol: str) -> Callable[[], None]:
    module.attach_raw_tracepoint("sys_enter", fn_name="count")
    return lambda: module.detach_raw_tracepoint("sys_enter")


def _kprobe(module: Any, symbol: str) -> Callable[[], None]:
    module.attach_kprobe(event=symbol, fn_name="count")
    return lambda: module.detach_kprobe(event=symbol)


def _kretprobe(module: Any, symbol: str) -> Callable[[], None]:
    module.attach_kretprobe(event=symbol, fn_name="count")
    return lambda: module.detach_kretprobe(event=symbol)


def _uprobe(module: Any, symbol: str) -> Callable[[], None]:
    module.attach_uprobe(name="c", sym="getpgid", fn_name="count")
    return lambda: module.detach_uprobe(name="c", sym="getpgid")


KINDS = (
    Kind(
        "tracepoint",
        "tracepoint/syscalls/sys_enter_getpgid",
        "tracepoint:syscalls:sys_enter_getpgid",
        _tracepoint,
    ),
    Kind("raw_tracepoint", "raw_tp/sys_enter", "rawtracepoint:sys_enter", _raw_tracepoint),
    Kind("kprobe", "kprobe/{symbol}", "kprobe:{symbol}", _kprobe),
    Kind("kprobe", "kretprobe/{symbol}", "kretprobe:{symbol}", _kretprobe),
    Kind("uprobe", "uprobe/{libc}:getpgid", "uprobe:{libc}:getpgid", _uprobe),
)

_LIBBPF = """
struct {{
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, u32); __type(value, u64);
}} counts SEC(".maps");
SEC("{section}")
int count(void *ctx)
{{
    u32 key = 0;
    u64 *value = bpf_map_lookup_elem(&counts, &key);
    if (value)
        ++*value;
    return 0;
}}
"""
_BCC = """
BPF_PERCPU_ARRAY(counts, u64, 1);
int count(void *ctx)
{
    int key = 0;
    u64 *value = counts.lookup(&key);
    if (value)
        ++*value;
    return 0;
}
"""


def probes(effort: Effort) -> Iterator[Result]:
    """A program that counts, by each kind of probe that this kernel has."""
    number = effort.of(_CALLS, 1000)
    bcc = bare_bcc()
    for kind in KINDS:
        feature = probe(kind.needs)
        if feature.answer is not Answer.YES:
            continue
        symbol = resolve(Probe.parse("kprobe:sys_getpgid")).symbol if kind.needs == "kprobe" else ""
        names = {"symbol": symbol, "libc": find("libc")}
        text = _LIBBPF.format(section=kind.ours.format(**names))
        watchers: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "the lab": lambda text=text: ebpf_lab.trace(text),
            "bcc": lambda kind=kind, symbol=symbol: _bcc(bcc, kind, symbol),
            "bpftrace": lambda kind=kind, names=names: _bpftrace(kind.bpftrace.format(**names)),
        }
        notes = []
        try:
            with watchers["bpftrace"]():
                pass
        except CannotRun as error:
            notes.append(f"{error}.")
            del watchers["bpftrace"]
        sides = {"untraced": contextlib.nullcontext, **watchers}
        found = alternate(
            {name: lambda watch=watch: _call(watch, number) for name, watch in sides.items()},
            effort.rounds,
            warm=False,
        )
        alone = found.pop("untraced")
        added = tuple(
            Series(name, tuple(a - b for a, b in zip(each.values, alone.values, strict=True)))
            for name, each in found.items()
        )
        yield Result(
            "probes",
            f"Time that a probe adds to a call: {kind.bpftrace.partition(':')[0]}",
            "ns of processor time",
            added,
            False,
            notes=(f"Untraced, the call takes {alone.median:.0f} ns.", _COUNTED, *notes),
        )


def _call(watch: Callable[[], AbstractContextManager[object]], number: int) -> float:
    with watch():
        command = [native.compiled("calls"), str(number), "0", str(cpus()[1])]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@contextlib.contextmanager
def _bcc(bcc: ModuleType, kind: Kind, symbol: str) -> Iterator[None]:
    module = bcc.BPF(text=_BCC, cflags=["-w"])
    try:
        detach = kind.attach(module, symbol)
        yield
        detach()
    finally:
        module.cleanup()


@contextlib.contextmanager
def _bpftrace(place: str) -> Iterator[None]:
    with bpftrace(f"{place} {{ @ = count(); }}"):
        yield


COMMANDS = {
    "find": ["find", "/usr/include", "-name", "*.h"],
    "dd": ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20011"],
}


def strace(effort: Effort) -> Iterator[Result]:
    """All system calls of a command, with their arguments in words: the lab's strace against strace."""
    for name, command in COMMANDS.items():
        lab = _Lab(command)
        sides = {
            "alone": lambda command=command: _run(command),
            "the lab": lab,
            "strace -f": lambda command=command: _run(["strace", "-f", "-o", os.devnull, *command]),
        }
        found = alternate(sides, effort.rounds)
        alone = found.pop("alone")
        added = tuple(
            Series(
                side,
                tuple((a - b) / lab.calls * 1e6 for a, b in zip(each.values, alone.values, strict=True)),
            )
            for side, each in found.items()
        )
        times = ", ".join(
            f"{side} {statistics.median(each.values) / alone.median:.1f}" for side, each in found.items()
        )
        yield Result(
            "strace",
            f"Time that tracing every system call adds to each: {name}",
            "µs",
            added,
            False,
            (Goal("calls lost", lab.lost, 0, "calls", least=False),),
            notes=(f"{lab.calls:,} calls in {alone.median:.3f} s alone; times as long: {times}.",),
        )


class _Lab:
    """Runs a command under the lab's ``syscall_trace``."""

    def __init__(self, command: Sequence[str]) -> None:
        self._text = snippets.load("syscall_trace.libbpf").text
        self._command = command
        self.calls = 0
        self.lost = 0

    def __call__(self) -> float:
        """Seconds from the command's first call to its last, as the kernel saw them."""
        trace = ebpf_lab.trace(self._text, command=self._command, output=lambda chunk: None)
        self.calls = len(trace.frame)
        self.lost += sum(stream.dropped + stream.not_kept for stream in trace.stats.streams.values())
        return float((trace.frame["ts"].max() - trace.frame["ts"].min()).total_seconds())


def _run(command: Sequence[str]) -> float:
    return wall_seconds(
        lambda: subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
    )
