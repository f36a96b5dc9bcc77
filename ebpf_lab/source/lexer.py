"""C text as tokens: what is left when comments, directives and branches not taken are out of the way.

Offsets are bytes of the UTF-8 text.  Nothing is ever refused: what is no C becomes tokens all the same.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ebpf_lab.source.conditions import Branches

_NAME = r"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*"
_COMMENT = r"//(?:\\\r?\n|[^\n])*|/\*(?s:.)*?(?:\*/|\Z)"
_STRING = r'"(?:\\(?s:.)|[^"\\\n])*"?'
_TOKEN = re.compile(
    rf"""(?P<space>[ \t\r\f\v]+|\\\r?\n)
    |(?P<newline>\n)
    |(?P<comment>{_COMMENT})
    |(?P<directive>\#(?:\\\r?\n|/\*(?s:.)*?\*/|{_STRING}|(?!//)[^\n])*)
    |(?P<string>{_STRING})
    |(?P<char>'(?:\\(?s:.)|[^'\\\n])*'?)
    |(?P<name>{_NAME})
    |(?P<number>\.?[0-9](?:[eEpP][+-]|[\w.])*)
    |(?P<punctuation>->|(?s:.))""",
    re.ASCII | re.VERBOSE,
)
_DEFINE = re.compile(
    rf"\#\s*define\s+(?P<name>{_NAME})(?:\((?P<params>[^)]*)\))?(?P<body>.*)", re.ASCII | re.DOTALL
)
_INCLUDE = re.compile(r"""\#\s*include\s*[<"]([^>"]+)""")
_WORD = re.compile(_NAME, re.ASCII)
_CONTINUED = re.compile(rf"\\\r?\n|{_COMMENT}")

_BRACKETS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``kind`` is "name", "number", "string", "char" or "punctuation"."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset behind the last byte."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro that the text defines; ``params`` is None when it takes no arguments at all."""

    params: tuple[str, ...] | None
    body: str


@dataclass
class Scan:
    """The tokens and macros of a text.

    Attributes
    ----------
    source : str
        The text with one character for each byte of its UTF-8 form.
    tokens : list of Token
    macros : dict
        Macros by name, as the text defines them last.
    includes : list of str
        Files that it includes, without their brackets.
    directive_words : set of str
        The names in its directives.
    """

    source: str
    tokens: list[Token] = field(default_factory=list)
    macros: dict[str, Macro] = field(default_factory=dict)
    includes: list[str] = field(default_factory=list)
    directive_words: set[str] = field(default_factory=set)

    @cached_property
    def _newlines(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.source)]

    def line(self, offset: int) -> int:
        """Number of the line that this byte is on, from 1."""
        return bisect_right(self._newlines, offset - 1) + 1

    def calls(self, names: Collection[str]) -> Iterator[tuple[int, int]]:
        """Each of ``names`` with an opening bracket behind it: the indices of the name and of the last token.

        The last token is the closing bracket, or the text's last where there is none.
        """
        for index, token in enumerate(self.tokens[:-1]):
            if token.kind == "name" and token.text in names and self.tokens[index + 1].text == "(":
                yield index, self.closing(index + 1)

    def closing(self, opening: int) -> int:
        """Index of the bracket that closes the one at ``opening``, or of the last token."""
        return self._partners.get(opening, len(self.tokens) - 1)

    def opening(self, closing: int) -> int | None:
        """Index of the bracket that the one at ``closing`` closes, None when there is none."""
        return self._partners.get(closing)

    @property
    def balanced(self) -> bool:
        """Every bracket has its partner."""
        brackets = sum(token.kind == "punctuation" and token.text in "()[]{}" for token in self.tokens)
        return len(self._partners) == brackets

    @cached_property
    def _partners(self) -> dict[int, int]:
        partners: dict[int, int] = {}
        waiting: list[int] = []
        for index, token in enumerate(self.tokens):
            if token.kind != "punctuation":
                continue
            if token.text in _BRACKETS:
                waiting.append(index)
            elif token.text in _BRACKETS.values() and waiting:
                # In broken C the kinds may not fit; the nearest one then is as good a guess as any.
                partners[index] = waiting.pop()
                partners[partners[index]] = index
        return partners

    def arguments(self, first: int, last: int) -> list[str]:
        """The arguments of a call as text; ``first`` and ``last`` as :meth:`calls` gives them."""
        parts: list[list[Token]] = [[]]
        depth = 0
        for token in self.tokens[first + 2 : last]:
            if token.kind == "punctuation":
                depth += (token.text in _BRACKETS) - (token.text in _BRACKETS.values())
            if depth == 0 and token.text == ",":
                parts.append([])
            else:
                parts[-1].append(token)
        return [spelled(part) for part in parts]


def spelled(tokens: list[Token]) -> str:
    """Tokens as text, with single spaces where the source has space."""
    words = []
    for index, token in enumerate(tokens):
        if index and tokens[index - 1].end != token.start:
            words.append(" ")
        words.append(token.text)
    return "".join(words)


def scan(text: str, defined: Collection[str] = ()) -> Scan:
    """Take a text apart.

    Parameters
    ----------
    text : str
        C text, or anything else.
    defined : collection of str
        Names of macros that will be defined on the compiler's command line.
    """
    source = text.encode("utf-8", "replace").decode("latin-1")
    found = Scan(source)
    branches = Branches(found.macros, defined)
    fresh = True  # nothing but space and comments so far on this line: only here a # begins a directive
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        assert match is not None  # the last alternative takes any character
        kind, token = str(match.lastgroup), match.group()
        if kind == "directive" and not fresh:
            kind, token = "punctuation", "#"
        if kind == "newline":
            fresh = True
        elif kind == "directive":
            _directive(found, branches, token)
        elif kind not in ("space", "comment"):
            fresh = False
            if branches.taken:
                found.tokens.append(Token(kind, token, at))
        at += len(token)
    return found


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """A whole text, piece by piece: of a token's kind, "space", "newline", "comment" or "directive"."""
    fresh = True
    for match in _TOKEN.finditer(text):
        kind, piece = str(match.lastgroup), match.group()
        if kind == "directive" and not fresh:
            # Only the # itself: what follows it here are tokens.
            yield "punctuation", "#"
            yield from pieces(piece[1:])
            continue
        if kind not in ("space", "comment"):
            fresh = kind == "newline"
        yield kind, piece


def macros_using(macros: Mapping[str, Macro], names: Collection[str]) -> frozenset[str]:
    """The macros whose expansion has one of ``names`` in it, be it through other macros."""
    words = {name: set(_WORD.findall(macro.body)) for name, macro in macros.items()}
    using: set[str] = set()
    wanted = set(names)
    while more := {name for name, body in words.items() if name not in using and body & wanted}:
        using |= more
        wanted = more
    return frozenset(using)


def _directive(found: Scan, branches: Branches, text: str) -> None:
    text = _CONTINUED.sub(" ", text)
    found.directive_words.update(_WORD.findall(text))
    if branches.directive(text) or not branches.taken:
        return
    if match := _INCLUDE.match(text):
        found.includes.append(match.group(1))
    elif match := _DEFINE.match(text):
        params = match["params"]
        names = None if params is None else tuple(word.strip() for word in params.split(","))
        found.macros[match["name"]] = Macro(names, match["body"].strip())
