"""Where in a cell its error is: what the notebook's editor underlines, as long as the output is there."""

from __future__ import annotations

from typing import TypedDict

from ebpf_lab.errors import LabError, Mark

METADATA = "ebpf-lab"
"""The key of an output's metadata that the editor's extension reads (``ebpf_lab/labextension``)."""


class Place(TypedDict):
    """One marked place.

    Attributes
    ----------
    line : int
        Counted from the cell's ``%%bpf``, which is 0.
    column, length : int
        In characters; the column counts from 1, and 0 is the whole line.
    text : str
        The line as it was run: a place that no longer reads so is not marked.
    severity : str
        "error", or "note" for what led to it.
    message : str
        What to say of it.
    """

    line: int
    column: int
    length: int
    text: str
    severity: str
    message: str


def metadata(error: LabError) -> dict[str, dict[str, list[Place]]]:
    """What an output that shows the error says of it to the editor."""
    marks = [mark for mark in error.where if mark.text.strip()]
    return {METADATA: {"places": [_place(error, mark) for mark in marks]}} if marks else {}


def _place(error: LabError, mark: Mark) -> Place:
    return Place(
        line=mark.line,
        column=mark.column,
        length=max(mark.length, 1),
        text=mark.text,
        severity=mark.severity,
        message=_message(error, mark),
    )


def _message(error: LabError, mark: Mark) -> str:
    if mark.severity == "note":
        return mark.note or error.what
    # Where one place is simply the error's, what is said of another is an error of its own.
    if mark.note and any(each.severity == "error" and not each.note for each in error.where):
        return mark.note
    parts = [f"{type(error).__name__}: {error.what}", mark.note]
    parts += [f"{label}: {said}" for label, said in (("why", error.why), ("fix", error.hint)) if said]
    return "\n".join(part for part in parts if part)
