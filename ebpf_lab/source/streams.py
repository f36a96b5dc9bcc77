"""Where a text's events come out, and of which types they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from ebpf_lab.source.lexer import Macro, Scan, macros_using, scan
from ebpf_lab.source.payload import Untold, payload
from ebpf_lab.source.scope import Code, Place, arguments
from ebpf_lab.source.spec import MapDecl, Stream, StreamKind
from ebpf_lab.source.tree import child, parse_statement, text, walk
from ebpf_lab.source.typename import TypeName

PRINTK = "printk"
"""Name of the stream of ``bpf_printk``."""

STREAM_KINDS: Mapping[str, StreamKind] = {"ringbuf": "ringbuf", "perf_event_array": "perfbuf"}
"""The kinds of map that events come out of, and of stream they are."""


@dataclass(frozen=True, slots=True)
class _Form:
    """Which arguments of a submitting call are the stream, the event and its size; None is not among them."""

    stream: int | None
    data: int | None
    size: int | None


_FUNCTIONS = {
    "bpf_ringbuf_reserve": _Form(0, None, 1),
    "bpf_ringbuf_reserve_dynptr": _Form(0, None, 1),
    "bpf_ringbuf_output": _Form(0, 1, 2),
    "bpf_perf_event_output": _Form(1, 3, 4),
}
_METHODS = {
    "perf_submit": _Form(None, 1, 2),
    "perf_submit_skb": _Form(None, 2, 3),
    "ringbuf_reserve": _Form(None, None, 0),
    "ringbuf_output": _Form(None, 0, 1),
    "ringbuf_submit": _Form(None, 0, None),
}
_SUBMITS = frozenset({*_FUNCTIONS, *_METHODS})
_PRINTS = frozenset({"bpf_printk", "bpf_trace_printk", "bpf_trace_vprintk", "__bpf_printk", "__bpf_vprintk"})
# Macros that use each other can stand for more text than there is time for.
_MOST_EXPANSIONS = 500
_NAMED = re.compile(r"(?:struct |union |enum )?[A-Za-z_]\w*(?: \w+)*", re.ASCII)


def find_streams(found: Scan, code: Code, maps: Sequence[MapDecl]) -> tuple[Stream, ...]:
    """The streams of a text, in source order, and ``bpf_printk``'s last.

    Parameters
    ----------
    found : Scan
    code : Code
    maps : sequence of MapDecl
        The maps that events come out of.
    """
    sent: dict[str, list[TypeName]] = {decl.name: [] for decl in maps}
    untold: dict[str, str] = {}
    for call in _Calls(code).below(Place(code.root)):
        form, name = _form(call.node)
        if form is None or name not in sent:
            continue
        line = found.line((call.used_at[-1] if call.used_at else call.node).start_byte)
        try:
            made = _sent(code, call, form)
            _check(made)
        except Untold as why:
            untold.setdefault(name, f"line {line}: {why}")
        else:
            if made not in sent[name]:
                sent[name].append(made)
    streams = [_stream(decl, sent[decl.name], untold.get(decl.name, "")) for decl in maps]
    prints = _first_print(found)
    if prints:
        streams.append(Stream(PRINTK, "printk", line=prints))
    return tuple(streams)


def _stream(decl: MapDecl, types: Sequence[TypeName], untold: str) -> Stream:
    why = "" if types else untold or f"nothing in this text was seen to submit to {decl.name}"
    return Stream(
        decl.name,
        STREAM_KINDS[decl.kind],
        tuple(struct_name(made) for made in types),
        why,
        decl.line,
        tuple(str(made) for made in types),
    )


def struct_name(made: TypeName) -> str:
    """The name that a type goes by where its ``struct`` or ``union`` is left out."""
    return re.sub(r"^(?:struct|union|enum) ", "", str(made))


def _check(made: TypeName) -> None:
    """Refuse what no backend can find again by its name."""
    if not made.base:
        raise Untold("the struct sent has no name: give it one (struct event { … })")
    if not _NAMED.fullmatch(made.base) or made.base in ("auto", "__auto_type"):
        raise Untold(f"its type is {made.base}")
    if "[]" in made.layers:
        raise Untold(f"how long the {made.base} array is, is no plain number")
    if made.layers and " " in made.base and made.base.startswith(("struct ", "union ")):
        raise Untold(f"it is an array of {made.base}, or a pointer to one")


class _Calls:
    """The calls in a text, those included that its macros make."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._submitting = macros_using(code.macros, _SUBMITS)
        self._expansions = 0

    def below(self, place: Place, within: frozenset[str] = frozenset()) -> Iterator[Place]:
        """The calls below a place, which is in the expansion of the macros ``within``."""
        for node in walk(place.node):
            if node.type == "call_expression":
                yield place.at(node)
                name, given = text(child(node, "function")), [text(argument) for argument in arguments(node)]
            elif node.type == "identifier":
                name, given = text(node), None
            else:
                continue
            # As in C, a macro's name within its own expansion is left alone.
            if name not in self._submitting or name in within or self._expansions >= _MOST_EXPANSIONS:
                continue
            macro = self._code.macros[name]
            if (macro.params is None) == (given is None):
                self._expansions += 1
                expansion = parse_statement(_expand(macro, given or []))
                yield from self.below(Place(expansion, (node, *place.used_at)), within | {name})


def _expand(macro: Macro, given: Sequence[str]) -> str:
    names = macro.params or ()
    values = dict(zip(names, given, strict=False))
    if names and names[-1] == "...":
        values["__VA_ARGS__"] = ", ".join(given[len(names) - 1 :])
    tokens = scan(macro.body).tokens
    return " ".join(values.get(token.text, token.text) for token in tokens)


def _form(call: Node) -> tuple[_Form | None, str]:
    """How a call submits, and the name of the map that it submits to."""
    function = child(call, "function")
    method = text(child(function, "field"))
    if method in _METHODS:
        return _METHODS[method], text(child(function, "argument"))
    form = _FUNCTIONS.get(text(function))
    given = arguments(call)
    if form is None or form.stream is None or form.stream >= len(given):
        return None, ""
    return form, text(given[form.stream]).strip("&() ")


def _sent(code: Code, call: Place, form: _Form) -> TypeName:
    given = arguments(call.node)
    size = call.at(given[form.size]) if form.size is not None and form.size < len(given) else None
    if form.data is not None:
        if form.data >= len(given):
            raise Untold("the call has too few arguments")
        return payload(code, call.at(given[form.data]), size)
    return payload(code, _assigned(call), size)


def _assigned(call: Place) -> Place | None:
    """What a reserving call's result is assigned to."""
    node = call.node.parent
    while node is not None and node.type in ("cast_expression", "parenthesized_expression"):
        node = node.parent
    if node is not None and node.type == "init_declarator":
        return call.at(_identifier(node))
    target = child(node, "left") if node is not None and node.type == "assignment_expression" else None
    return call.at(target) if target is not None else None


def _identifier(declarator: Node) -> Node:
    return next((node for node in walk(declarator) if node.type == "identifier"), declarator)


def _first_print(found: Scan) -> int:
    """The line of the first call that prints, 0 for none."""
    names = _PRINTS | macros_using(found.macros, _PRINTS)
    bare = {name for name in names if name in found.macros and found.macros[name].params is None}
    for token, behind in zip(found.tokens, [*found.tokens[1:], None], strict=True):
        if token.text in bare or (token.text in names and behind is not None and behind.text == "("):
            return found.line(token.start)
    return 0
