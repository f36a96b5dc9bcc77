"""Where in a C text the cursor is: behind which token, in which call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ebpf_lab.source.lexer import Token, scan, spelled

_CURSOR = "lab_cursor_"
_OPENING, _CLOSING = "([{", ")]}"
_KEYWORDS = frozenset({"return", "if", "while", "for", "switch", "sizeof", "case"})


@dataclass(frozen=True, slots=True)
class Spot:
    """The place of the cursor.

    Attributes
    ----------
    before : str
        The text up to the word that the cursor is in.
    word : str
        What of this word stands before the cursor.
    kind : str
        "name", "string" (``word`` is all of it), "directive", or "comment" where nothing is C.
    tokens : sequence of Token
        What is before the word.
    """

    before: str
    word: str
    kind: str
    tokens: Sequence[Token] = ()

    @classmethod
    def find(cls, text: str) -> Spot:
        """The place at the end of a text."""
        found = scan(text + _CURSOR)
        last = found.tokens[-1] if found.tokens else None
        if last is None or not last.text.endswith((_CURSOR, f'{_CURSOR}"')):
            line = text[text.rfind("\n") + 1 :].lstrip()
            return cls(text, line, "directive" if line.startswith("#") else "comment")
        if last.kind == "string":
            word = last.text.removesuffix(_CURSOR)[1:]
            return cls(text[: len(text) - len(word)], word, "string", found.tokens[:-1])
        if last.kind != "name":
            return cls(text, "", "comment")
        word = last.text.removesuffix(_CURSOR)
        return cls(text[: len(text) - len(word)], word, "name", found.tokens[:-1])

    @property
    def behind(self) -> str:
        """The token before the word, "" for none."""
        return self.tokens[-1].text if self.tokens else ""

    def call(self) -> tuple[str, list[str]]:
        """The call that the cursor is in the brackets of: its name, and the arguments up to the cursor.

        The last argument is what stands before the word.  No name and no arguments outside of calls.
        """
        depth = 0
        parts: list[list[Token]] = [[]]
        for index in range(len(self.tokens) - 1, 0, -1):
            token = self.tokens[index]
            if token.kind == "punctuation" and token.text in _CLOSING:
                depth += 1
            elif token.kind == "punctuation" and token.text in _OPENING:
                if not depth:
                    name = self.tokens[index - 1]
                    if token.text != "(" or name.kind != "name":
                        return "", []
                    return name.text, [spelled(part[::-1]) for part in reversed(parts)]
                depth -= 1
            elif not depth and token.text == ",":
                parts.append([])
                continue
            elif not depth and token.text == ";":
                return "", []
            parts[-1].append(token)
        return "", []

    def owner(self) -> tuple[str, str]:
        """What the ``->`` or ``.`` before the word stands behind: the text before it, and it; "" for none."""
        index = last = len(self.tokens) - 2
        while index >= 0:
            if self.tokens[index].text in (")", "]"):
                index = self._partner(index)
                if index > 0 and _ends_an_operand(self.tokens[index - 1]):
                    index -= 1
                    continue
            elif self.tokens[index].kind != "name":
                return self.before, ""
            if index < 1 or self.tokens[index - 1].text not in ("->", "."):
                break
            index -= 2
        if index < 0:
            return self.before, ""
        start = _characters(self.before, self.tokens[index].start)
        return self.before[:start], self.before[start : _characters(self.before, self.tokens[last].end)]

    def _partner(self, index: int) -> int:
        depth = 0
        while index >= 0:
            text = self.tokens[index].text
            if self.tokens[index].kind == "punctuation":
                depth += (text in _CLOSING) - (text in _OPENING)
            if not depth:
                return index
            index -= 1
        return 0


def _ends_an_operand(token: Token) -> bool:
    """Whether a bracket behind this token calls or indexes it."""
    return token.text in (")", "]") or (token.kind == "name" and token.text not in _KEYWORDS)


def _characters(source: str, at: int) -> int:
    """How many characters are before byte ``at`` of a text's UTF-8 form."""
    return len(source.encode("utf-8", "replace")[:at].decode("utf-8", "replace"))
