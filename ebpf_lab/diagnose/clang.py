"""What clang said about a text that does not compile, in the learner's own lines.

Both dialects are compiled by clang, so both backends use this.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from ebpf_lab.diagnose import causes
from ebpf_lab.diagnose.known import Known
from ebpf_lab.errors import CompileError, Mark

_SHOWN = 3
_WARNINGS = 10

_LOCATED = re.compile(
    r"(?P<file>[^\s:][^:]*):(?P<line>\d+):(?P<column>\d+): "
    r"(?P<severity>fatal error|error|warning|note): (?P<text>.*)"
)
# The BPF code generator reports in forms of its own.
_FROM_BACKEND = re.compile(
    r"(?:fatal )?error: (?P<file>[^\s:][^:]*):(?P<line>\d+):(?P<column>\d+): "
    r"in function \S+ .*?\): (?P<text>.*)"
)
_FROM_SELECTION = re.compile(
    r"Error at line (?P<line>\d+): (?P<text>.*?) for DAG: .*:\d+:(?P<column>\d+)(?P<advice>\D.*)"
)
_UNLOCATED = re.compile(r"(?:clang(?:-\d+)?: )?(?:fatal )?error: (?P<text>.*)")
_INCLUDED = re.compile(r"In file included from (?P<file>[^\s:][^:]*):(?P<line>\d+)[:,]")
_CARET = re.compile(r"(?:\s*\|)?[\s~]*\^(?P<tail>~*)")
# Stands for the file where the code generator names none: it is always the text's.
_THE_TEXT = "<text>"
# What clang says where it stops short on an error, before it shows the stack of its own functions.
_CRASH = "PLEASE submit a bug report"
_USELESS_NOTES = ("could not determine", "include the header")
_DEFINITION = re.compile(r"\s*#\s*define\b")
_UNENDED = re.compile(r"expected ';' after (?:struct|union|enum)")
# Errors that others follow from, whatever order clang finds them in.
_ROOT = _UNENDED
_SWITCH = re.compile(r" \[-W[^\]]*\]$")
_WORD = re.compile(r"\w+")


@dataclass(slots=True)
class Diagnostic:
    """One message of clang.

    Attributes
    ----------
    file : str
        File as clang names it, "" when the message has no place.
    line, column : int
        Position from 1; the column counts bytes; 0 when unknown.
    length : int
        Characters that clang underlined.
    severity : str
        "error" or "warning".
    text : str
        The message, without the name of the switch that made it an error.
    included_from : tuple of (str, int)
        Files and lines of the ``#include`` directives that led here, outermost first.
    notes : list of Diagnostic
        The notes that clang printed below it.
    """

    file: str
    line: int
    column: int
    severity: str
    text: str
    length: int = 1
    included_from: tuple[tuple[str, int], ...] = ()
    notes: list[Diagnostic] = field(default_factory=list)


def parse(log: str) -> list[Diagnostic]:
    """Read clang's output; whatever is not a message is passed over.

    Parameters
    ----------
    log : str
        What clang wrote to its standard error.

    Returns
    -------
    list of Diagnostic
        Errors and warnings in order of appearance, each with its notes.
    """
    found: list[Diagnostic] = []
    included: list[tuple[str, int]] = []
    latest: Diagnostic | None = None
    caret_in = 0
    for line in log.splitlines():
        caret_in -= 1
        if match := _INCLUDED.match(line):
            included.append((match["file"], _number(match["line"])))
            continue
        if made := _message(line):
            made.included_from, included = tuple(included), []
            latest, caret_in = made, 2
            if made.severity != "note":
                found.append(made)
            elif found:
                found[-1].notes.append(made)
        elif latest and caret_in == 0 and (match := _CARET.match(line)):
            latest.length = 1 + len(match["tail"])
    return found


def compile_error(
    log: str,
    text: str,
    *,
    files: Collection[str],
    dialect: str = "libbpf",
    reason: str = "",
    known: Known | None = None,
) -> CompileError:
    """The error to raise for a text that does not compile.

    Parameters
    ----------
    log : str
        What clang wrote; kept whole on the error.
    text : str
        The learner's C text.
    files : collection of str
        Names under which clang knows that text.
    dialect, reason : str
        The dialect that the text was taken for, and what in it said so: explains the other's words in it.
    known : Known, optional
        What may be named in a text here.
    """
    log = log.partition(_CRASH)[0]
    errors = [message for message in parse(log) if message.severity == "error"]
    # A place beats none: what clang says of itself ("1 error generated") matters only when all else fails.
    errors = [message for message in errors if message.file] or errors
    if not errors:
        return CompileError("clang failed without naming an error", log=log)
    # sorted() keeps the order of the others.
    errors = sorted(_distinct(errors), key=lambda error: not _ROOT.match(error.text))
    lines = text.splitlines()
    first = errors[0]
    what = first.text
    if first.file and first.file != _THE_TEXT and first.file not in files:
        what = f"{first.file}:{first.line}: {what}"
    if len(errors) > 1:
        what = f"{what} (the first of {len(errors)} errors)"
    marks: list[Mark] = []
    for error in errors:
        made = _marks(error, lines, files, note="" if error.text == first.text else error.text)
        # What else is wrong with a line mostly follows from the first thing.
        if made and made[0].line not in {mark.line for mark in marks} and len(marks) < _SHOWN:
            marks += made
    complaint = _complaint(first, marks, text, dialect, reason, known or Known())
    found = causes.of_compile_error(complaint)
    if found.marked:
        marks = _marked_instead(found.marked, marks)
    failed = CompileError(what, where=tuple(marks), why=found.why, hint=found.hint, log=log)
    failed.warnings = warnings(log, text, files)
    return failed


def warnings(log: str, text: str, files: Collection[str]) -> tuple[Mark, ...]:
    """The places in a text that clang warned of, each with its words.

    Parameters
    ----------
    log, text, files
        As of :func:`compile_error`.
    """
    lines = text.splitlines()
    found: dict[tuple[int, int], Mark] = {}
    for message in parse(log):
        if message.severity == "warning" and message.file in files:
            mark = _mark(message.line, message.column, message.length, lines, message.text)
            found.setdefault((mark.line, mark.column), replace(mark, severity="warning"))
    return tuple(found.values())[:_WARNINGS]


def _complaint(
    first: Diagnostic, marks: list[Mark], text: str, dialect: str, reason: str, known: Known
) -> causes.Complaint:
    mark = marks[0] if marks else Mark(0)
    marked = mark.text[mark.column - 1 :][: mark.length] if mark.column else ""
    earlier = tuple(note.file for note in first.notes)
    return causes.Complaint(
        first.text, mark.text, marked, mark.line, mark.column, earlier, text, dialect, reason, known
    )


def _distinct(errors: list[Diagnostic]) -> list[Diagnostic]:
    """Without those that say the same of the same place: the code generator does, for each instruction."""
    return list({(error.file, error.line, error.column, error.text): error for error in errors}.values())


def _marked_instead(pattern: str, marks: list[Mark]) -> list[Mark]:
    """The marks, with what a cause is about marked where it is: clang may mark what follows from it."""
    for index, mark in enumerate(marks):
        found = [match.span() for match in re.finditer(pattern, mark.text)]
        if found and (index == 0 or len(marks) > 1):
            start, end = found[0]
            moved = replace(mark, column=start + 1, length=end - start, note="" if index else mark.note)
            return [*marks[:index], moved, *marks[index + 1 :]]
    return marks


def _message(line: str) -> Diagnostic | None:
    if match := _LOCATED.match(line):
        severity = match["severity"].removeprefix("fatal ")
        text = _SWITCH.sub("", match["text"])
        return Diagnostic(match["file"], _number(match["line"]), _number(match["column"]), severity, text)
    if match := _FROM_BACKEND.match(line):
        known = match["file"] != "<unknown>"
        place = (match["file"], _number(match["line"]), _number(match["column"])) if known else ("", 0, 0)
        return Diagnostic(*place, "error", match["text"])
    if match := _FROM_SELECTION.match(line):
        text = f"{match['text']}. {match['advice']}"
        return Diagnostic(_THE_TEXT, _number(match["line"]), _number(match["column"]), "error", text)
    if match := _UNLOCATED.match(line):
        return Diagnostic("", 0, 0, "error", match["text"])
    return None


def _number(digits: str) -> int:
    return int(digits[:9])


def _place(message: Diagnostic, files: Collection[str]) -> tuple[int, int] | None:
    """Line and column in the learner's text; an error in a header is where the text includes it."""
    if message.file in files or message.file == _THE_TEXT:
        return message.line, message.column
    for file, line in message.included_from:
        if file in files:
            return line, 0
    return None


