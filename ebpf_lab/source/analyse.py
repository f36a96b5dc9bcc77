"""From a C text to what it asks for: dialect, programs with their targets, maps and event streams.

Nothing here compiles anything, and no text is refused for being bad C: what that is, the compiler says
better.  What is refused is a text in which there is nothing to run, and options that do not fit it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tree_sitter import Node

from ebpf_lab.errors import Mark, UsageProblem
from ebpf_lab.source.dialect import recognise
from ebpf_lab.source.lexer import Scan, scan
from ebpf_lab.source.maps import FoundMap, bcc_maps, counters, libbpf_maps
from ebpf_lab.source.oversights import context_of, section_for
from ebpf_lab.source.probe import Probe, section_kind
from ebpf_lab.source.programs import Function, bcc_programs, functions, libbpf_programs
from ebpf_lab.source.scalars import scalar
from ebpf_lab.source.scope import Code
from ebpf_lab.source.spec import Dialect, Program, ProgramSpec, Stream
from ebpf_lab.source.streams import STREAM_KINDS, find_streams, struct_name
from ebpf_lab.source.tree import parse, text, walk
from ebpf_lab.source.typename import named
from ebpf_lab.source.words import did_you_mean, listing

# Probe kinds that one kind of BPF program serves: what is loaded for one of them can be attached to any.
_SAME_PROGRAM = frozenset({"kprobe", "kretprobe", "ksyscall", "kretsyscall", "uprobe", "uretprobe", "usdt"})

_EXAMPLE = {
    Dialect.BCC: "name it for where it belongs (int kprobe__do_unlinkat(void *ctx)), or use --attach",
    Dialect.LIBBPF: 'put SEC("kprobe/do_unlinkat") or the like before the function',
}


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    found: Scan
    root: Node
    defined: list[Function]

    @property
    def broken(self) -> bool:
        """It does not parse, and so there may be more in it than was found."""
        return self.root.has_error or not self.found.balanced

    def mark(self, line: int) -> Mark:
        lines = self.text.split("\n")
        return Mark(line, lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else "")


def analyse(
    text: str,
    *,
    dialect: Dialect | str | None = None,
    attach: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    events: Mapping[str, str] | None = None,
) -> ProgramSpec:
    """Find out what a C text asks for.

    Parameters
    ----------
    text : str
        The C text.
    dialect : Dialect or str, optional
        The dialect it is written in; recognised unless given.
    attach : mapping, optional
        Where to attach functions, by name, in the syntax of :class:`~ebpf_lab.source.probe.Probe`.
    settings : mapping, optional
        Values of the text's variables and macros, by name.
    events : mapping, optional
        The type of a stream's events, by the stream's name ("event", "struct event", "u64", "char[16]").

    Returns
    -------
    ProgramSpec
        ``programs`` is empty only when the text does not parse as C, so that the compiler can say why.

    Raises
    ------
    UsageProblem
        The text holds nothing to run, or an option names something that is not in it.
    """
    attach, settings, events = attach or {}, settings or {}, events or {}
    found = scan(text, settings)
    if not found.tokens:
        raise UsageProblem(
            "there is no C here to run",
            why="the text is empty" if not text.strip() else "there is nothing but comments and directives",
            hint="a cell is C with at least one function that says where it runs",
        )
    chosen, reason = recognise(found, Dialect(dialect) if dialect is not None else None)
    maps = bcc_maps(found) if chosen is Dialect.BCC else libbpf_maps(found)
    root = parse(found, [(each.start, each.end) for each in maps])
    whole = _Text(text, found, root, functions(found, root))
    _check_settings(found, settings)
    return ProgramSpec(
        text,
        chosen,
        reason,
        _programs(whole, chosen, reason, attach),
        _streams(whole, maps, events),
        tuple(each.decl for each in maps),
        dict(settings),
    )


def _programs(whole: _Text, dialect: Dialect, reason: str, attach: Mapping[str, str]) -> tuple[Program, ...]:
    if dialect is Dialect.BCC:
        programs = list(bcc_programs(whole.found, whole.defined, attach))
    else:
        programs = list(libbpf_programs(whole.found))
    lines: dict[str, int] = {}
    for program in programs:
        if program.line == lines.get(program.function):
            raise UsageProblem(
                f"{program.function} is in two sections",
                where=(whole.mark(program.line),),
                why="a program runs in one place, and one SEC(…) says where",
                hint="take one of them away, or write a second program",
            )
        if program.function in lines:
            raise UsageProblem(
                f"two programs are called {program.function}",
                where=(whole.mark(lines[program.function]), whole.mark(program.line)),
                hint="give one of them another name",
            )
        lines[program.function] = program.line
    for function, place in attach.items():
        probe = Probe.parse(place)
        if function in lines:
            at = next(index for index, program in enumerate(programs) if program.function == function)
            programs[at] = _attached(whole, programs[at], probe)
        else:
            programs.append(_missing(whole, dialect, function, probe, lines))
    if not programs and not whole.broken:
        raise _nothing_to_run(whole, dialect, reason)
    return tuple(sorted(programs, key=lambda program: program.line))


def _nothing_to_run(whole: _Text, dialect: Dialect, reason: str) -> UsageProblem:
    plain = [function for function in whole.defined if not function.static]
    names = listing([function.name for function in plain]) if plain else ""
    but = f"and nothing says where {names} should run" if plain else "and has no function"
    hint, where = _EXAMPLE[dialect], tuple[Mark, ...]()
    likely = [(function, context_of(function)) for function in plain]
    for function, context in likely[-1:] if dialect is Dialect.LIBBPF else ():
        where = (whole.mark(whole.found.line(function.start)),)
        if section := section_for(context):
            hint = f'SEC("{section}") in the line before it'
    return UsageProblem(
        "there is no BPF program in this text",
        where=where,
        why=f"it was taken for the {dialect} dialect ({reason}), {but}",
        hint=hint,
    )


def _attached(whole: _Text, program: Program, probe: Probe) -> Program:
    loaded_for = section_kind(program.section)
    if loaded_for is None:
        return replace(program, probe=probe)
    kind, sleepable = loaded_for
    if kind != probe.kind and not {kind, probe.kind} <= _SAME_PROGRAM:
        raise UsageProblem(
            f"{program.function} cannot be attached to {probe}",
            where=(whole.mark(program.line),),
            why=f'SEC("{program.section}") makes it a {kind} program',
            hint=f'put SEC("{_section_for(probe)}") before it',
        )
    return replace(program, probe=replace(probe, sleepable=sleepable))


def _section_for(probe: Probe) -> str:
    names = {"rawtracepoint": "raw_tp", "tracepoint": "tp", "profile": "perf_event"}
    return names.get(probe.kind, probe.kind) + (".s" if probe.sleepable else "")


def _missing(
    whole: _Text, dialect: Dialect, function: str, probe: Probe, programs: Collection[str]
) -> Program:
    """What to make of a function to attach that is no program."""
    same = next((each for each in whole.defined if each.name == function), None)
    if same is not None:
        line = whole.found.line(same.start)
        static = dialect is Dialect.BCC
        raise UsageProblem(
            f"{function} is a function, but no BPF program",
            where=(whole.mark(line),),
            why="it is static, and so bcc makes no program of it"
            if static
            else "there is no SEC(…) before it",
            hint="drop the static" if static else f'put SEC("{_section_for(probe)}") before it',
        )
    mention = next((token for token in whole.found.tokens if token.text == function), None)
    if mention is not None and whole.broken:
        # It may well be there, behind what does not parse.
        return Program(function, whole.found.line(mention.start), probe=probe)
    known = [*programs, *(each.name for each in whole.defined if not each.static)]
    raise UsageProblem(
        f"there is no function {function} to attach",
        why=f"the text has {listing(dict.fromkeys(known))}" if known else "the text has no function",
        hint=did_you_mean(function, known),
    )


def _streams(whole: _Text, maps: Sequence[FoundMap], events: Mapping[str, str]) -> tuple[Stream, ...]:
    values = {each.decl.name: each.value for each in maps}
    counting = counters(whole.found)
    sources = [
        each.decl for each in maps if each.decl.kind in STREAM_KINDS and each.decl.name not in counting
    ]
    code = Code(whole.root, whole.found.macros, values)
    streams = {stream.name: stream for stream in find_streams(whole.found, code, sources)}
    for name, type_text in events.items():
        if name not in streams or streams[name].kind == "printk":
            names = [stream.name for stream in streams.values() if stream.kind != "printk"]
            raise UsageProblem(
                f"there is no stream {name} whose events could be {type_text}",
                why=f"the text's streams are {listing(names)}"
                if names
                else "the text has no stream with types",
                hint=did_you_mean(name, names),
            )
        made = str(named(_with_keyword(whole.root, type_text)))
        streams[name] = replace(
            streams[name], structs=(struct_name(named(made)),), why="", c_types=(made,), given=True
        )
    return tuple(streams.values())


def _with_keyword(root: Node, type_text: str) -> str:
    """A type's name as C wants it: "event" is "struct event" unless it is a typedef or a plain type."""
    words = type_text.split()
    if len(words) != 1 or scalar(type_text) is not None or not type_text.isidentifier():
        return type_text
    for node in walk(root):
        if node.type == "type_definition" and type_text in map(
            text, node.children_by_field_name("declarator")
        ):
            return type_text
        if (
            node.type in ("union_specifier", "enum_specifier")
            and text(node.child_by_field_name("name")) == type_text
        ):
            return f"{node.type.removesuffix('_specifier')} {type_text}"
    return f"struct {type_text}"


def _check_settings(found: Scan, settings: Mapping[str, str]) -> None:
    names = {token.text for token in found.tokens if token.kind == "name"}
    names |= found.directive_words
    for name in settings:
        if name not in names:
            raise UsageProblem(
                f"nothing in the text is called {name}, so setting it would change nothing",
                hint=did_you_mean(name, names) or f"const volatile int {name} = 0; makes it a setting",
            )
