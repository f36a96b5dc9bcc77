"""Listings: frames of code beside its C lines, which a notebook shows as folded HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.inside import page, placed
from ebpf_lab.inside.names import Symbols
from ebpf_lab.inside.page import Block, Row, Section
from ebpf_lab.inside.program import Function, ProgramCode, SourceLine


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
        for function, instructions in placed.bytecode_of(code, symbols, call_base):
            section = _Section(function, code)
            for each in instructions:
                rows.add(
                    program=code.name,
                    function=function.name,
                    instruction=each.instruction.number,
                    label=each.label,
                    code=each.text,
                    bytes=each.instruction.raw.hex(" "),
                    **_place(each.line),
                )
                section.add(each.line, Row(str(each.instruction.number), each.label, each.text))
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
        sizes = {each.start: len(made.code) for each, made in zip(code.functions, code.native, strict=False)}
        for function, instructions in placed.native_of(code, symbols, machine):
            section = _Section(function, code)
            for each in instructions:
                rows.add(
                    program=code.name,
                    function=function.name,
                    address=each.instruction.address,
                    offset=each.offset,
                    label=each.label,
                    code=each.text,
                    bytes=each.instruction.raw.hex(" "),
                    **_place(each.line),
                )
                section.add(each.line, Row(f"{each.offset:x}", each.label, each.text))
            sections.append(section.made("instruction", f"{sizes[function.start]:,} bytes"))
    listing = Listing.made(rows, sections)
    if "address" in listing:
        listing["address"] = HexArray(np.array(rows.columns["address"], np.uint64))
    return listing


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
