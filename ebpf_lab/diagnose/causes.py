"""Causes in plain words for what compilers and the kernel say most often.

A hint stands here only where a recorded log in ``tests/data`` proves that it mends the error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class Cause(NamedTuple):
    """Why something failed, and what mends it ("" when that is not certain)."""

    why: str = ""
    hint: str = ""


_BCC_WORDS = re.compile(
    r"\b(BPF_(?:PERF_OUTPUT|RINGBUF_OUTPUT|HASH|ARRAY|HISTOGRAM|TABLE|STACK_TRACE|LRU_HASH|LPM_TRIE"
    r"|PERCPU_HASH|PERCPU_ARRAY)|(?:RAW_)?TRACEPOINT_PROBE|KR?FUNC_PROBE|KRETFUNC_PROBE|LSM_PROBE"
    r"|perf_submit|ringbuf_(?:output|reserve|submit)|bpf_trace_printk)\b"
)

_COMPILER: tuple[tuple[str, Cause], ...] = (
    (
        r"BPF stack limit|stack size .* exceeds|stack frame size",
        Cause(
            "a BPF program has 512 bytes of stack for all its local variables",
            "keep large data in the ring buffer record or in a one-element BPF_MAP_TYPE_PERCPU_ARRAY",
        ),
    ),
    (
        r"built-in function '__(?:float|fix|add|sub|mul|div|ext|trunc|eq|ne|lt|le|gt|ge|un)\w*[sdt]f\w*'",
        Cause("BPF has no floating-point numbers", "count in integers, and divide later, in the DataFrame"),
    ),
    (
        r"built-in function 'mem\w+'",
        Cause("BPF has no C library: memset and memcpy work only with a size the compiler knows"),
    ),
    (
        r"[Uu]nsupport(?:ed)? signed division",
        Cause("BPF divides only unsigned numbers", "make both sides unsigned, as in (u64)a / (u64)b"),
    ),
    (
        r"implicit declaration of function|call to undeclared function",
        Cause("a BPF program can call only BPF helpers and functions of its own text; there is no C library"),
    ),
)


def of_compile_error(messages: Sequence[str], lines: Sequence[str], taken_for_libbpf: str = "") -> Cause:
    """The cause of a compiler error.

    Parameters
    ----------
    messages : sequence of str
        All errors, first first.
    lines : sequence of str
        The source lines they mark.
    taken_for_libbpf : str
        Why the text was taken for the libbpf dialect, "" if it was not.
    """
    if taken_for_libbpf:
        for line in lines:
            if word := _BCC_WORDS.search(line):
                return Cause(
                    f"{word[1]} is bcc's; this text was taken for libbpf because {taken_for_libbpf}",
                    "",
                )
    for pattern, cause in _COMPILER:
        if messages and re.search(pattern, messages[0]):
            return cause
    return Cause()
