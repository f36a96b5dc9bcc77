"""The verifier's rules: which one a message is about, and what it asks for in plain words.

A fix stands here only where a recorded log in ``tests/data/verifier`` proves that it mends the error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the verifier.

    Attributes
    ----------
    name : str
        Its name, as tests and ``VerifierRejected.rule`` have it.
    pattern : str
        What the kernels say when it is broken, a regular expression.
    why : str
        The rule in one plain sentence.
    hint : str
        What mends it, where that is the same for every program.
    """

    name: str
    pattern: str
    why: str
    hint: str = ""


_BOUND = "the index or size can be larger than the memory: compare it with the size first"
_STACK = "a BPF program has 512 bytes of stack, and may reach no further"

RULES: tuple[Rule, ...] = (
    Rule(
        "null check",
        r"_or_null\b|[Pp]ossibly NULL pointer",
        "this pointer can be NULL, and this path never checked",
    ),
    Rule(
        "number as address",
        r"invalid mem access '(?:scalar|inv)'",
        "this is a number to the verifier, not an address it knows: memory of the kernel and of processes"
        " must be copied before it is read",
        "bpf_probe_read_user() copies from a process, BPF_CORE_READ() from the kernel",
    ),
    Rule(
        "zero size",
        r"invalid zero-sized read|invalid access to .*\bsize=0\b",
        "this size can be 0, and the helper takes only larger ones",
    ),
    Rule(
        "size bounds",
        r"min value is negative, either use unsigned or 'var",
        "a size can be negative or huge here: nothing has bounded it",
        "make it unsigned and compare it with the size of the memory first",
    ),
    Rule("size bounds", r"unbounded memory access", _BOUND),
    Rule("map value bounds", r"invalid access to map value|math between map_value pointer", _BOUND),
    Rule("stack bounds", r"math between fp pointer", _BOUND),
    Rule(
        "packet bounds",
        r"invalid access to packet|math between pkt\w* pointer",
        "a packet may be read only as far as it was compared with its end",
    ),
    Rule(
        "stack unset",
        r"invalid (?:indirect )?read from stack (?:R\d+ )?off -?\d+\+",
        "this reads bytes of the stack that were never written",
    ),
    Rule(
        "stack bounds",
        r"invalid (?:variable-offset |indirect |unbounded |zero-sized )*(?:write|read|access)\w*"
        r" (?:to|from|of) stack|stack (?:limit|frame) .*exceed",
        f"this reaches beyond the variable: {_STACK}",
    ),
    Rule(
        "memory bounds",
        r"invalid access to memory|outside of the allowed memory range|math between \w+ pointer",
        _BOUND,
    ),
    Rule(
        "map value bounds",
        r"min value is negative, either use unsigned index",
        "the index can be negative here, which is before the beginning of the memory",
    ),
    Rule(
        "variable offset",
        r"variable \w+ access var_off|[Vv]ariable offset|var_off .* disallowed",
        "this memory can be reached only at offsets that are known when the program is loaded",
    ),
    Rule(
        "endless loop",
        r"infinite loop detected|back-edge",
        "the verifier follows every path to its end, and this loop has none",
    ),
    Rule(
        "too many instructions",
        r"program is too large|jumps is too complex",
        "the verifier walks through each turn of a loop, and gives up after a million instructions",
        "give the loop a small constant bound, or use bpf_loop()",
    ),
    Rule(
        "unreleased",
        r"[Uu]nreleased reference|would lead to reference leak",
        "what was reserved or acquired must be given back on every path to the end",
        "bpf_ringbuf_submit() or bpf_ringbuf_discard() before each return",
    ),
    Rule(
        # Linux 6.1 knows no such helper for programs that may not sleep.
        "may sleep",
        r"in a? ?non-sleepable prog|(?:cannot use helper|unknown func) bpf_copy_from_user",
        "this helper may wait, for instance for the disk: only a sleepable program may call it",
        'a sleepable section, such as SEC("uprobe.s")',
    ),
    Rule(
        "spin lock",
        r"cannot use bpf_spin_lock|spin_lock .*(?:not allowed|must|expects)",
        "programs of this kind may not wait for a lock: use __sync_fetch_and_add(), or a per-CPU map",
    ),
    Rule(
        "spin lock",
        r"holding a lock|function calls are not allowed",
        "while a spin lock is held nothing may be called: compute everything before",
    ),
    Rule("spin lock", r"spin_unlock without taking", "this path has not locked what it unlocks"),
    Rule(
        "spin lock",
        r"spin_(?:un)?lock|spin lock",
        "what is locked must be unlocked on every path, and only one lock may be held at a time",
    ),
    Rule(
        "helper not allowed",
        r"program of this type cannot use helper|unknown func |helper call is not allowed"
        r"|calling kernel function .* is not allowed",
        "which helpers exist depends on what the program is attached to, and on the kernel",
    ),
    Rule(
        "unknown function",
        r"invalid func unknown|calling invalid|kernel (?:function|btf_id)|kfunc",
        "this kernel has no such function for BPF programs",
    ),
    Rule(
        "constant argument",
        r"is not a known constant",
        "this argument must be a number that is known when the program is loaded",
    ),
    Rule(
        "trusted pointer",
        r"must be (?:referenced or trusted|a rcu pointer|referenced)",
        "this function takes only addresses that the kernel vouches for: arguments of the program, and what"
        " functions returned, not what was read out of some struct",
    ),
    Rule(
        "struct bounds",
        r"access beyond (?:struct|the end of member)",
        "this reaches beyond the end of one of the kernel's structs",
    ),
    Rule(
        "atomic",
        r"BPF_(?:ATOMIC|XADD) stores into",
        "atomic operations are for maps, the stack and what was reserved",
    ),
    Rule("no return value", r"R0 !read_ok", "the program ends without a return value"),
    Rule("unset variable", r"R\d+ !read_ok", "a variable is read that was never given a value"),
    Rule(
        "moved pointer",
        r"dereference of modified",
        "the context must be used as it came: read from it first, and do not add to its address",
    ),
    Rule(
        "context access",
        r"invalid bpf_context access",
        "this is not a field of the context that this kind of program gets, or it may not be written",
    ),
    Rule(
        "licence",
        r"GPL-restricted|GPL.compatible",
        "this helper is only for programs under a GPL-compatible licence",
        'char LICENSE[] SEC("license") = "GPL";',
    ),
    Rule(
        "relocation",
        r"CO-RE relocation|unrecognized relo",
        "this kernel's struct has no such field: it was renamed, moved, or is not built in",
    ),
    Rule(
        "read-only",
        r"only read is supported",
        "a program may read the kernel's structs, and write none of them",
    ),
    Rule(
        "read-only",
        r"write into map forbidden|cannot write into",
        "this is a constant, or a map that programs may only read",
    ),
    Rule(
        "dead code",
        r"unreachable insn|jump out of range|last insn is not",
        "no path leads to this instruction",
    ),
    Rule("misaligned", r"misaligned", "a number of N bytes must be at an address that N divides"),
    Rule(
        "stack size",
        r"combined stack size|stack depth",
        "a program and the functions that it calls share 512 bytes of stack",
    ),
    Rule(
        "call depth", r"call stack of \d+ frames|frames? is too deep", "functions may call each other 8 deep"
    ),
    Rule(
        "return value",
        r"should have been in|has (?:unknown scalar )?value|invalid return",
        "what a program or a callback of this kind returns tells the kernel what to do: only some numbers"
        " are allowed",
    ),
    Rule(
        "argument type",
        r"type=\S* ?expected=|cannot pass map_type|doesn't point to|arg#?\d+ .*(?:expect|must)"
        r"|expected pointer",
        "this helper takes something else for this argument",
    ),
    Rule(
        "pointer leak",
        r"leaks? addr|leak pointer|pointer comparison prohibited|R0 leaks",
        "the address of something in the kernel would become known outside",
    ),
    Rule(
        "pointer arithmetic",
        r"pointer arithmetic|arithmetic prohibited|pointer operation prohibited",
        "an address may only be added to and subtracted from: with other operators it would be one no more",
    ),
)
"""In the order in which they are asked: the first whose words occur is the one."""


def rule_of(error: str) -> Rule | None:
    """The rule that a message of the verifier is about, None when it is about none of these."""
    return next((rule for rule in RULES if re.search(rule.pattern, error)), None)


def first(name: str) -> Rule:
    """The first rule of a name."""
    return next(rule for rule in RULES if rule.name == name)


def named(name: str, why: str) -> Rule:
    """A rule that no message names, but what led to it."""
    return Rule(name, "", why)
