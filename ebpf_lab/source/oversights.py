"""What compiles and loads, and cannot be meant: found in the text, because nobody else would say a word.

The kernel's ``bpf_trace_printk`` returns an error that no program looks at; a function without ``SEC`` is
code that never runs; the context of another kind of program holds other data under the same names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tree_sitter import Node

from ebpf_lab.errors import CompileError, Mark
from ebpf_lab.source.lexer import Scan, Token, scan
from ebpf_lab.source.maps import libbpf_maps
from ebpf_lab.source.probe import ProbeKind
from ebpf_lab.source.programs import Function, functions
from ebpf_lab.source.scope import parameters
from ebpf_lab.source.spec import Dialect, Program, ProgramSpec
from ebpf_lab.source.tree import child, parse
from ebpf_lab.source.typename import declared

# What the kernel takes (bpf_bprintf_prepare in kernel/trace/bpf_trace.c): after flags and a width, one of
# these.  Precision, h, z, f, o and the like make it return EINVAL.
_CONVERSION = re.compile(
    r"%(?:%|(?P<whole>[-+ 0#]*\d*(?:(?:l|ll)?[diuxX]|[sc]|p(?:[KxsSB](?!\w)|[iI][46]|[ku]s)?)))"
)
_ANY_CONVERSION = re.compile(r"%(?:%|[-+ 0#]*[\d.*]*(?:hh?|ll?|[zjtLq])?[a-zA-Z]?)")

_PROBES: frozenset[ProbeKind] = frozenset(
    {"kprobe", "kretprobe", "ksyscall", "kretsyscall", "uprobe", "uretprobe", "usdt"}
)
_KINDS: dict[str, frozenset[ProbeKind]] = {
    # Samples begin with the registers.
    "struct pt_regs": _PROBES | {"profile"},
    "struct bpf_raw_tracepoint_args": frozenset({"rawtracepoint"}),
    "struct bpf_perf_event_data": frozenset({"profile"}),
    "struct xdp_md": frozenset({"xdp"}),
}
_RECORD = "struct trace_event_raw_"
_CONTEXTS: dict[ProbeKind, str] = {
    **dict.fromkeys(_PROBES, "struct pt_regs"),
    "rawtracepoint": "struct bpf_raw_tracepoint_args",
    "profile": "struct bpf_perf_event_data",
    "xdp": "struct xdp_md",
}
_SECTIONS = {
    "struct pt_regs": "kprobe/do_unlinkat",
    "struct bpf_raw_tracepoint_args": "raw_tp/sched_switch",
    "struct bpf_perf_event_data": "perf_event",
    "struct xdp_md": "xdp",
    f"{_RECORD}sys_enter": "tracepoint/syscalls/sys_enter_openat",
    f"{_RECORD}sys_exit": "tracepoint/syscalls/sys_exit_openat",
}
"""An example of a section for each type of context."""


def check(spec: ProgramSpec) -> None:
    """Refuse a text that compiles and cannot do what it says.

    Raises
    ------
    CompileError
    """
    found = scan(spec.text, spec.settings)
    if not found.balanced:
        return
    for error in _oversights(spec, found):
        raise error


def section_for(context: str) -> str:
    """An example of a section for programs that are called with this ("struct pt_regs"), "" for none."""
    if context.startswith(_RECORD) and context not in _SECTIONS:
        return f"tracepoint/…/{context.removeprefix(_RECORD)}"
    return _SECTIONS.get(context, "")


def context_of(function: Function) -> str:
    """The type that a function's only parameter points to ("struct pt_regs"), "" where it has another."""
    given = parameters(function.node)
    if len(given) != 1:
        return ""
    name, made = declared(child(given[0], "type"), child(given[0], "declarator"), {})
    if not made.is_pointer:
        return ""
    known = section_for(made.base) or made.base == "struct __sk_buff"
    return made.base if known or name == "ctx" else ""


def _oversights(spec: ProgramSpec, found: Scan) -> Iterator[CompileError]:
    lines = spec.text.split("\n")
    yield from _printk(found, lines, "bpf_trace_printk" if spec.dialect is Dialect.BCC else "bpf_printk")
    if spec.dialect is Dialect.BCC:
        return
    maps = libbpf_maps(found)
    yield from _maps(found, lines)
    defined = functions(found, parse(found, [(each.start, each.end) for each in maps]))
    programs = {program.function: program for program in spec.programs}
    mentions = Counter(token.text for token in found.tokens if token.kind == "name")
    for function in defined:
        context = context_of(function)
        if function.name in programs:
            yield from _contexts(programs[function.name], function, context, found, lines)
        elif context and not function.static and mentions[function.name] == 1:
            section = section_for(context)
            yield CompileError(
                f"{function.name} looks like a BPF program, and would never run",
                where=(_mark(lines, found, function.start),),
                why="there is no SEC(…) before it that says where it runs",
                hint=f'SEC("{section}")' if section else "",
            )


