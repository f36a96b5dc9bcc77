"""The verifier's most common rules in plain words.

A fix stands here only where a recorded log in ``tests/data/verifier`` proves that it mends the error.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ebpf_lab.diagnose.causes import Cause

_MAYBE_NULL = (
    r"bpf_(?:map_lookup_elem|map_lookup_percpu_elem|ringbuf_reserve|\w+_storage_get)"
    r"|\w+\.(?:lookup|lookup_or_try_init|ringbuf_reserve)"  # bcc
)


def _null(text: str, line: str) -> Cause:
    pattern = rf"(\w+)\s*=\s*(?:\([^()]*\)\s*)?({_MAYBE_NULL})\s*\("
    for variable, helper in re.findall(pattern, text):
        if re.search(rf"\b{variable}\b", line):
            return Cause(
                f"{helper} can return NULL, and this path never checked", f"if (!{variable}) return 0;"
            )
    return Cause("this pointer can be NULL, and this path never checked")


def _say(why: str, hint: str = "") -> Callable[[str, str], Cause]:
    return lambda text, line: Cause(why, hint)


_BOUND = "the index or size can be larger than the memory: compare it with the size first"

_RULES: tuple[tuple[str, Callable[[str, str], Cause]], ...] = (
    (r"_or_null\b|possibly NULL pointer", _null),
    (
        r"invalid mem access '(?:scalar|inv)'",
        _say(
            "this is a number to the verifier, not an address it knows: memory of the kernel and of processes"
            " must be copied before it is read",
            "bpf_probe_read_user() copies from a process, BPF_CORE_READ() from the kernel",
        ),
    ),
    (
        r"invalid access to map value|value is outside of the allowed memory range",
        _say(
            f"{_BOUND}; indices count from 0",
        ),
    ),
    (r"math between \w+ pointer and register with unbounded", _say(_BOUND)),
    (
        r"min value is negative",
        _say(
            "a size can be negative or huge here: nothing has bounded it",
            "make it unsigned and compare it with the size of the memory first",
        ),
    ),
    (r"unbounded memory access", _say(_BOUND)),
    (
        r"invalid (?:variable-offset |indirect |unbounded )?(?:write|read|access)\w* (?:to|from|of) stack",
        _say(
            "this reaches beyond the variable on the stack, or reads what was never written",
        ),
    ),
    (
        r"infinite loop detected|back-edge",
        _say(
            "the verifier follows every path to its end, and this loop has none",
        ),
    ),
    (
        r"program is too large|sequence of \d+ jumps is too complex",
        _say(
            "the verifier walks through each turn of a loop, and gives up after a million instructions",
            "give the loop a small constant bound, or use bpf_loop()",
        ),
    ),
    (
        r"Unreleased reference",
        _say(
            "what was reserved or acquired must be given back on every path to the end",
            "bpf_ringbuf_submit() or bpf_ringbuf_discard() before each return",
        ),
    ),
    (
        # Linux 6.1 knows no such helper for programs that may not sleep.
        r"in a? ?non-sleepable prog|(?:cannot use helper|unknown func) bpf_copy_from_user",
        _say(
            "this helper may wait, for instance for the disk: only a sleepable program may call it",
            'a sleepable section, such as SEC("uprobe.s")',
        ),
    ),
    (
        r"program of this type cannot use helper|unknown func ",
        _say(
            "which helpers exist depends on what the program is attached to, and on the kernel",
        ),
    ),
    (r"R0 !read_ok", _say("the program ends without a return value")),
    (r"R\d+ !read_ok", _say("a variable is read that was never given a value")),
    (
        r"invalid bpf_context access",
        _say(
            "this is not a field of the context that this kind of program gets, or it may not be written",
        ),
    ),
    (
        r"GPL-restricted|GPL.compatible",
        _say(
            "this helper is only for programs under a GPL-compatible licence",
            'char LICENSE[] SEC("license") = "GPL";',
        ),
    ),
    (
        r"failed to resolve CO-RE relocation",
        _say(
            "this kernel's struct has no such field: it was renamed, moved, or is not built in",
        ),
    ),
    (r"only read is supported", _say("a program may read the kernel's structs, and write none of them")),
    (r"unreachable insn", _say("no path leads to this instruction")),
)


def of_rejection(error: str, text: str, line: str) -> Cause:
    """The cause of the verifier's ``error``.

    Parameters
    ----------
    error : str
        The kernel's words.
    text : str
        The learner's C text.
    line : str
        The line that it is about, "" when unknown.
    """
    for pattern, cause in _RULES:
        if re.search(pattern, error):
            return cause(text, line)
    return Cause()
