"""What type of event a submitting call hands over."""

from __future__ import annotations

import contextlib

from ebpf_lab.source.scope import Code, Place, Variable, arguments
from ebpf_lab.source.tree import child, text
from ebpf_lab.source.typename import TypeName, constant, descriptor

# Functions that only pass on what they are given are followed to those who call them, this far.
_DEEPEST = 6
_BYTES = frozenset({"char", "unsigned char", "u8", "__u8"})


class Untold(Exception):
    """The type cannot be told; the message says why, in plain words."""


def payload(code: Code, data: Place | None, size: Place | None) -> TypeName:
    """The type of what is sent.

    Parameters
    ----------
    code : Code
    data : Place or None
        The argument that points to the event; None where it is yet to be written (``reserve``).
    size : Place or None
        The argument that says how many bytes.

    Raises
    ------
    Untold
        The text does not say.
    """
    sized = code.size_of(size) if size is not None else None
    # sizeof of a pointer is 8, whatever it points to: a slip, and not what is meant to be sent.
    if sized is not None and not sized.is_pointer and sized.base != "void":
        return sized
    if data is None:
        raise Untold("its size is given in bytes, and not as sizeof a type")
    pointed = _pointed_at(code, data)
    if size is None or sized is not None:
        return pointed
    length = constant(size.node, code.macros)
    if length is None and (pointed.layers or pointed.base in _BYTES):
        raise Untold(f"its size, {_short(size)}, is known only when the program runs")
    if length is not None and not pointed.layers and pointed.base in _BYTES:
        return TypeName(pointed.base, (f"[{length}]",))
    return pointed


def _pointed_at(code: Code, data: Place, depth: int = 0) -> TypeName:
    bare = _without_cast(code, data)
    found = code.type_of(bare)
    if found is None:
        raise Untold(f"what {_short(data)} is, is declared nowhere in this text")
    if not found.layers:
        raise Untold(f"{_short(data)} is no pointer")
    inner = found.inner() if found.is_pointer else found
    assert inner is not None  # it has a layer
    if inner == TypeName("void"):
        variable = code.variable(text(bare.node), bare) if bare.node.type == "identifier" else None
        return _behind_void(code, data, variable, depth)
    return inner


def _behind_void(code: Code, data: Place, variable: Variable | None, depth: int) -> TypeName:
    if variable is not None and depth < _DEEPEST:
        origins = [variable.value] if variable.value is not None else []
        for call in code.callers(variable.function) if variable.function is not None else ():
            origins += map(Place, arguments(call)[variable.parameter : variable.parameter + 1])
        for origin in origins:
            with contextlib.suppress(Untold):
                return _pointed_at(code, origin, depth + 1)
    raise Untold(f"{_short(data)} is a void pointer")


def _without_cast(code: Code, place: Place) -> Place:
    """The expression behind casts to ``void *`` and ``char *``, which say nothing."""
    node = place.node
    while True:
        inner = None
        if node.type == "parenthesized_expression" and node.named_children:
            inner = node.named_children[0]
        elif node.type == "cast_expression" and descriptor(
            child(node, "type"), code.macros
        ).base in _BYTES | {"void"}:
            inner = child(node, "value")
        if inner is None:
            return place.at(node)
        node = inner


def _short(place: Place | None) -> str:
    words = " ".join(text(place.node).split()) if place is not None else ""
    return words if len(words) <= 40 else f"{words[:39]}…"
