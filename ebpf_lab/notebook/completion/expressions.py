"""The type of an expression in a cell that is still being typed: what may stand behind ``task->``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ebpf_lab.errors import LabError
from ebpf_lab.host import kernel_names, tracefs
from ebpf_lab.notebook import reference
from ebpf_lab.source.lexer import Scan, Token, scan
from ebpf_lab.source.maps import bcc_maps, libbpf_maps
from ebpf_lab.source.scope import Code, Place
from ebpf_lab.source.tree import child, parse, text, walk
from ebpf_lab.source.typename import TypeName, members, named

_CLOSING = {"(": ")", "[": "]", "{": ";}"}
_ANSWER = "lab_answer_"


@dataclass
class _Typed(Code):
    """The text's code, in which the kernel's own types have members, too."""

    def type_of(self, place: Place, depth: int = 0) -> TypeName | None:
        node = place.node
        if node.type == "field_expression":
            owner = self._field(place, "argument", depth)
            return None if owner is None else self.members_of(owner).get(text(child(node, "field")))
        if node.type == "call_expression":
            return super().type_of(place, depth) or _returned(text(child(node, "function")))
        return super().type_of(place, depth)

    def members_of(self, made: TypeName) -> Mapping[str, TypeName]:
        """Members of a struct, or of what a pointer points to."""
        return members(self.root, made.base, self.macros) or kernel_names.members(made.base)


def members_at(before: str, expression: str) -> Mapping[str, TypeName]:
    """The members of what an expression is, or points to, with their types.

    Parameters
    ----------
    before : str
        The C in front of the expression, which may be as unfinished as it is while one types.
    expression : str
    """
    found, made, code = _type(before, expression)
    if made is not None:
        inside = code.members_of(made)
        if inside:
            return inside
    # A context of which the text says no type, or one that this kernel does not have.
    record = _tracepoint(found, expression)
    return _recorded(record) if record else {}


def type_of(before: str, expression: str) -> TypeName | None:
    """The type of an expression, None where the text does not say."""
    return _type(before, expression)[1]


def _type(before: str, expression: str) -> tuple[Scan, TypeName | None, _Typed]:
    # The expression becomes an argument of a call, which may stand wherever it may, and everything that is
    # open is closed: so there is a tree, whatever follows.
    opened = _open(scan(before).tokens)
    closed = "".join(_CLOSING[bracket] for bracket in reversed(opened))
    found = scan(f"{before} {_ANSWER}({expression}) {closed}")
    maps = [*bcc_maps(found), *libbpf_maps(found)]
    root = parse(found, [(each.start, each.end) for each in maps])
    code = _Typed(root, found.macros, {each.decl.name: each.value for each in maps})
    for node in walk(root):
        if node.type == "call_expression" and text(child(node, "function")) == _ANSWER:
            inside = child(node, "arguments")
            if inside is not None and inside.named_children:
                return found, code.type_of(Place(inside.named_children[0])), code
    return found, None, code


def _open(tokens: Sequence[Token]) -> list[str]:
    opened: list[str] = []
    for token in tokens:
        if token.kind == "punctuation" and token.text in _CLOSING:
            opened.append(token.text)
        elif token.kind == "punctuation" and token.text in ")]}" and opened:
            opened.pop()
    return opened


def _returned(function: str) -> TypeName | None:
    """What a helper or kfunc returns."""
    helper = reference.helper(function)
    declared = helper.signature if helper is not None else ""
    if not declared and function in kernel_names.kfuncs():
        declared = kernel_names.signature(function)
    return named(declared.partition(f"{function}(")[0]) if declared else None


def _tracepoint(found: Scan, expression: str) -> str:
    """The tracepoint whose record this variable is, as CATEGORY:EVENT; "" when it is none."""
    if expression.strip() not in ("args", "ctx"):
        return ""
    if expression.strip() == "args":
        calls = list(found.calls({"TRACEPOINT_PROBE"}))
        return ":".join(found.arguments(*calls[-1])[:2]) if calls else ""
    sections = list(found.calls({"SEC"}))
    parts = found.arguments(*sections[-1])[0].strip('"').removeprefix("?").split("/") if sections else []
    return ":".join(parts[1:3]) if parts[:1] in (["tp"], ["tracepoint"]) and len(parts) == 3 else ""


def _recorded(tracepoint: str) -> dict[str, TypeName]:
    """What a tracepoint records, by the names that bcc gives it."""
    group, _, name = tracepoint.partition(":")
    try:
        fields = tracefs.fields(group, name)
    except (LabError, OSError):
        return {}
    found = {}
    for made, field in fields:
        if made.startswith("__data_loc"):
            found[f"data_loc_{field}"] = named("int")
        else:
            found[field] = named(made)
    return found
