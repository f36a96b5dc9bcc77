"""The instructions of a loaded program with their names, labels and C lines, function by function."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ebpf_lab.inside import bytecode, native
from ebpf_lab.inside.bytecode import Instruction
from ebpf_lab.inside.names import Names, Symbols
from ebpf_lab.inside.native import NativeInstruction
from ebpf_lab.inside.program import Function, ProgramCode, SourceLine

_JUMP = re.compile(r"pc[+-]\d+$")
_NOWHERE = SourceLine(0, "", 0, 0, "")


@dataclass(frozen=True, slots=True)
class Placed:
    """An instruction of the program.

    Attributes
    ----------
    instruction : Instruction
    label : str
        Its name if it is jumped to, else "".
    text : str
        With names in place of numbers.
    line : SourceLine
        Where it comes from, with line 0 where that is unknown.
    """

    instruction: Instruction
    label: str
    text: str
    line: SourceLine


@dataclass(frozen=True, slots=True)
class PlacedNative:
    """One of the processor's: as :class:`Placed`, ``offset`` [bytes] in its function."""

    instruction: NativeInstruction
    offset: int
    label: str
    text: str
    line: SourceLine


def bytecode_of(code: ProgramCode, symbols: Symbols, call_base: int) -> list[tuple[Function, list[Placed]]]:
    """Each function of a program with its instructions.

    Parameters
    ----------
    code : ProgramCode
    symbols : callable
        The name of a kernel address.
    call_base : int
        The kernel's ``__bpf_call_base``, 0 when unknown.
    """
    instructions = list(bytecode.decode(code.bytecode))
    names = Names(code, symbols, call_base)
    starts = [each.start for each in code.functions]
    lines = [each.instruction for each in code.lines]
    labels = _labels((each.target for each in instructions if each.is_jump), starts)
    found: list[tuple[Function, list[Placed]]] = [(function, []) for function in code.functions]
    for each in instructions:
        written = names.text(each)
        if each.is_jump and each.target in labels:
            written = _JUMP.sub(labels[each.target], written)
        placed = Placed(each, labels.get(each.number, ""), written, _covering(code.lines, lines, each.number))
        found[max(bisect.bisect_right(starts, each.number) - 1, 0)][1].append(placed)
    return found


def native_of(code: ProgramCode, symbols: Symbols, machine: str) -> list[tuple[Function, list[PlacedNative]]]:
    """Each function of a program with its native instructions.

    Parameters
    ----------
    code : ProgramCode
    symbols : callable
        The name of a kernel address.
    machine : str
        The architecture, as uname has it.

    Raises
    ------
    MissingFeature
        There is no disassembler for it.
    """
    own = {each.address: function.name for each, function in zip(code.native, code.functions, strict=False)}
    ordered = sorted(zip(code.native_lines, code.lines, strict=False), key=lambda pair: pair[0])
    addresses, lines = [address for address, _ in ordered], [line for _, line in ordered]
    found = []
    for made, function in zip(code.native, code.functions, strict=False):
        instructions = list(native.decode(made.code, made.address, machine))
        inside = range(made.address, made.address + len(made.code))
        labels = _labels(
            (each.target for each in instructions if not each.is_call and each.target in inside), ()
        )
        placed = [
            PlacedNative(
                each,
                each.address - made.address,
                labels.get(each.address, ""),
                _named(each, labels, own, symbols),
                _covering(lines, addresses, each.address),
            )
            for each in instructions
        ]
        found.append((function, placed))
    return found


def _named(
    instruction: NativeInstruction, labels: dict[int, str], own: dict[int, str], symbols: Symbols
) -> str:
    target = instruction.target
    if target is None:
        return instruction.text
    name = labels.get(target, "") if not instruction.is_call else ""
    name = name or own.get(target, "") or symbols(target)
    if not name:
        return instruction.text
    written = f"{target:#x}"
    if written in instruction.text:
        return re.sub(rf"#?{written}\b", lambda _: name, instruction.text)
    return f"{instruction.text} ({name})"  # through a register


def _labels(targets: Iterable[int | None], starts: Sequence[int]) -> dict[int, str]:
    """Names of the places that are jumped to, counted in each function anew."""
    labels: dict[int, str] = {}
    places = sorted({target for target in targets if target is not None})
    for _, group in itertools.groupby(places, lambda place: bisect.bisect_right(starts, place)):
        labels |= {place: f"L{number}" for number, place in enumerate(group, 1)}
    return labels


def _covering(lines: Sequence[SourceLine], starts: Sequence[int], at: int) -> SourceLine:
    place = bisect.bisect_right(starts, at) - 1
    return lines[place] if place >= 0 else _NOWHERE
