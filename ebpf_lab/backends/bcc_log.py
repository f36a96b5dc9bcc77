"""What bcc and the verifier printed, put into terms of the learner's text.

The result has the form that clang and new kernels have by themselves, which
:mod:`ebpf_lab.diagnose` reads: ``cell.c:LINE:COLUMN: error: …`` and ``; C line @ cell.c:LINE``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from ebpf_lab.backends.bcc_text import BccText, numbered, type_number
from ebpf_lab.diagnose.verifier import Place

CELL = "cell.c"
"""The name of the learner's text in logs."""

_MAIN = re.escape("/virtual/main.c")
_LOCATED = re.compile(rf"{_MAIN}:(?P<line>\d+):(?P<column>\d+): (?P<message>.*)")
_INCLUDED = re.compile(rf"In file included from {_MAIN}:(?P<line>\d+)(?P<end>[:,].*)")
_GENERATOR = re.compile(
    rf"(?P<head>(?:fatal )?error: )(?:{_MAIN}|<unknown>):(?P<line>\d+):\d+"
    r"(?P<message>: in function (?P<function>\S+) .*)"
)
# Before LLVM 16 and since.
_TOO_MANY = re.compile(
    r"too many args to 0x\S+ i64 = Constant<\d+>|0x\S+ i64 = Constant<\d+> too many arguments"
)
_AT_LINE = re.compile(r"Error at line (?P<line>\d+)(?P<message>: .*)")
_GAVE_UP = re.compile(r"LLVM ERROR: (?P<message>.*)")
_QUOTED = re.compile(r"\s*\d+ \| (?P<text>.*)")
_CODE_POINT = re.compile(r"<U\+([0-9A-F]{4,6})>")
_CARET = re.compile(r"(?:\s*\| )?(?P<indent>[\s~]*)\^(?P<tail>~*)")
_INCLUDE = re.compile(r"\s*#\s*include\b")
# The disassembly: "Disassembly of function NAME", "; C line // Line  N", "  12:	07 ...".
_FUNCTION = re.compile(r"Disassembly of (?:function|section) (?:\.bpf\.fn\.)?(\w+):?")
_SOURCE = re.compile(r"; (?P<text>.*?)(?: // Line +\d+)?")
_INSTRUCTION = re.compile(r"\s*(\d+):\t")
_STEP = re.compile(r"\s*(\d+): \(")
_VERIFIED = re.compile(r"; (?P<text>.*?)(?: @ [^\s@]+:\d+)?")
_INVOCATION = re.compile(r"clang(?:-\d+)? -cc1 ")
_FIRST_REWRITTEN, _LAST_REWRITTEN = "#if defined(BPF_LICENSE)", "#include <bcc/footer.h>"
_NOISE = re.compile(r"(?:\d+ warnings? (?:and \d+ errors? )?generated|\d+ errors? generated)\.")


def compiler(messages: str, made: BccText, programs: Mapping[str, int]) -> str:
    """bcc's messages on a text.

    Parameters
    ----------
    messages : str
        What bcc printed, the rewritten text included.
    made : BccText
        The text that it got.
    programs : mapping
        The line of each program's definition, by its name in bcc.
    """
    rewritten, said = _split(messages)
    return "\n".join(_Translation(made, rewritten, programs).lines(said))


def types_refused(messages: str) -> set[int]:
    """Numbers of the event types whose declarations, behind the learner's text, do not compile."""
    _, said = _split(messages)
    quoted = (after for line, after in itertools.pairwise(said) if ": error: " in line)
    return {number for line in quoted if (number := type_number(line)) is not None}


