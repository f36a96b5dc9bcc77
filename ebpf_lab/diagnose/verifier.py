"""What the kernel's verifier said about a program it refused, in the learner's own lines.

The log is a walk through the program: ``; C line @ file:line``, then the instructions of that line with the
state that the verifier knows; the last of them is followed by what is wrong with it.  Kernels before 6.10
print the C line only; the object's own line records then say which line it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ebpf_lab.diagnose import rules
from ebpf_lab.errors import Mark, VerifierRejected

_END = re.compile(r"processed \d+ insns")
_STATISTICS = re.compile(r"(?:verification time|stack depth|processed) ")
_STEP = re.compile(r"\s*(\d+): ")
_SOURCE = re.compile(r"; (?P<text>.*?)(?: @ (?P<file>[^\s@]+):(?P<line>\d+))?")
# What the walk prints besides steps: states, jumps, bookkeeping.
_PASSING = re.compile(
    r"\s|;|from \d|func#|func '|arg#\d+ reference type|reg type unsupported for arg#|Validating "
    r"|cur state:|old state:|mark_precise|last_idx|regs=|parent |propagating"
    r"|caller|callee|returning from|to caller|R\d+(?:_\w+)?=|frame\d"
)
_JUMPED = re.compile(r"from (\d+) to \d+")
# A program's end belongs to its closing brace, or to the macro that wraps it (BPF_PROG, BPF_KPROBE, …).
_END_OF_ALL = re.compile(r"\}(?: *//.*)?|[\w *]*\bBPF_\w+\(.*")
_INSTRUCTION = re.compile(r"\binsn (\d+)")
# The verifier gave up somewhere; what keeps it busy is the loop that it was last in.
_GAVE_UP = re.compile(r"program is too large|jumps is too complex")
# What is counted for the program as a whole, after the walk.
_OVERALL = re.compile(r"combined stack size")
_LOOP = re.compile(r"; .*\b(?:for|while)\b")
_ALLOCATED = re.compile(r"\balloc_insn=(\d+)")


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


@dataclass(frozen=True, slots=True)
class Rejection:
    """The end of a verifier log.

    Attributes
    ----------
    error : str
        What is wrong, in the kernel's words; "" when the log does not say.
    instruction : int
        The instruction that it is about, -1 when unknown.
    line : int
        Its C line as far as the log tells, 0 when it does not.
    source : str
        The C line's text in the log.
    allocated : int
        The instruction that acquired an unreleased reference, -1 if it is not about one.
    """

    error: str = ""
    instruction: int = -1
    line: int = 0
    source: str = ""
    allocated: int = -1


def is_complete(log: str) -> bool:
    """Whether the end of the log is there: a log that does not fit loses it on kernels before 6.4."""
    return any(_END.match(line) for line in log[-4096:].splitlines())


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


def parse(log: str, files: Collection[str] = ()) -> Rejection:
    """Read the end of a verifier log, whatever its shape: a damaged one yields less, never an error.

    Parameters
    ----------
    log : str
        The log of one program.
    files : collection of str
        Base names of the learner's text; C lines of other files are passed over.
    """
    lines = log.splitlines()
    end = next((at for at in range(len(lines) - 1, -1, -1) if _END.match(lines[at])), len(lines))
    first = end
    error = ""
    # The first line behind the last step is the most telling one: a summary may follow it.
    while first > 0 and not _STEP.match(lines[first - 1]):
        first -= 1
        line = lines[first]
        if line and not _PASSING.match(line) and not _STATISTICS.match(line):
            error = line.strip()
    at = first - 1
    instruction = _step(lines[at]) if at >= 0 else -1
    if named := _INSTRUCTION.search(error):
        instruction = _number(named[1])
        at = next((place for place in range(at, -1, -1) if _step(lines[place]) == instruction), -1)
    elif _GAVE_UP.search(error):
        at = next((place + 1 for place in range(at, -1, -1) if _LOOP.match(lines[place])), at)
        instruction = -1
    elif _OVERALL.match(error):
        at = instruction = -1
    allocated = _ALLOCATED.search(error)
    source, line_number = _source(lines, at, files)
    if _END_OF_ALL.fullmatch(source) and (left := _left_at(lines, at)) >= 0:
        # Every path ends there: the line that left for it says which one this is about.
        instruction = _step(lines[left])
        source, line_number = _source(lines, left, files)
    return Rejection(error, instruction, line_number, source, _number(allocated[1]) if allocated else -1)


def rejected(
    log: str,
    *,
    function: str,
    text: str,
    files: Collection[str] = (),
    places: Sequence[Place] = (),
    definition: int = 0,
    otherwise: str = "",
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
    """
    found = parse(log, files)
    error = found.error or otherwise or "the verifier refused it without naming an error"
    lines = text.splitlines()
    marks: list[Mark] = []
    if found.allocated >= 0 and (place := _covering(places, found.allocated)):
        marks.append(_mark(lines, place.line, place.column, "acquired here"))
    line, column = _position(found, lines, places)
    line = line or definition
    if line:
        marks.append(_mark(lines, line, column, ""))
    cause = rules.of_rejection(error, text, lines[line - 1] if 0 < line <= len(lines) else "")
    return VerifierRejected(
        f"{function}: {error}", where=tuple(marks), why=cause.why, hint=cause.hint, log=log
    )


