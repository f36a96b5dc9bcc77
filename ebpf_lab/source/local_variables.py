"""The local variables of a text's functions, as C that says how large each is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ebpf_lab.source.lexer import scan
from ebpf_lab.source.tree import child, parse, text, walk
from ebpf_lab.source.typename import declared


@dataclass(frozen=True, slots=True)
class LocalVariable:
    """One variable of a function: ``column`` and ``line`` are where its name is, ``declaration`` is C."""

    name: str
    line: int
    column: int
    declaration: str


def local_variables(source: str) -> Iterator[LocalVariable]:
    """The variables on the stack, in source order; what is static or extern is elsewhere."""
    found = scan(source)
    for function in walk(parse(found)):
        if function.type != "function_definition":
            continue
        for node in walk(function):
            if node.type != "declaration" or any(
                part.type == "storage_class_specifier" for part in node.named_children
            ):
                continue
            made = text(child(node, "type"))
            for declarator in node.children_by_field_name("declarator"):
                inner = declarator
                if declarator.type == "init_declarator":
                    value = child(declarator, "declarator")
                    assert value is not None
                    inner = value
                name, _ = declared(child(node, "type"), inner, {})
                if name:
                    start = inner.start_byte + max(text(inner).find(name), 0)
                    begin = found.source.rfind("\n", 0, start) + 1
                    column = len(found.source[begin:start].encode("latin-1").decode("utf-8", "replace")) + 1
                    # char text[] = "…" has a size only with its value.
                    yield LocalVariable(name, found.line(start), column, f"{made} {text(inner)};")
