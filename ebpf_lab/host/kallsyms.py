"""Names of the kernel's functions and tracepoints, as /proc/kallsyms lists them."""

from __future__ import annotations

import re
from pathlib import Path

KALLSYMS = Path("/proc/kallsyms")
_TEXT = re.compile(rb"^\S+ [tTwW] (\S+)", re.MULTILINE)
# Padding before functions, compiler-made bodies and tracepoint plumbing: real symbols that nobody means.
_NOT_MEANT = re.compile(
    rb"__pfx_|__cfi_|__traceiter_|__bpf_trace_|__probestub_|.*\.cold|bpf_prog_|\.L|__SC[KT]__"
)


def read() -> bytes:
    """The whole list, one symbol a line; empty where the kernel gives none."""
    try:
        return KALLSYMS.read_bytes()
    except OSError:
        return b""


def count(function: str) -> int:
    """How many functions of the kernel and its modules have exactly this name."""
    return len(re.findall(rb" [tTwW] " + re.escape(function.encode()) + rb"(?=[\t\n])", read()))


def is_data(name: str) -> bool:
    """Whether the name is a variable of the kernel, where its symbols are listed at all."""
    return re.search(rb" [bBdDrR] " + re.escape(name.encode()) + rb"[\t\n]", read()) is not None


def functions() -> list[bytes]:
    """Names of the functions that one may want to trace; empty where kallsyms cannot be read."""
    return [name for name in _TEXT.findall(read()) if not _NOT_MEANT.match(name)]


def raw_tracepoints() -> list[bytes]:
    """Names of the kernel's tracepoints, those without an entry in tracefs included.

    Each has a function that calls its probes, ``__traceiter_NAME`` (since Linux kernel commit
    d25e37d89dd2 ("tracepoint: Optimize using static_call()") in v5.10).
    """
    return re.findall(rb"^\S+ [tTwW] __traceiter_(\w+)", read(), re.MULTILINE)
