"""What the kernel's verifier said about a program it refused, in the learner's own lines."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ebpf_lab.diagnose.about_flow import Fields
from ebpf_lab.diagnose.explain import explain
from ebpf_lab.diagnose.expressions import Code
from ebpf_lab.diagnose.report import Report, ReportPlace
from ebpf_lab.diagnose.verifier_log import Step, is_complete, read
from ebpf_lab.errors import Mark, VerifierRejected

__all__ = ["Place", "is_complete", "rejected", "with_walk"]

_GAVE_UP = re.compile(r"program is too large|jumps is too complex")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instruction comes from, out of the object's line records.

    Attributes
    ----------
    instruction : int
        Number in the program, as the log counts; -1 in a function that the program calls, whose
        instructions get their numbers when it is loaded.
    line, column : int
        Position in the learner's text, from 1.
    text : str
        The line, as the compiler read it.
    """

    instruction: int
    line: int
    column: int
    text: str


def with_walk(log: str, beginning: str) -> str:
    """A log without its walk, and before it the walk's beginning where that tells something.

    Kernels before 6.4 keep the beginning of a walk that does not fit.  It leads to no error, but to the loop
    that kept the verifier busy until it gave up.

    Parameters
    ----------
    log : str
        What is wrong with the program, and no walk.
    beginning : str
        What the kernel kept of the walk.
    """
    return f"{beginning.rpartition(chr(10))[0]}\n{log}" if _GAVE_UP.search(log) else log


def rejected(
    log: str,
    *,
    function: str,
    text: str,
    files: Collection[str] = (),
    places: Sequence[Place] = (),
    definition: int = 0,
    otherwise: str = "",
    fields: Fields | None = None,
) -> VerifierRejected:
    """The error to raise for a program that the verifier refused.

    Parameters
    ----------
    log : str
        What the verifier said; kept whole on the error.
    function : str
        The program's name.
    text : str
        The learner's C text.
    files : collection of str
        Base names under which the log knows that text.
    places : sequence of Place
        The object's line records, by instruction.
    definition : int
        The line of the program's definition, 0 when unknown: what an error is about that names no other.
    otherwise : str
        What to say when the log names no error.
    fields : callable, optional
        What the running kernel's structs have.
    """
    found, code = read(log, files), Code(text)
    what = found.error or otherwise or "the verifier refused it without naming an error"
    made = explain(found, code, _Places(code, places).locate, definition=definition, fields=fields)
    if found.report is not None:
        what = found.error or found.report.problem
        made.why, made.hint = found.report.reason or made.why, found.report.suggestion
        made.marks = _reported(found.report, code, files) or made.marks
    return VerifierRejected(
        f"{function}: {what}",
        where=(*(replace(mark, severity="note") for mark in made.marks[:-1]), *made.marks[-1:]),
        why=made.why,
        hint=made.hint,
        log=log,
        rule=made.rule,
        steps=tuple(made.steps),
    )


class _Places:
    """From steps to the learner's lines."""

    def __init__(self, code: Code, places: Sequence[Place]) -> None:
        self._code = code
        self._places = places
        self._known: dict[tuple[int, object], tuple[int, int]] = {}

    def locate(self, step: Step) -> tuple[int, int]:
        """Line and column, (0, 0) when unknown."""
        key = (step.instruction, step.comment)
        if key not in self._known:
            self._known[key] = self._find(step)
        return self._known[key]

    def _find(self, step: Step) -> tuple[int, int]:
        place, comment = self._covering(step.instruction), step.comment
        if place is not None and step.code.startswith("<invalid "):
            # What libbpf put in its place took the C line with it.
            return place.line, place.column
        if comment is not None and comment.line:
            if place is None or place.line != comment.line:
                place = self._first_on_line.get(comment.line)
            return comment.line, place.column if place else 0
        if comment is not None:
            if place is None or place.text.strip() != comment.text:
                place = self._first_with_text.get(comment.text)
            if place is None:
                same = self._lines_with_text.get(comment.text, [])
                return (same[0], 0) if len(same) == 1 else (0, 0)
        return (place.line, place.column) if place else (0, 0)

    def _covering(self, instruction: int) -> Place | None:
        """The record for an instruction: the last one that begins at it or before."""
        before = [place for place in self._places if 0 <= place.instruction <= instruction]
        return max(before, key=lambda place: place.instruction, default=None)

    @cached_property
    def _first_on_line(self) -> dict[int, Place]:
        return {place.line: place for place in reversed(self._places)}

    @cached_property
    def _first_with_text(self) -> dict[str, Place]:
        return {place.text.strip(): place for place in reversed(self._places)}

    @cached_property
    def _lines_with_text(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, line in enumerate(self._code.lines, 1):
            found.setdefault(line.strip(), []).append(number)
        return found


def _reported(report: Report, code: Code, files: Collection[str]) -> list[Mark]:
    """The marks of the kernel's own report, as far as they are in the learner's text."""

    def marked(place: ReportPlace) -> list[Mark]:
        known = place.line and (not files or os.path.basename(place.file) in files)
        return [code.mark(place.line, place.column, "statement", place.text)] if known else []

    at = [mark for place in report.at for mark in marked(place)]
    way = [mark for place in report.path for mark in marked(place)]
    return [*dict.fromkeys(way), *at] if at else []
