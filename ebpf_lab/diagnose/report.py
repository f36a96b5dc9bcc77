"""The verifier's own report: Reason, At, Causal path, Suggestion.

Since Linux commit ce7c9f6c599b (in v7.3) the log of a rejected program ends in one.  Its places have one
form, in "At" and in "Causal path" alike: where, the source around it, and under the line in question an
annotation, whose text may go on in the next lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BEGIN = "Verification failed: "
_SECTIONS = ("Reason:", "At:", "Causal path:", "Suggestion:")
_PLACE = re.compile(r"  (?:[\w.]+ @ )?(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+)")
_INSTRUCTION = re.compile(r"  insn (?P<number>\d+)")
_NOTE = re.compile(r"  +\| +\^-- (?P<label>[^:]*): (?P<text>.*)")
_MORE = re.compile(r"  +\|     +(?P<text>\S.*)")
_CURRENT = re.compile(r"  >>> *(?P<number>\d+) \| \([0-9a-f]{2}\) ")


@dataclass(slots=True)
class ReportPlace:
    """One place of a report.

    Attributes
    ----------
    line, column : int
        In the C text, 0 when the report has only an instruction.
    file : str
    instruction : int
        -1 when unknown.
    label, text : str
        The annotation: "branch", "took the true branch of this conditional, …".
    """

    line: int = 0
    column: int = 0
    file: str = ""
    instruction: int = -1
    label: str = ""
    text: str = ""


@dataclass(slots=True)
class Report:
    """What the verifier says in words.

    Attributes
    ----------
    problem : str
        Category and problem: "Register Type Safety: Unreadable register".
    reason, suggestion : str
    at : list of ReportPlace
        Where it failed.
    path : list of ReportPlace
        How it came to that.
    """

    problem: str
    reason: str = ""
    suggestion: str = ""
    at: list[ReportPlace] = field(default_factory=list)
    path: list[ReportPlace] = field(default_factory=list)


def cut_report(log: str) -> tuple[str, Report | None]:
    """The log without its report, and the report, None when it has none."""
    start = 0 if log.startswith(_BEGIN) else log.rfind(f"\n{_BEGIN}") + 1
    if not start and not log.startswith(_BEGIN):
        return log, None
    end = log.find("\nprocessed ", start)
    end = len(log) if end < 0 else end + 1
    return log[:start] + log[end:], _parse(log[start:end].split("\n"))


def _parse(lines: list[str]) -> Report:
    report = Report(lines[0].removeprefix(_BEGIN).strip())
    sections: dict[str, list[str]] = {name: [] for name in _SECTIONS}
    current: list[str] = []
    for line in lines[1:]:
        if line in sections:
            current = sections[line]
        else:
            current.append(line)
    report.reason = _prose(sections["Reason:"])
    report.suggestion = _prose(sections["Suggestion:"])
    report.at = _places(sections["At:"])
    report.path = _places(sections["Causal path:"])
    return report


def _prose(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def _places(lines: list[str]) -> list[ReportPlace]:
    found: list[ReportPlace] = []
    noted = False
    for line in lines:
        if match := _PLACE.fullmatch(line):
            place = ReportPlace(int(match["line"][:9]), int(match["column"][:9]), match["file"])
            found.append(place)
        elif match := _INSTRUCTION.fullmatch(line):
            found.append(ReportPlace(instruction=int(match["number"][:9])))
        elif found and (match := _NOTE.fullmatch(line)):
            found[-1].label, found[-1].text = match["label"], match["text"]
            noted = True
            continue
        elif found and noted and (match := _MORE.fullmatch(line)):
            found[-1].text += f" {match['text']}"
            continue
        elif found and found[-1].instruction < 0 and (match := _CURRENT.match(line)):
            found[-1].instruction = int(match["number"][:9])
        noted = False
    return found
