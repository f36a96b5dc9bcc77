"""Colours of ``%%bpf`` cells where a notebook becomes HTML or LaTeX: nbconvert takes them from Pygments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pygments.lexer import Lexer
from pygments.lexers.c_cpp import CLexer
from pygments.token import Keyword, Name, Number, Operator, Punctuation, String, Text, _TokenType

_WORD = re.compile(r"""(?:[^\s'"\\]|\\[\s\S]|'[^']*'?|"(?:\\[\s\S]|[^"\\])*"?)+|\\$""")
_NUMBER = re.compile(r"-?[\d.]+")
_KERNEL_TYPE = re.compile(r"(?:__)?[us](?:8|16|32|64)|__(?:be|le)(?:16|32|64)")

_Token = tuple[int, _TokenType, str]


class BpfLexer(Lexer):  # type: ignore[misc]  # Pygments has no types
    """A line of options, and C below it; without the line, C."""

    name = "C in a %%bpf cell"
    aliases = ("ebpf-lab",)
    url = ""

    def get_tokens_unprocessed(self, text: str) -> Iterator[_Token]:
        """Each token with where it begins."""
        end = 0
        if re.match(r"%%bpf\b", text):
            end = (text + "\n").index("\n")
            yield from _options(text[:end])
        for at, kind, value in CLexer().get_tokens_unprocessed(text[end:]):
            known = kind is Name and _KERNEL_TYPE.fullmatch(value)
            yield end + at, Keyword.Type if known else kind, value


def _options(line: str) -> Iterator[_Token]:
    # The magic as IPython's own lexer has it.
    yield 0, Operator, line[:2]
    yield 2, Keyword, line[2:5]
    at, in_command = 5, False
    for word in _WORD.finditer(line, at):
        if word.start() > at:
            yield at, Text, line[at : word.start()]
        yield word.start(), String.Other if in_command else _kind(word[0]), word[0]
        in_command = in_command or word[0] == "--"
        at = word.end()
    if at < len(line):
        yield at, Text, line[at:]


def _kind(word: str) -> _TokenType:
    if word == "--":
        return Operator
    if _NUMBER.fullmatch(word):
        return Number
    if word.startswith("-"):
        return Punctuation  # in JupyterLab's style, names of attributes have no colour
    return String if word[0] in "'\"" else Text
