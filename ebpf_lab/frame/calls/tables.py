"""What the kernel's headers say of system calls: their arguments, and the constants that these take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a system call: its C type ("const char *") and its name in the kernel ("filename")."""

    type: str
    name: str

    @property
    def pointer(self) -> bool:
        """Whether it is an address."""
        return self.type.endswith("*")


@cache
def _tables() -> Any:
    text = resources.files("ebpf_lab.frame.calls").joinpath("tables.json").read_text(encoding="utf-8")
    return json.loads(text)


@cache
def arguments(arch: str) -> dict[str, tuple[Argument, ...]]:
    """The arguments of an architecture's system calls, by the call's name; unknown ones are absent."""
    table = _tables()["arguments"]
    return {
        call: tuple(_argument(text) for text in declared)
        for call, declared in {**table["all"], **table.get(arch, {})}.items()
    }


def _argument(text: str) -> Argument:
    kind, _, name = text.rpartition(" ")
    return Argument(kind, name)


@cache
def constants(arch: str, group: str) -> dict[int, str]:
    """The names of a group of constants ("protection", "seek") by value."""
    table = _tables()["constants"]
    found = table["all"].get(group) or table.get(arch, {}).get(group, {})
    return {int(value): name for value, name in found.items()}
