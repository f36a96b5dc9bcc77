"""The C behind an instruction: which part of its line the learner should look at.

The object's line records name one point in a line, often an operator; bcc's have no column at all.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from tree_sitter import Node

from ebpf_lab.errors import Mark
from ebpf_lab.source.lexer import Scan, scan
from ebpf_lab.source.tree import child, parse, text, walk

Part = Literal["access", "call", "check", "value", "loop", "statement"]

_ACCESS = frozenset({"subscript_expression", "field_expression", "pointer_expression"})
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_LOOPS = frozenset({"for_statement", "while_statement", "do_statement"})
_HEADS = frozenset({*_LOOPS, "if_statement", "switch_statement"})
_BYTES = frozenset({"char", "u8", "s8", "__u8", "__s8", "uint8_t", "unsigned char"})
_STATEMENTS = frozenset(
    {"expression_statement", "declaration", "return_statement", "break_statement", "goto_statement"}
)


_PLAIN_RETURN = re.compile(r"return (?:-?\d+|[A-Z]\w*);")


class Code:
    """The learner's C text.

    Parameters
    ----------
    source : str
        The text.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = [line.removesuffix("\r") for line in source.split("\n")]
        self._bytes = [line.encode("utf-8", "replace") for line in source.split("\n")]
        self._starts = [0, *itertools.accumulate(len(line) + 1 for line in self._bytes)]

    @cached_property
    def _root(self) -> Node:
        return parse(self._scan)

    @cached_property
    def _scan(self) -> Scan:
        return scan(self.source)

    @cached_property
    def _by_line(self) -> dict[int, list[Node]]:
        found: dict[int, list[Node]] = {}
        for node in walk(self._root):
            found.setdefault(self.line_of(node), []).append(node)
        return found

    def line_of(self, node: Node) -> int:
        """The line on which a node begins."""
        return bisect.bisect_right(self._starts, node.start_byte)

    def _last_line_of(self, node: Node) -> int:
        return bisect.bisect_right(self._starts, max(node.end_byte - 1, node.start_byte))

    def line(self, number: int) -> str:
        """A line of the text, counted from 1; "" beyond its end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def mark(
        self, line: int, column: int, part: Part, note: str = "", *, name: str = "", argument: int = 0
    ) -> Mark:
        """Mark part of a line.

        Parameters
        ----------
        line, column : int
            The point that the line records name; column 0 for a line without one.
        part : str
            What to mark there.
        note : str
            Words for it.
        name : str
            The function that is called there, as the kernel knows it.
        argument : int
            The argument of the call to mark, from 1; 0 for the whole call.
        """
        node = self.node(line, column, part, name=name, argument=argument)
        whole = self.line(line)
        if node is None or self.line_of(node) != line:
            return Mark(line, whole, note=note)
        raw, first = self._bytes[line - 1], self._starts[line - 1]
        start, end = node.start_byte - first, node.end_byte - first
        if part == "loop" and (body := child(node, "body")) is not None:
            end = body.start_byte - first
        if end > len(raw):
            # It goes on in the next lines; a comment behind it is none of it.
            end = max((each.end_byte for each in self._by_line[line] if self._ends_on(each, line)), default=0)
            end = end - first if end else len(raw)
        marked = raw[start:end].decode("utf-8", "replace").rstrip()
        marked = marked.removesuffix(";") if part == "statement" else marked
        begin = len(raw[:start].decode("utf-8", "replace")) + 1
        return Mark(line, whole, begin, max(len(marked), 1), note)

    def node(self, line: int, column: int, part: Part, *, name: str = "", argument: int = 0) -> Node | None:
        """The part of the syntax tree that :meth:`mark` marks, None when there is none."""
        if part == "call" and (call := self._call(line, column, name)) is not None:
            given = child(call, "arguments")
            each = given.named_children if given is not None else []
            if child(call, "function", "field") is not None:
                argument = _argument_of_method(text(child(call, "function", "field")), argument)
            return each[argument - 1] if 0 < argument <= len(each) else call
        if part == "access":
            found = self._access(line, column)
        elif part == "check":
            found = self._check(line, column)
        elif part == "value":
            found = self._value(line, column)
        elif part == "loop":
            return next((each for each in self._by_line.get(line, ()) if each.type in _LOOPS), None)
        else:
            found = None
        return found or self._statement(line, column)

    def variable(self, line: int, column: int = 0) -> str:
        """The variable that a line gives its value to, "" when it is none."""
        for node in self._by_line.get(line, ()):
            if node.type == "init_declarator":
                name = child(node, "declarator")
                while name is not None and name.type == "pointer_declarator":
                    name = child(name, "declarator")
                if name is not None and name.type == "identifier":
                    return text(name)
            elif node.type == "assignment_expression":
                name = child(node, "left")
                if name is not None and name.type == "identifier":
                    return text(name)
        return ""

    def called(self, line: int, column: int, name: str) -> str:
        """What a line calls a helper by: ``counts.lookup`` for bpf_map_lookup_elem in bcc."""
        call = self._call(line, column, name)
        return text(child(call, "function")) if call is not None else name

    def loop_around(self, line: int) -> int:
        """The line of the innermost loop that a line belongs to, 0 for none."""
        inside = [node for node in walk(self._root) if node.type in _LOOPS and self._covers(node, line)]
        return max((self.line_of(node) for node in inside), default=0)

    def loops_in(self, line: int) -> list[int]:
        """Lines of the loops in the function that is defined on a line."""
        function = self._function(line)
        if function is None:
            return []
        return [self.line_of(node) for node in walk(function) if node.type in _LOOPS]

    def leave(self, line: int) -> str:
        """The statement that ends the function around a line: its last one, where that is simple."""
        function = self._function(line)
        if function is None:
            return "return 0;"
        if text(child(function, "type")) == "void":
            return "return;"
        last = [text(each) for each in walk(function) if each.type == "return_statement"][-1:]
        return last[0] if last and _PLAIN_RETURN.fullmatch(last[0]) else "return 0;"

    def first_parameter(self, line: int) -> str:
        """The name of the first parameter of the function around a line, "" for none."""
        given = child(self._function(line), "declarator", "parameters")
        declared = child(given.named_children[0], "declarator") if given and given.named_children else None
        while declared is not None and declared.type == "pointer_declarator":
            declared = child(declared, "declarator")
        return text(declared)

    def variable_from(self, word: str, line: int) -> str:
        """The variable that the function around a line declares with a value in which ``word`` occurs."""
        function = self._function(line)
        for node in walk(function) if function is not None else ():
            if node.type == "init_declarator" and word in re.findall(r"\w+", text(child(node, "value"))):
                return self.variable(self.line_of(node))
        return ""

    def declared_empty(self, line: int) -> str:
        """The declaration of a variable that a line uses and that has no value from the start, with one.

        "" when there is none: ``struct event event;`` becomes ``struct event event = {};``.
        """
        function = self._function(line)
        nodes = list(walk(function)) if function is not None else []
        used = {text(node) for node in self._by_line.get(line, ()) if node.type == "identifier"}
        for node in nodes:
            named = child(node, "declarator") if node.type == "declaration" else None
            if named is None or named.type not in ("identifier", "array_declarator"):
                continue
            name = child(named, "declarator") or named
            if text(name) in used and self.line_of(node) < line:
                plain = named.type == "identifier" and child(node, "type", "name") is None
                return f"{text(node).removesuffix(';').rstrip()} = {'0' if plain else '{}'};"
        return ""

    def variable_in(self, given: Node | None) -> str:
        """The local variable that an expression is, casts aside; "" when it is anything else."""
        while given is not None and given.type in ("cast_expression", "parenthesized_expression"):
            given = child(given, "value") or next(iter(given.named_children), None)
        return text(given) if given is not None and given.type == "identifier" else ""

    def constant_in(self, accessed: Node | None) -> str:
        """The global constant that an expression names, "" for none."""
        names = [text(each) for each in walk(accessed) if each.type == "identifier"] if accessed else []
        for name in names:
            if re.search(rf"\bconst\b[^;{{}}()]*\b{re.escape(name)}\b", self.source):
                return name
        return ""

    def map_type(self, name: str) -> str:
        """The type that the text gives a map, "" when it is not found."""
        for node in self._root.named_children:
            declared = child(node, "declarator") if node.type == "declaration" else None
            if text(declared) == name and (found := re.search(r"\bBPF_MAP_TYPE_\w+", text(node))):
                return found[0]
        return ""

    def array_size(self, name: str, *, of_bytes: bool = False) -> int:
        """The number of elements of the array of a name, 0 when it is not known or not the only one.

        Parameters
        ----------
        name : str
        of_bytes : bool
            Only of an array of bytes.
        """
        sizes = set()
        for node in walk(self._root):
            if node.type == "array_declarator" and text(child(node, "declarator")) == name:
                known = not of_bytes or self._of_bytes(node)
                sizes.add(self._number(text(child(node, "size"))) if known else 0)
        return sizes.pop() if len(sizes) == 1 else 0

    def array_length(self, name: str) -> str:
        """C for the number of elements of a declared array of bytes, "" when it is none."""
        declared = any(
            node.type == "array_declarator"
            and text(child(node, "declarator")) == name
            and self._of_bytes(node)
            for node in walk(self._root)
        )
        return f"sizeof({name})" if declared else ""

    def _of_bytes(self, array: Node) -> bool:
        declared = array.parent
        while declared is not None and child(declared, "type") is None:
            declared = declared.parent
        return text(child(declared, "type")) in _BYTES

    def _number(self, written: str) -> int:
        macro = self._scan.macros.get(written)
        try:
            return int((macro.body.strip() if macro else written).rstrip("uUlL"), 0)
        except ValueError:
            return 0

    def parameters(self, line: int) -> int:
        """The number of parameters of the function around a line."""
        given = child(self._function(line), "declarator", "parameters")
        return len(given.named_children) if given is not None else 0

    def declared_type(self, name: str, line: int) -> str:
        """The type that a variable in use on a line is declared with, "" when it is not found."""
        found = ""
        for node in walk(self._root):
            if self.line_of(node) > line:
                break
            if node.type in ("declaration", "parameter_declaration"):
                declared = child(node, "declarator")
                if declared is not None and declared.type == "init_declarator":
                    declared = child(declared, "declarator")
                if declared is not None and declared.type == "identifier" and text(declared) == name:
                    found = text(child(node, "type"))
        return found

    def _function(self, line: int) -> Node | None:
        functions = (node for node in walk(self._root) if node.type == "function_definition")
        return next((each for each in functions if self._covers(each, line)), None)

    def _covers(self, node: Node, line: int) -> bool:
        return self.line_of(node) <= line <= self._last_line_of(node)

    def _ends_on(self, node: Node, line: int) -> bool:
        return self._last_line_of(node) == line

    def _at(self, line: int, column: int) -> Node | None:
        if not 0 < line <= len(self._bytes) or not 0 < column <= len(self._bytes[line - 1]):
            return None
        offset = self._starts[line - 1] + column - 1
        return self._root.named_descendant_for_byte_range(offset, offset + 1)

    def _up(self, line: int, column: int) -> Iterator[Node]:
        node = self._at(line, column)
        while node is not None and node.type not in _HEADS | {"compound_statement", "translation_unit"}:
            yield node
            node = node.parent

    def _call(self, line: int, column: int, name: str) -> Node | None:
        around = [node for node in self._up(line, column) if node.type == "call_expression"]
        on_line = [node for node in self._by_line.get(line, ()) if node.type == "call_expression"]
        for node in (*around, *on_line):
            if name and text(child(node, "function")) == name:
                return node
        if around and text(child(around[0], "function")).startswith("bpf_"):
            return around[0]
        return next(iter(around or on_line), None)

    def _access(self, line: int, column: int) -> Node | None:
        for node in self._up(line, column):
            if node.type in _ACCESS:
                while node.parent is not None and node.parent.type in _ACCESS:
                    node = node.parent
                return node
            if node.type in ("assignment_expression", "update_expression"):
                left = child(node, "left") or child(node, "argument")
                return left if left is not None and left.type in _ACCESS else None
            if node.type == "call_expression":
                break
        found = [node for node in self._by_line.get(line, ()) if node.type in _ACCESS]
        return found[0] if len(found) == 1 or (found and not column) else None

    def _check(self, line: int, column: int) -> Node | None:
        found = [node for node in self._up(line, column) if _is_check(node)]
        found += [node for node in self._by_line.get(line, ()) if _is_check(node)] if not found else []
        if found:
            return found[0]
        heads = [node for node in self._by_line.get(line, ()) if node.type in _HEADS]
        condition = child(heads[0], "condition") if heads else None
        return (
            condition.named_children[0] if condition is not None and condition.named_children else condition
        )

    def line_naming(self, field: str, first: int) -> int:
        """The first line, from one on to the end of its function, that names a field; 0 for none."""
        names = re.compile(rf"(?:->|[.,])\s*{re.escape(field)}\b")
        function = self._function(first)
        last = self._last_line_of(function) if function is not None else 0
        return next((line for line in range(first, last + 1) if names.search(self.line(line))), 0)

    def compares(self, line: int, column: int) -> bool:
        """Whether there is a comparison, or a condition, on a line."""
        found = self._check(line, column)
        return found is not None and self.line_of(found) == line

    def _value(self, line: int, column: int) -> Node | None:
        for node in self._by_line.get(line, ()):
            if node.type == "init_declarator" and (value := child(node, "value")) is not None:
                return value
            if node.type == "assignment_expression":
                return child(node, "right")
        return None

    def _statement(self, line: int, column: int) -> Node | None:
        for node in self._up(line, column):
            if node.type in _STATEMENTS:
                return node if self.line_of(node) == line else None
        heads = (child(node, "condition") for node in self._by_line.get(line, ()) if node.type in _HEADS)
        if (condition := next(heads, None)) is not None:
            inner = condition.named_children if condition.type == "parenthesized_expression" else []
            return inner[0] if inner else condition
        return next((node for node in self._by_line.get(line, ()) if node.type in _STATEMENTS), None)


def _argument_of_method(method: str, argument: int) -> int:
    """The argument of one of bcc's methods that becomes a helper's, 0 for none: the map is before the dot."""
    if method.startswith("perf_submit"):
        return {1: 1, 4: 2, 5: 3}.get(argument, 0)
    return max(argument - 1, 0)


def _is_check(node: Node) -> bool:
    if node.type == "binary_expression":
        return text(child(node, "operator")) in _COMPARISONS
    return node.type == "unary_expression" and text(child(node, "operator")) == "!"


def index_in(node: Node | None) -> str:
    """The variable that an access is indexed with, "" when it is not one alone."""
    for each in walk(node) if node is not None else ():
        if each.type == "subscript_expression":
            index = child(each, "index")
            if index is not None and index.type == "identifier":
                return text(index)
    return ""


def stricter(condition: str, limit: int) -> str:
    """A comparison that leaves the function, turned so that ``limit`` is not let through; "" when unsure.

    >>> stricter("slot > 6", 6)
    'slot >= 6'
    """
    match = re.fullmatch(r"(\w+) > (\w+)", condition)
    return f"{match[1]} >= {match[2]}" if match else ""