def _mark(lines: list[str], found: Scan, start: int, length: int = 0, note: str = "") -> Mark:
    """Mark ``length`` bytes from ``start``, or the whole line."""
    number = found.line(start)
    text = lines[number - 1].rstrip("\r")
    if not length:
        return Mark(number, text, note=note)
    begin = found.source.rfind("\n", 0, start) + 1
    before = found.source[begin:start].encode("latin-1").decode("utf-8", "replace")
    marked = found.source[start : start + length].encode("latin-1").decode("utf-8", "replace")
    return Mark(number, text, len(before) + 1, len(marked), note)


# printk


def _printk(found: Scan, lines: list[str], name: str) -> Iterator[CompileError]:
    for first, last in found.calls({name}):
        formats = [token for token in _leading(found, first + 2, last)]
        values = _values(found, first, last, len(formats))
        if not formats or values is None:
            continue
        text = "".join(token.text[1:-1] for token in formats)
        yield from _format(name, text, formats[0], found, lines)
        wanted = [match for match in _CONVERSION.finditer(text) if match["whole"]]
        if len(wanted) != values:
            yield CompileError(
                f"{name}: the format asks for {_number(len(wanted))}, and the call has {_number(values)}",
                where=(_mark(lines, found, formats[0].start, len(formats[0].text)),),
                why="each % takes one value, in order"
                + ("; a missing one prints as garbage" if len(wanted) > values else ""),
            )


def _leading(found: Scan, start: int, last: int) -> Iterator[Token]:
    """The string literals that a call's first argument is made of."""
    for token in found.tokens[start:last]:
        if token.kind != "string":
            return
        yield token


def _values(found: Scan, first: int, last: int, formats: int) -> int | None:
    """How many values follow the format; None where a macro could hide some, or bcc's size stands there."""
    behind = found.tokens[first + 2 + formats : last]
    if not behind:
        return 0
    if behind[0].text != "," or any(token.text in ("__VA_ARGS__", "#") for token in behind):
        return None
    return len(found.arguments(first, last)) - 1


def _format(name: str, text: str, token: Token, found: Scan, lines: list[str]) -> Iterator[CompileError]:
    for match in _ANY_CONVERSION.finditer(text):
        if _CONVERSION.match(text, match.start()):
            continue
        at = found.source.find(match[0], token.start, token.end)
        place = (at, len(match[0])) if at >= 0 else (token.start, len(token.text))
        kind = match[0][-1]
        why = "the kernel prints nothing at all for a format that it does not know"
        hint = "it knows %d %u %x %ld %lu %lx %lld %llu %llx %c %s and %p"
        if kind in "feg":
            why = f"BPF has no floating-point numbers; {why}"
        yield CompileError(
            f"{name}: the kernel does not know {match[0]}",
            where=(_mark(lines, found, *place),),
            why=why,
            hint=hint,
        )


def _number(count: int) -> str:
    return "1 value" if count == 1 else f"{count or 'no'} values"


# Maps and contexts


def _maps(found: Scan, lines: list[str]) -> Iterator[CompileError]:
    """Structures of ``__uint(type, …)`` that no ``SEC(".maps")`` makes maps."""
    for first, _ in found.calls({"__uint"}):
        tokens = found.tokens
        if tokens[first + 2].text != "type" or first < 2 or tokens[first - 1].text != "{":
            continue
        end = found.closing(first - 1)
        if tokens[first - 2].text != "struct" or end + 2 >= len(tokens) or tokens[end + 1].kind != "name":
            continue
        if tokens[end + 2].text == ";":
            name = tokens[end + 1].text
            yield CompileError(
                f"{name} has the form of a map, and is none",
                where=(_mark(lines, found, tokens[end + 1].start, len(name)),),
                why='only what is in SEC(".maps") becomes a map',
                hint=f'}} {name} SEC(".maps");',
            )


def _contexts(
    program: Program, function: Function, context: str, found: Scan, lines: list[str]
) -> Iterator[CompileError]:
    probe = program.probe
    if probe is None or not context:
        return
    record = context.removeprefix(_RECORD) if context.startswith(_RECORD) else ""
    wrong = context in _KINDS and probe.kind not in _KINDS[context]
    wrong |= bool(record) and probe.kind in _CONTEXTS
    # All system calls share two records.
    call = re.match(r"sys_(enter|exit)_", probe.name) if probe.kind == "tracepoint" else None
    if call and record in ("sys_enter", "sys_exit"):
        wrong |= record != f"sys_{call[1]}"
    if not wrong:
        return
    right = f"{_RECORD}sys_{call[1]}" if call else _CONTEXTS.get(probe.kind, "")
    parameter = parameters(function.node)[0]
    start = parameter.start_byte
    yield CompileError(
        f"{program.function}: a {probe.kind} program is not called with a {context}",
        where=(_mark(lines, found, start, len(context)),),
        why="what it reads there is something else than its names say",
        hint=f"{right} *{_name(parameter)}" if right else "",
    )


def _name(parameter: Node) -> str:
    return declared(child(parameter, "type"), child(parameter, "declarator"), {})[0] or "ctx"
