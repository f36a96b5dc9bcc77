"""Listings: frames of code beside its C lines, which a notebook shows as folded HTML."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.inside import bytecode, native, page
from ebpf_lab.inside.names import Names, Symbols
from ebpf_lab.inside.page import Block, Row, Section
from ebpf_lab.inside.program import Function, ProgramCode, SourceLine

_JUMP = re.compile(r"pc[+-]\d+$")
_NOWHERE = SourceLine(0, "", 0, 0, "")


class Listing(pd.DataFrame):
    """A frame that a notebook shows as a folded listing; whatever is made of it is an ordinary frame.

    Attributes
    ----------
    log : str
        Of a listing made of a log: the whole of that.
    """

    _metadata = ["_sections", "log"]  # noqa: RUF012  # pandas looks for a list
    _sections: Sequence[Section] = ()
    log = ""

    @classmethod
    def made(cls, rows: Rows, sections: Sequence[Section], log: str = "") -> Listing:
        """A frame of these rows, and how it is shown."""
        frame = pd.DataFrame(rows.columns)
        for name in ("line", "column"):
            if name in frame:
                frame[name] = frame[name].astype("Int64")
        made = cls(frame)
        made._sections, made.log = tuple(sections), log
        return made

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def _repr_html_(self) -> str:
        return page.html(self._sections)

    def __repr__(self) -> str:
        return page.text(self._sections)


@dataclass(slots=True)
class Rows:
    """Columns of the frame to be."""

    columns: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, **values: object) -> None:
        """A row more."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)


def of_bytecode(codes: Iterable[ProgramCode], symbols: Symbols, call_base: int) -> Listing:
    """Bytecode beside the C.

    Parameters
    ----------
    codes : iterable of ProgramCode
    symbols : callable
        The name of a kernel address.
    call_base : int
        The kernel's ``__bpf_call_base``, 0 when unknown.
    """
    rows, sections = Rows(), []
    for code in codes:
        instructions = list(bytecode.decode(code.bytecode))
        names = Names(code, symbols, call_base)
        starts = [each.start for each in code.functions]
        lines = [each.instruction for each in code.lines]
        labels = _labels((each.target for each in instructions if each.is_jump), starts)
        for at, function in enumerate(code.functions):
            end = starts[at + 1] if at + 1 < len(starts) else len(code.bytecode) // bytecode.SIZE
            section = _Section(function, code)
            for each in instructions:
                if not function.start <= each.number < end:
                    continue
                written = names.text(each)
                if each.is_jump and each.target in labels:
                    written = _JUMP.sub(labels[each.target], written)
                line, label = _covering(code.lines, lines, each.number), labels.get(each.number, "")
                rows.add(
                    program=code.name,
                    function=function.name,
                    instruction=each.number,
                    label=label,
                    code=written,
                    bytes=each.raw.hex(" "),
                    **_place(line),
                )
                section.add(line, Row(str(each.number), label, written))
            sections.append(section.made("instruction"))
    return Listing.made(rows, sections)


def of_native(codes: Iterable[ProgramCode], symbols: Symbols, machine: str) -> Listing:
    """Native code beside the C.

    Parameters
    ----------
    codes : iterable of ProgramCode
    symbols : callable
        The name of a kernel address.
    machine : str
        The architecture, as uname has it.
    """
    rows, sections = Rows(), []
    for code in codes:
        own = {
            each.address: function.name for each, function in zip(code.native, code.functions, strict=False)
        }
        ordered = sorted(zip(code.native_lines, code.lines, strict=False), key=lambda pair: pair[0])
        lines = [address for address, _ in ordered]
        for made, function in zip(code.native, code.functions, strict=False):
            section = _Section(function, code)
            instructions = list(native.decode(made.code, made.address, machine))
            inside = range(made.address, made.address + len(made.code))
            labels = _labels(
                (each.target for each in instructions if not each.is_call and each.target in inside), ()
            )
            for each in instructions:
                written = _named(each, labels, own, symbols)
                line = _covering([place for _, place in ordered], lines, each.address)
                label = labels.get(each.address, "")
                offset = each.address - made.address
                rows.add(
                    program=code.name,
                    function=function.name,
                    address=each.address,
                    offset=offset,
                    label=label,
                    code=written,
                    bytes=each.raw.hex(" "),
                    **_place(line),
                )
                section.add(line, Row(f"{offset:x}", label, written))
            sections.append(section.made("instruction", f"{len(made.code):,} bytes"))
    listing = Listing.made(rows, sections)
    if "address" in listing:
        listing["address"] = HexArray(np.array(rows.columns["address"], np.uint64))
    return listing


def _named(
    instruction: native.NativeInstruction, labels: dict[int, str], own: dict[int, str], symbols: Symbols
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


def _place(line: SourceLine) -> dict[str, object]:
    return {
        "file": line.file,
        "line": line.line or pd.NA,
        "column": line.column or pd.NA,
        "source": line.text,
    }


class _Section:
    """A function's instructions, grouped by the line that they come from."""

    def __init__(self, function: Function, code: ProgramCode) -> None:
        self._name = function.name
        self._of = "" if function.name == code.name else code.name
        self._blocks: list[Block] = []
        self._last: tuple[str, int, str] | None = None
        self._count = 0

    def add(self, line: SourceLine, row: Row) -> None:
        here = (line.file, line.line, line.text)
        if here != self._last:
            self._blocks.append(Block(line.file, line.line, line.text.strip()))
            self._last = here
        self._blocks[-1].rows.append(row)
        self._count += 1

    def made(self, what: str, more: str = "") -> Section:
        lines = len({block.line for block in self._blocks if block.line and not block.file})
        notes = [f"called by {self._of}"] if self._of else []
        notes.append(_counted(self._count, what))
        notes += [more] if more else []
        notes += [f"from {_counted(lines, 'line')} of C" if lines else "no C lines are known"]
        return Section(self._name, ", ".join(notes), self._blocks)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
