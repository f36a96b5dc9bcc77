"""Where in a cell its error is: what the notebook's editor underlines, as long as the output is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        "error"; "note" for what led to it; or "warning".
    message : str
        What to say of it.
    """

    line: int
    column: int
    length: int
    text: str
    severity: str
    message: str


def of_error(error: LabError) -> dict[str, object]:
    """The metadata of an output that shows the error."""
    lines = {mark.line for mark in error.where}
    # What else is wrong with a line mostly belongs to what is wrong in the first place.
    warnings = [mark for mark in error.warnings if mark.line not in lines]
    return _metadata([*((mark, _message(error, mark)) for mark in error.where), *_said(warnings)])


def of_warnings(warnings: Sequence[Mark]) -> dict[str, object]:
    """The metadata of an output that shows what the compiler warned of."""
    return _metadata(_said(warnings))


def _said(warnings: Sequence[Mark]) -> list[tuple[Mark, str]]:
    return [(mark, f"warning: {mark.note}") for mark in warnings]


def _metadata(said: Iterable[tuple[Mark, str]]) -> dict[str, object]:
    places = [
        Place(
            line=mark.line,
            column=mark.column,
            length=max(mark.length, 1),
            text=mark.text,
            severity=mark.severity,
            message=message,
        )
        for mark, message in said
        if mark.text.strip()
    ]
    return {METADATA: {"places": places}} if places else {}


def _message(error: LabError, mark: Mark) -> str:
    if mark.severity == "note":
        return mark.note or error.what
    # Where one place is simply the error's, what is said of another is an error of its own.
    if mark.note and any(each.severity == "error" and not each.note for each in error.where):
        return mark.note
    parts = [f"{type(error).__name__}: {error.what}", mark.note]
    parts += [f"{label}: {said}" for label, said in (("why", error.why), ("fix", error.hint)) if said]
    return "\n".join(part for part in parts if part)
