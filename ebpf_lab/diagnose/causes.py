"""Causes in plain words for what compilers and the kernel say most often.

A hint stands here only where a recorded log in ``tests/data`` proves that it mends the error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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

_DEFINED_TWICE = re.compile(r"(?:typedef )?redefinition of|conflicting types for")

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
        r"too many args to",
        Cause(
            "a helper takes five arguments; the format of bpf_trace_printk is two, which leaves three values"
        ),
    ),
    (
        r"[Uu]nsupport(?:ed)? signed division",
        Cause("BPF divides only unsigned numbers", "make both sides unsigned, as in (u64)a / (u64)b"),
    ),
    (
        r"^license changed binding to STB_GLOBAL",
        Cause(
            "a variable cannot have the name of the section that it is in",
            'char LICENSE[] SEC("license") = "GPL";',
        ),
    ),
    (
        # The last is bcc's, of a function that is only declared.
        r"implicit(?:ly declaring| declaration of).* function|call to undeclared"
        r"|cannot call non-static helper",
        Cause("a BPF program can call only BPF helpers and functions of its own text; there is no C library"),
    ),
)


def of_compile_error(
    message: str, lines: Iterable[str], *, earlier: Iterable[str] = (), taken_for_libbpf: str = ""
) -> Cause:
    """The cause of a compiler error.

    Parameters
    ----------
    message : str
        The first error.
    lines : iterable of str
        The source lines that errors mark.
    earlier : iterable of str
        Files that hold what the first error contradicts.
    taken_for_libbpf : str
        Why the text was taken for the libbpf dialect, "" if it was not.
    """
    if taken_for_libbpf:
        for line in lines:
            if word := _BCC_WORDS.search(line):
                return Cause(f"{word[1]} is bcc's; this text was taken for libbpf because {taken_for_libbpf}")
    if _DEFINED_TWICE.match(message) and any(file.endswith("/vmlinux.h") for file in earlier):
        return Cause(
            "vmlinux.h, which has every type of this kernel, has one of this name too",
            "give yours another name",
        )
    for pattern, cause in _COMPILER:
        if re.search(pattern, message):
            return cause
    return Cause()