def _step(line: str) -> int:
    match = _STEP.match(line)
    return _number(match[1]) if match else -1


def _number(digits: str) -> int:
    return int(digits[:9])


def _source(lines: Sequence[str], at: int, files: Collection[str]) -> tuple[str, int]:
    """Text and number of the C line that the step at ``lines[at]`` belongs to."""
    for line in reversed(lines[: max(at, 0)]):
        match = _SOURCE.fullmatch(line)
        if match and (match["file"] is None or not files or match["file"].rpartition("/")[2] in files):
            text, number = match["text"].strip(), _number(match["line"] or "0")
            # Line 0 is code that the compiler added.
            if text and (number or match["file"] is None):
                return text, number
    return "", 0


def _left_at(lines: Sequence[str], at: int) -> int:
    """Where the walk jumped to the C line of the step at ``lines[at]``, -1 when it went straight there."""
    number, begun = _step(lines[at]), False
    for place in range(at - 1, -1, -1):
        line = lines[place]
        if jumped := _JUMPED.match(line):
            wanted = _number(jumped[1])
            return next((each for each in range(place - 1, -1, -1) if _step(lines[each]) == wanted), -1)
        if _SOURCE.fullmatch(line):
            begun = True
        elif (step := _step(line)) >= 0:
            if step != number and begun:
                return place if " goto " in line else -1
            number = step
    return -1


def _position(found: Rejection, lines: Sequence[str], places: Sequence[Place]) -> tuple[int, int]:
    place = _covering(places, found.instruction)
    if found.line:
        if place is None or place.line != found.line:
            place = next((each for each in places if each.line == found.line), None)
        return found.line, place.column if place else 0
    if found.source:
        if place is None or place.text.strip() != found.source:
            place = next((each for each in places if each.text.strip() == found.source), None)
        if place is None:
            same = [number for number, line in enumerate(lines, 1) if line.strip() == found.source]
            return (same[0], 0) if len(same) == 1 else (0, 0)
    return (place.line, place.column) if place else (0, 0)


def _covering(places: Sequence[Place], instruction: int) -> Place | None:
    """The record for an instruction: the last one that begins at it or before."""
    before = [place for place in places if 0 <= place.instruction <= instruction]
    return max(before, key=lambda place: place.instruction, default=None)


def _mark(lines: Sequence[str], line: int, column: int, note: str) -> Mark:
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    if not column or column > len(text):
        return Mark(line, text, note=note)
    # The record names one point, often an operator: the statement around it is what the learner wrote.
    start = max(text.rfind(mark, 0, column - 1) for mark in ";{}") + 1
    ends = [place for mark in ";{}" if (place := text.find(mark, column - 1)) >= 0]
    statement = text[start : min(ends, default=len(text))]
    start += len(statement) - len(statement.lstrip())
    return Mark(line, text, start + 1, max(len(statement.strip()), 1), note)