def _marks(error: Diagnostic, lines: list[str], files: Collection[str], note: str) -> list[Mark]:
    place = _place(error, files)
    if place and _UNENDED.match(error.text):
        place = _end_before(place, lines)
    marks = [_mark(*place, error.length, lines, note)] if place else []
    for hint in error.notes:
        # There is no C library to include, and expansions of header macros are clang's own affair.
        if hint.file in files and hint.column and not hint.text.startswith(_USELESS_NOTES):
            made = _mark(hint.line, hint.column, hint.length, lines, hint.text)
            if hint.text.startswith("expanded from") and not _DEFINITION.match(made.text):
                continue
            marks.append(replace(made, severity="note"))
            break
    return marks


def _end_before(place: tuple[int, int], lines: list[str]) -> tuple[int, int]:
    """The end of the } above, where that is the last thing before ``place``."""
    line, column = place
    before = lines[line - 1][: column - 1] if 0 < line <= len(lines) else ""
    while line > 1 and not before.rstrip().endswith("}"):
        if before.strip() and not before.strip().startswith(("SEC(", "//")):
            return place
        line -= 1
        before = lines[line - 1]
    return (line, len(before.rstrip()) + 1) if before.rstrip().endswith("}") else place


def _mark(line: int, column: int, length: int, lines: list[str], note: str) -> Mark:
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    if column:
        # clang counts bytes; a caret needs characters.
        column = len(text.encode()[: column - 1].decode("utf-8", "replace")) + 1
        word = _WORD.match(text, column - 1)
        length = max(length, len(word[0]) if word else 1)
    return Mark(line, text, column, length, note)
