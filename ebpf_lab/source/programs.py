"""Which functions of a text are BPF programs, and where each wants to be attached."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from ebpf_lab.errors import UsageProblem
from ebpf_lab.source.dialect import BCC_FUNCTION_PREFIXES
from ebpf_lab.source.lexer import Scan
from ebpf_lab.source.probe import Probe, from_section
from ebpf_lab.source.scope import parameters
from ebpf_lab.source.spec import Program
from ebpf_lab.source.tree import BCC_FUNCTION_MACROS, child, text, walk
from ebpf_lab.source.typename import declared

_WRAPPERS = frozenset(
    {
        *("BPF_PROG", "BPF_PROG2", "BPF_KPROBE", "BPF_KRETPROBE", "BPF_UPROBE", "BPF_URETPROBE"),
        *("BPF_KSYSCALL", "BPF_KPROBE_SYSCALL", "BPF_USDT"),
    }
)
"""libbpf's macros that take a program's name as their first argument."""

_KINDS = dict(
    zip(
        BCC_FUNCTION_PREFIXES,
        ("kprobe", "kretprobe", "ksyscall", "tracepoint", "rawtracepoint", "fentry", "fexit", "lsm"),
        strict=True,
    )
)
# The functions behind system calls, by the names they have on one architecture or another.
_SYSCALL_FUNCTION = re.compile(
    r"(?:__(?:x64|x32_compat|ia32_compat|arm64|s390x?|riscv)_)?sys_(\w+)", re.ASCII
)
_CONTEXTS = frozenset(
    {
        "void",
        "struct pt_regs",
        "struct bpf_raw_tracepoint_args",
        "struct bpf_perf_event_data",
        "struct xdp_md",
        "struct __sk_buff",
    }
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the text defines, under the name it has after bcc's and libbpf's macros."""

    name: str
    start: int
    static: bool
    node: Node


def functions(found: Scan, root: Node) -> list[Function]:
    """The functions that a text defines, in source order."""
    macros = {found.tokens[first].start: (first, last) for first, last in found.calls(BCC_FUNCTION_MACROS)}
    defined = []
    for node in walk(root):
        if node.type != "function_definition":
            continue
        name = child(node, "declarator")
        while name is not None and name.type != "identifier":
            name = child(name, "declarator")
        if name is None:
            continue
        start, made = name.start_byte, text(name)
        if start - 4 in macros:
            start -= 4
            first, last = macros[start]
            given = found.arguments(first, last)
            prefix = BCC_FUNCTION_MACROS[found.tokens[first].text]
            made = "__".join([prefix, *given[: 2 if prefix == "tracepoint" else 1]])
        elif made in _WRAPPERS:
            made = next(map(text, parameters(node)), made)
        storage = {text(part) for part in node.named_children if part.type == "storage_class_specifier"}
        defined.append(Function(made, start, bool(storage & {"static", "inline"}), node))
    return defined


def libbpf_programs(found: Scan) -> Iterator[Program]:
    """The functions behind ``SEC``, in source order.

    They are found among the tokens, not in the tree: so a program is still known by its name and section
    when the C around it is broken, and the compiler gets to say what is wrong.
    """
    tokens = found.tokens
    for first, last in found.calls({"SEC"}):
        section = "".join(
            token.text.strip('"') for token in tokens[first + 2 : last] if token.kind == "string"
        )
        index = last + 1
        while index < len(tokens) - 1 and tokens[index].text not in (";", "=", "{", "}"):
            token, behind = tokens[index], tokens[index + 1]
            if behind.text != "(" or token.kind != "name":
                index += 1
                continue
            end = found.closing(index + 1)
            if token.text in ("SEC", "__attribute__"):
                index = end + 1
                continue
            name = found.arguments(index, end)[0] if token.text in _WRAPPERS else token.text
            if end + 1 >= len(tokens) or tokens[end + 1].text != ";":
                yield Program(name, found.line(token.start), section, from_section(section))
            break


def bcc_programs(found: Scan, defined: Collection[Function], attached: Collection[str]) -> Iterator[Program]:
    """The functions that bcc would attach, those in ``attached``, and those that seem to be forgotten."""
    mentions = Counter(token.text for token in found.tokens if token.kind == "name")
    for function in defined:
        if function.static:
            continue
        probe = bcc_probe(function.name)
        forgotten = mentions[function.name] < 2 and _takes_context(function.node)
        if probe is not None or function.name in attached or forgotten:
            yield Program(function.name, found.line(function.start), probe=probe)


def bcc_probe(function: str) -> Probe | None:
    """Where bcc attaches a function of this name, None when its name does not say."""
    for prefix, kind in _KINDS.items():
        if not function.startswith(prefix):
            continue
        place = function.removeprefix(prefix)
        if kind == "tracepoint":
            place = place.replace("__", ":", 1)
        elif kind in ("fentry", "fexit"):
            # bcc has put the module's name there since 0.27.
            place = place.removeprefix("vmlinux__")
        elif kind in ("kprobe", "kretprobe"):
            # As bcc does: whatever architecture a system call's function is named for, this one's is meant.
            place = _SYSCALL_FUNCTION.sub(r"sys_\1", place) if _SYSCALL_FUNCTION.fullmatch(place) else place
        with contextlib.suppress(UsageProblem):
            return Probe.parse(f"{kind}:{place}")
    return None


def _takes_context(function: Node) -> bool:
    """The first parameter is what the kernel calls a program with."""
    for parameter in parameters(function)[:1]:
        name, made = declared(child(parameter, "type"), child(parameter, "declarator"), {})
        known = made.base in _CONTEXTS or made.base.startswith("struct tracepoint__") or name == "ctx"
        return known and made.is_pointer
    return False
