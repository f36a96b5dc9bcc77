"""C types as a text writes them: what a variable, a member or an expression is declared to be."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from ebpf_lab.source.lexer import Macro
from ebpf_lab.source.tree import child, parse_statement, text, walk


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type, taken apart.

    Attributes
    ----------
    base : str
        "struct event", "event_t", "unsigned int"; "" when it has no name.
    layers : tuple of str
        What is around it, outermost first: "*" for a pointer, "[16]" for an array.  ``char *names[4]`` has
        the base "char" and the layers ("[4]", "*").
    """

    base: str
    layers: tuple[str, ...] = ()

    def inner(self) -> TypeName | None:
        """What this pointer points to or this array holds; None when it is neither."""
        return TypeName(self.base, self.layers[1:]) if self.layers else None

    def pointer(self) -> TypeName:
        """A pointer to this."""
        return TypeName(self.base, ("*", *self.layers))

    @property
    def is_pointer(self) -> bool:
        """It is a pointer (an array is not)."""
        return self.layers[:1] == ("*",)

    def __str__(self) -> str:
        """The type as a C declaration would have it, pointers to arrays aside."""
        stars = "*" * self.layers.count("*")
        lengths = "".join(layer for layer in self.layers if layer != "*")
        return f"{self.base} {stars}".strip() + lengths


def declared(
    type_node: Node | None, declarator: Node | None, macros: Mapping[str, Macro]
) -> tuple[str, TypeName]:
    """The name that a declarator declares ("" for none), and its type."""
    layers: list[str] = []
    node = declarator
    while node is not None:
        match node.type:
            case "pointer_declarator" | "abstract_pointer_declarator":
                layers.append("*")
            case "array_declarator" | "abstract_array_declarator":
                layers.append(f"[{_length(child(node, 'size'), macros)}]")
            case "identifier" | "field_identifier" | "type_identifier":
                break
        node = child(node, "declarator") or _inside(node)
    return text(node), TypeName(base_name(type_node, macros), tuple(reversed(layers)))


def _inside(node: Node) -> Node | None:
    # A parenthesized declarator has its content as a child without a field name.
    if node.type in (
        "parenthesized_declarator",
        "abstract_parenthesized_declarator",
        "attributed_declarator",
    ):
        return node.named_children[0] if node.named_children else None
    return None


def base_name(node: Node | None, macros: Mapping[str, Macro]) -> str:
    """The name of a type without its pointers and arrays."""
    if node is None:
        return ""
    if node.type in ("struct_specifier", "union_specifier", "enum_specifier"):
        name = text(child(node, "name"))
        return f"{node.type.removesuffix('_specifier')} {name}" if name else ""
    words = " ".join(text(node).split())
    macro = macros.get(words)
    if macro is not None and macro.params is None and macro.body:
        return " ".join(macro.body.split())
    return words


def descriptor(node: Node | None, macros: Mapping[str, Macro]) -> TypeName:
    """The type that a cast or ``sizeof`` names."""
    return declared(child(node, "type"), child(node, "declarator"), macros)[1]


def named(words: str) -> TypeName:
    """A type given as text ("struct event", "u64", "char[16]", "const struct event *")."""
    lengths = [f"[{part.split(']')[0].strip()}]" for part in words.split("[")[1:]]
    head = words.split("[")[0]
    base = " ".join(word for word in head.replace("*", " ").split() if word not in ("const", "volatile"))
    return TypeName(base, (*lengths, *("*" * head.count("*"))))


def members(root: Node, base: str, macros: Mapping[str, Macro]) -> dict[str, TypeName]:
    """The members of a struct, union or typedef that the text defines, with their types."""
    for node in walk(root):
        body = None
        if node.type in ("struct_specifier", "union_specifier") and base_name(node, {}) == base:
            body = child(node, "body")
        elif node.type == "type_definition" and base in map(text, node.children_by_field_name("declarator")):
            body = child(node, "type", "body")
        if body is not None:
            return dict(_members(body, macros))
    return {}


def _members(body: Node, macros: Mapping[str, Macro]) -> Iterator[tuple[str, TypeName]]:
    waiting = list(body.named_children)
    while waiting:
        field = waiting.pop()
        declarators = field.children_by_field_name("declarator")
        for declarator in declarators:
            yield declared(child(field, "type"), declarator, macros)
        inside = child(field, "type", "body")
        if not declarators and inside is not None:
            # The members of a struct or union without a name are members of the one around it.
            waiting += inside.named_children


def _length(node: Node | None, macros: Mapping[str, Macro]) -> str:
    value = constant(node, macros)
    return str(value) if value is not None and 0 <= value < 2**31 else ""


_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "<<": operator.lshift,
}


def constant(node: Node | None, macros: Mapping[str, Macro], depth: int = 0) -> int | None:
    """The value of an expression of numbers, macros and + - * / <<; None for anything else."""
    if node is None or depth > 32:
        return None
    match node.type:
        case "number_literal":
            return _number(text(node))
        case "parenthesized_expression" | "expression_statement":
            return constant(node.named_children[0], macros, depth + 1) if node.named_children else None
        case "identifier" if (macro := macros.get(text(node))) is not None and macro.params is None:
            statements = (
                part for part in walk(parse_statement(macro.body)) if part.type == "expression_statement"
            )
            return constant(next(statements, None), macros, depth + 8)
        case "binary_expression":
            left, right = child(node, "left"), child(node, "right")
            values = constant(left, macros, depth + 1), constant(right, macros, depth + 1)
            name = text(child(node, "operator"))
            if values[0] is None or values[1] is None or name not in _OPERATORS:
                return None
            if (name == "/" and not values[1]) or (name == "<<" and not 0 <= values[1] < 32):
                return None
            return _OPERATORS[name](values[0], values[1])
    return None


def _number(word: str) -> int | None:
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})[uUlL]*", word, re.ASCII)
    if match is None:
        return None
    digits = match.group(1)
    octal = digits.startswith("0") and digits.isdigit() and not {"8", "9"} & set(digits)
    return int(digits, 16 if digits[:2] in ("0x", "0X") else 8 if octal else 10)
