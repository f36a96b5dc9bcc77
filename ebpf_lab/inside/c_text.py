"""The learner's C as HTML, line by line, and which of it belongs together."""

from __future__ import annotations

from collections.abc import Collection
from html import escape

from ebpf_lab.source.lexer import pieces

_KEYWORDS = frozenset(
    {
        *("break", "case", "const", "continue", "default", "do", "else", "enum", "extern", "for", "goto"),
        *("if", "inline", "register", "restrict", "return", "sizeof", "static", "struct", "switch"),
        *("typedef", "union", "volatile", "while", "__always_inline", "__noinline", "__attribute__"),
    }
)
_TYPES = frozenset(
    {
        *("_Bool", "bool", "char", "double", "float", "int", "long", "short", "signed", "unsigned", "void"),
        *("size_t", "pid_t", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "__be16", "__be32"),
        *("__u8", "__u16", "__u32", "__u64", "__s8", "__s16", "__s32", "__s64", "__be64"),
    }
)
_CLASSES = {"comment": "cm", "directive": "pp", "string": "st", "char": "st", "number": "nu"}


def coloured(text: str) -> list[str]:
    """Each line of a text as HTML, with classes for what its parts are."""
    lines = [""]
    for kind, piece in pieces(text):
        known = _CLASSES.get(kind, "")
        if kind == "name":
            known = "kw" if piece in _KEYWORDS else "ty" if piece in _TYPES else ""
            known = known or ("fn" if piece.startswith(("bpf_", "BPF_", "SEC")) else "")
        for number, part in enumerate(piece.split("\n")):
            if number:
                lines.append("")
            if part:
                written = escape(part)
                lines[-1] += f"<span class='{known}'>{written}</span>" if known else written
    return lines


def needed(text: str, lines: Collection[int]) -> set[int]:
    """The lines of all functions and declarations that one of ``lines`` is in.

    They are told apart by where all brackets are closed and ``;`` or ``}`` follows, which is enough for any
    text that compiled; blank lines above belong to none.
    """
    found: set[int] = set()
    depth, line, first = 0, 1, 0
    for kind, piece in pieces(text):
        if kind in ("space", "newline") or (kind in ("comment", "directive") and not depth and not first):
            line += piece.count("\n")
            continue
        first = first or line
        line += piece.count("\n")
        if kind != "punctuation":
            continue
        depth += (piece in "([{") - (piece in ")]}")
        if depth <= 0 and piece in "};":
            item = range(first, line + 1)
            if any(each in item for each in lines):
                found.update(item)
            depth, first = 0, 0
    return found | set(lines)
