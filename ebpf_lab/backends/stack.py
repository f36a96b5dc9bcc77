"""Which variables fill the 512 bytes of stack: the code generator names one use of one of them at best."""

from __future__ import annotations

import re
from collections.abc import Callable

from ebpf_lab.errors import CompileError, Mark
from ebpf_lab.source.local_variables import LocalVariable, local_variables

_STACK = 512
_EXCEEDED = re.compile(r"BPF stack limit|stack size .* exceeds|stack frame size")
_VARIABLE = "lab_size_"
# The compiler is made to complain of a pointer to an array of the variable's size, and spells that type.
_SIZE = re.compile(rf"'char \(\*\)\[(\d+)\]'[^\n]*\n[^\n]*?{_VARIABLE}(\d+)")
_SHOWN = 3


def explained(error: CompileError, text: str, complaints: Callable[[str], str]) -> CompileError:
    """The same error, with the largest variables marked if it is about the stack.

    Parameters
    ----------
    error : CompileError
    text : str
        The learner's text.
    complaints : callable
        Compiles a text and returns what the compiler says.
    """
    if not _EXCEEDED.search(error.what):
        return error
    variables = list(local_variables(text))
    lines = [
        f"char (*{_VARIABLE}{number})[sizeof(struct {{ {' '.join(each.declaration.split())} }})] = (int *)0;"
        for number, each in enumerate(variables)
    ]
    said = complaints("\n".join([text, "", *lines, ""]))
    sizes = {int(number): int(size) for size, number in _SIZE.findall(said)}
    largest: list[tuple[int, LocalVariable]] = []
    for number in sorted(sizes, key=lambda number: -sizes[number]):
        if sum(size for size, _ in largest) <= _STACK and len(largest) < _SHOWN:
            largest.append((sizes[number], variables[number]))
    if not largest or sum(sizes.values()) <= _STACK:
        return error
    source = text.splitlines()
    error.what = re.sub(r" \(the first of \d+ errors\)$", "", error.what)
    error.where = tuple(
        Mark(each.line, source[each.line - 1], each.column, len(each.name), f"{size} bytes")
        for size, each in sorted(largest, key=lambda pair: (pair[1].line, pair[1].column))
    )
    return error
