"""``#if`` and its kin: which branch of a text the compiler will see, as far as the text itself says."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Protocol

_DIRECTIVE = re.compile(r"#\s*(ifdef|ifndef|if|elif|else|endif)\b(.*)", re.ASCII | re.DOTALL)
_DEFINED = re.compile(r"(!?)\s*defined\s*(?:\(\s*(\w+)\s*\)|(\w+))", re.ASCII)
_INTEGER = re.compile(r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})[uUlL]*", re.ASCII)
# Names of this form belong to compilers, kernels and libraries: what they are is not in the text.
_FOREIGN = re.compile(r"__|CONFIG_|LINUX_|KERNEL_|BPF_|bpf_", re.ASCII)


class Defined(Protocol):
    """A macro's definition, as far as conditions care."""

    @property
    def body(self) -> str:
        """What the macro stands for."""


class Branches:
    """Follows the conditional directives of a text.

    A condition that only the compiler can decide counts as true, so that one branch of each ``#if`` is
    taken and brackets stay in pairs.
    """

    def __init__(self, macros: Mapping[str, Defined], defined: Collection[str]) -> None:
        self._macros = macros
        self._defined = defined
        # For each open #if: is the branch taken, and has one of its branches been taken already?
        self._open: list[tuple[bool, bool]] = []

    @property
    def taken(self) -> bool:
        """What follows is compiled."""
        return all(taken for taken, _ in self._open)

    def directive(self, text: str) -> bool:
        """Take note of a directive; False when it is no conditional one."""
        match = _DIRECTIVE.match(text)
        if match is None:
            return False
        word, condition = match.group(1), match.group(2).strip()
        if word in ("if", "ifdef", "ifndef"):
            true = self._true(word, condition)
            self._open.append((true, true))
        elif self._open:
            _, before = self._open.pop()
            if word != "endif":
                true = not before and (word == "else" or self._true("if", condition))
                self._open.append((true, before or true))
        return True

    def _true(self, word: str, condition: str) -> bool:
        if word != "if":
            return self._is_defined(condition, word == "ifdef")
        if match := _DEFINED.fullmatch(condition):
            return self._is_defined(match.group(2) or match.group(3), not match.group(1))
        if condition in self._macros:
            condition = self._macros[condition].body
        if match := _INTEGER.fullmatch(condition):
            return int(match.group(1), 0 if match.group(1)[:2].lower() == "0x" else 10) != 0
        return True

    def _is_defined(self, name: str, wanted: bool) -> bool:
        if name in self._macros or name in self._defined:
            return wanted
        return not wanted or _FOREIGN.match(name) is not None
