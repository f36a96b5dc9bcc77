"""Which declaration a name in a text refers to, and what type an expression has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tree_sitter import Node

from ebpf_lab.source.lexer import Macro
from ebpf_lab.source.tree import child, text, walk
from ebpf_lab.source.typename import TypeName, base_name, declared, descriptor, members, named

# Expressions and chains of assignments deeper than this are not followed.
_DEEPEST = 24
_LOOKUPS = frozenset({"lookup", "lookup_or_init", "lookup_or_try_init"})


@dataclass(frozen=True, slots=True)
class Place:
    """A node, and where the macro was used that the node is in the expansion of (innermost first)."""

    node: Node
    used_at: tuple[Node, ...] = ()

    def at(self, node: Node) -> Place:
        """Another node of the same tree."""
        return Place(node, self.used_at)


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable: what it is initialised with, or which parameter of its function it is."""

    type: TypeName
    value: Place | None = None
    parameter: int = -1
    function: Node | None = None


@dataclass
class Code:
    """A text's tree and what else tells the types in it.

    Attributes
    ----------
    root : Node
    macros : mapping
        The text's own macros.
    map_values : mapping
        The value type of each map, as written.
    """

    root: Node
    macros: Mapping[str, Macro]
    map_values: Mapping[str, str] = field(default_factory=dict)

    def variable(self, name: str, place: Place) -> Variable | None:
        """The declaration of ``name`` that is in force at ``place``."""
        for node in _in_force(place.node):
            if node.type == "function_definition":
                found = self._parameter(name, node)
            else:
                found = self._declaration(name, place.at(node))
            if found is not None:
                return found
        if place.used_at:
            return self.variable(name, Place(place.used_at[0], place.used_at[1:]))
        return None

    def _declaration(self, name: str, place: Place) -> Variable | None:
        for declarator in place.node.children_by_field_name("declarator"):
            declared_name, made = declared(child(place.node, "type"), declarator, self.macros)
            if declared_name == name:
                value = child(declarator, "value")
                return Variable(made, place.at(value) if value is not None else None)
        return None

    def _parameter(self, name: str, function: Node) -> Variable | None:
        for index, node in enumerate(parameters(function)):
            declared_name, made = declared(child(node, "type"), child(node, "declarator"), self.macros)
            if declared_name == name:
                return Variable(made, parameter=index, function=function)
        return None

    def type_of(self, place: Place, depth: int = 0) -> TypeName | None:
        """The type of an expression, None when the text does not say."""
        node = place.node
        if depth > _DEEPEST:
            return None
        match node.type:
            case "identifier":
                variable = self.variable(text(node), place)
                return variable.type if variable is not None else None
            case "parenthesized_expression" if node.named_children:
                return self.type_of(place.at(node.named_children[0]), depth + 1)
            case "cast_expression":
                return descriptor(child(node, "type"), self.macros)
            case "conditional_expression":
                return self._field(place, "consequence", depth)
            case "pointer_expression":
                inner = self._field(place, "argument", depth)
                if inner is None:
                    return None
                return inner.pointer() if text(child(node, "operator")) == "&" else inner.inner()
            case "subscript_expression":
                inner = self._field(place, "argument", depth)
                return inner.inner() if inner is not None else None
            case "field_expression":
                owner = self._field(place, "argument", depth)
                if owner is None:
                    return None
                return members(self.root, owner.base, self.macros).get(text(child(node, "field")))
            case "call_expression":
                return self._lookup(node)
        return None

    def _field(self, place: Place, name: str, depth: int) -> TypeName | None:
        node = child(place.node, name)
        return self.type_of(place.at(node), depth + 1) if node is not None else None

    def _lookup(self, call: Node) -> TypeName | None:
        """What looking something up in a map gives: a pointer to one of its values."""
        function = child(call, "function")
        if text(function) == "bpf_map_lookup_elem":
            first, *_ = [*arguments(call), call]
            name = text(first).lstrip("&( ")
        elif text(child(function, "field")) in _LOOKUPS:
            name = text(child(function, "argument"))
        else:
            return None
        value = self.map_values.get(name, "")
        return named(value).pointer() if value else None

    def size_of(self, place: Place, depth: int = 0) -> TypeName | None:
        """The type that a size is taken of: ``sizeof(struct event)``, or a variable set to that."""
        node = place.node
        if depth > _DEEPEST:
            return None
        if node.type == "identifier":
            variable = self.variable(text(node), place)
            value = variable.value if variable is not None else None
            return self.size_of(value, depth + 1) if value is not None else None
        if node.type == "parenthesized_expression" and node.named_children:
            return self.size_of(place.at(node.named_children[0]), depth + 1)
        if node.type != "sizeof_expression":
            return None
        if (type_node := child(node, "type")) is not None:
            return descriptor(type_node, self.macros)
        value_node = child(node, "value")
        while value_node is not None and value_node.type == "parenthesized_expression":
            value_node = value_node.named_children[0] if value_node.named_children else None
        if value_node is None:
            return None
        found = self.type_of(place.at(value_node))
        if found is None and value_node.type == "identifier":
            # Without its declaration a typedef's name looks like a variable's.
            return TypeName(base_name(value_node, self.macros))
        return found

    def callers(self, function: Node) -> Iterator[Node]:
        """The calls of a function that the text defines."""
        name = function_name(function)
        for node in walk(self.root):
            if node.type == "call_expression" and name and text(child(node, "function")) == name:
                yield node


def _in_force(node: Node) -> Iterator[Node]:
    """The declarations and functions whose names can be used at a node, the nearest first."""
    here: Node | None = node
    while here is not None:
        if here.type in ("declaration", "function_definition"):
            yield here
        around = here.parent
        for sibling in reversed(around.named_children if around is not None else []):
            if sibling.type == "declaration" and sibling.end_byte <= here.start_byte:
                yield sibling
        here = around


def function_name(function: Node) -> str:
    """The name in a function's definition, as written."""
    node = child(function, "declarator")
    while node is not None and node.type != "identifier":
        node = child(node, "declarator")
    return text(node)


def parameters(function: Node) -> list[Node]:
    """The parameters in a function's definition."""
    node = child(function, "declarator")
    while node is not None and node.type != "function_declarator":
        node = child(node, "declarator")
    inside = child(node, "parameters")
    return [] if inside is None else [node for node in inside.named_children if "declaration" in node.type]


def arguments(call: Node) -> list[Node]:
    """The arguments of a call."""
    inside = child(call, "arguments")
    return [] if inside is None else [node for node in inside.named_children if node.type != "comment"]
