"""A syntax tree of C that is full of BPF macros.

tree-sitter reads C without expanding macros, and so stumbles over ``SEC("…")``, ``BPF_HASH(…)`` and their
like.  Here the text is first reduced to its tokens and such macros are left out: every byte that stays is
where it was, so that nodes still point into the learner's text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import tree_sitter_c
from tree_sitter import Language, Node, Parser

from ebpf_lab.source.lexer import Scan

# Words that say something about a function, variable or pointer, but are no C.
_ANNOTATIONS = frozenset(
    {
        *("__always_inline", "__noinline", "noinline", "__weak", "__hidden", "__used", "__noreturn"),
        *("__ksym", "__kconfig", "__arena", "__packed", "__maybe_unused", "__unused", "__restrict"),
        *("__user", "__kernel", "__iomem", "__rcu", "__percpu", "__kptr", "__uptr"),
    }
)
_ANNOTATING_CALLS = frozenset({"SEC", "BCC_SEC", "__attribute__"})

BCC_FUNCTION_MACROS = {
    "TRACEPOINT_PROBE": "tracepoint",
    "RAW_TRACEPOINT_PROBE": "raw_tracepoint",
    "KFUNC_PROBE": "kfunc",
    "KRETFUNC_PROBE": "kretfunc",
    "KMOD_RET": "kmod_ret",
    "LSM_PROBE": "lsm",
    "BPF_ITER": "bpf_iter",
}
"""bcc's ways to begin a function, and how the names of these functions then begin."""


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_c.language()))


def parse(found: Scan, left_out: Iterable[tuple[int, int]] = ()) -> Node:
    """The root of the text's syntax tree.

    Parameters
    ----------
    found : Scan
        The text's tokens.
    left_out : iterable of (int, int)
        Further ranges of bytes to leave out.
    """
    canvas = bytearray(b" " * len(found.source))
    for token in found.tokens:
        if token.kind != "name" or token.text not in _ANNOTATIONS:
            canvas[token.start : token.end] = token.text.encode("latin-1")
    ranges = list(left_out)
    for first, last in found.calls(_ANNOTATING_CALLS):
        ranges.append((found.tokens[first].start, found.tokens[last].end))
    for start, end in ranges:
        canvas[start:end] = b" " * (end - start)
    for first, _ in found.calls(BCC_FUNCTION_MACROS):
        # TRACEPOINT_PROBE(a, b) {…} becomes int EPOINT_PROBE(a, b) {…}: a function, with its type.
        start = found.tokens[first].start
        canvas[start : start + 4] = b"int "
    return _parser().parse(bytes(canvas)).root_node


def parse_statement(code: str) -> Node:
    """The root of the tree of a statement by itself, as if it were a function's body."""
    return _parser().parse(f"void f(void) {{ {code}\n; }}".encode("latin-1", "replace")).root_node


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in source order."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))


def text(node: Node | None) -> str:
    """The node's source, "" for none; a character of it is a byte of the learner's text."""
    return node.text.decode("latin-1") if node is not None and node.text is not None else ""


def child(node: Node | None, *fields: str) -> Node | None:
    """The node reached by following these fields, None where one is missing."""
    for name in fields:
        node = node.child_by_field_name(name) if node is not None else None
    return node