def verifier(log: str, made: BccText, places: Sequence[Place] = ()) -> str:
    """A verifier's log with the learner's C lines.

    Parameters
    ----------
    log : str
    made : BccText
        The text that bcc got.
    places : sequence of Place
        Where its instructions come from.  Without it, the lines that the kernel prints have to do; it has
        none where bcc tried a second time.
    """
    by_instruction = {place.instruction: place.line for place in places}
    lines, latest = [], 0
    for line in log.splitlines():
        number = 0
        if match := _VERIFIED.fullmatch(line):
            if places:
                continue
            _, number = numbered(match["text"])
        elif match := _STEP.match(line):
            number = by_instruction.get(int(match[1]), 0)
        if number and number != latest:
            lines.append(f"; {made.line(number).strip()} @ {CELL}:{number}")
            latest = number
        if not line.startswith("; "):
            lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def places(messages: str, made: BccText, function: str) -> list[Place]:
    """Where the instructions of a program come from; ``messages`` has its disassembly."""
    found = []
    inside, number = False, 0
    for line in messages.splitlines():
        if match := _FUNCTION.fullmatch(line):
            inside = match[1] == function
            number = 0
        elif inside and (match := _SOURCE.fullmatch(line)):
            # What is not the learner's came of the line before it.
            number = numbered(match["text"])[1] or number
        elif inside and number and (match := _INSTRUCTION.match(line)):
            found.append(Place(int(match[1]), number, 0, made.line(number)))
    return found


def _split(messages: str) -> tuple[list[str], list[str]]:
    """The rewritten text, and everything else."""
    lines = [line for line in messages.splitlines() if not _INVOCATION.match(line)]
    if _FIRST_REWRITTEN not in lines or _LAST_REWRITTEN not in lines:
        return [], lines
    first, last = lines.index(_FIRST_REWRITTEN), lines.index(_LAST_REWRITTEN)
    return lines[first:last], lines[:first] + lines[last + 1 :]


class _Translation:
    def __init__(self, made: BccText, rewritten: Sequence[str], programs: Mapping[str, int]) -> None:
        self._made = made
        self._rewritten = rewritten
        self._programs = programs

    def lines(self, said: Sequence[str]) -> Iterator[str]:
        at = 0
        while at < len(said):
            line = said[at]
            at += 1
            if match := _LOCATED.fullmatch(line):
                quoted = said[at] if at < len(said) else ""
                caret = _CARET.fullmatch(said[at + 1]) if at + 1 < len(said) else None
                yield from self._located(match, quoted, caret)
                at += 2 if caret else bool(_CARET.fullmatch(quoted))
            elif match := _INCLUDED.fullmatch(line):
                yield f"In file included from {CELL}:{self._include(int(match['line']))}{match['end']}"
            elif match := _GENERATOR.fullmatch(line):
                place = self._place(int(match["line"])) or self._programs.get(match["function"], 0)
                message = _TOO_MANY.sub("too many args to a helper", match["message"])
                yield f"{match['head']}{CELL}:{place}:0{message}"
            elif match := _AT_LINE.fullmatch(line):
                yield f"Error at line {self._place(int(match['line']))}{match['message']}"
            elif match := _GAVE_UP.fullmatch(line):
                yield f"error: {match['message']}"
            elif not _NOISE.fullmatch(line):
                yield line

    def _located(self, match: re.Match[str], quoted: str, caret: re.Match[str] | None) -> Iterator[str]:
        if framed := _QUOTED.fullmatch(quoted):
            quoted = framed["text"]
        # clang spells out what is not ASCII.
        quoted = _CODE_POINT.sub(lambda point: chr(int(point[1], 16)), quoted)
        bare, number = numbered(quoted)
        if _CARET.fullmatch(quoted):
            # Nothing to quote: behind the text's end, where a bracket still waits for its partner.
            number, column = self._made.end
        else:
            number = number or self._made.number_of(bare) or self._place(int(match["line"]))
            column = self._made.column(number, bare, int(match["column"]))
        yield f"{CELL}:{number}:{column}: {match['message']}"
        if caret:
            yield self._made.line(number)
            yield " " * (column - 1) + "^" + caret["tail"] if column else ""

    def _place(self, line: int) -> int:
        """The learner's line behind a line of the rewritten text."""
        # What bcc inserts stands above the line that it belongs to.
        for candidate in self._rewritten[line - 1 :] if line else ():
            _, number = numbered(candidate)
            if number:
                return number
        return 0

    def _include(self, line: int) -> int:
        """The learner's ``#include`` on this line of what bcc read, or the last one above it."""
        lines = self._made.text.split("\n")
        for candidate in reversed(lines[:line]):
            bare, number = numbered(candidate)
            if number and _INCLUDE.match(bare):
                return number
        return 0
