"""The lab's exceptions: one tree, each error with what, where, why, hint and log.

Nothing is printed and swallowed: every failure is raised as one of these.  A notebook shows the short
block of :meth:`LabError.block`; ``EBPF_LAB_TRACEBACK=1`` shows Python's whole traceback instead.
"""

from __future__ import annotations

import os
import traceback
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Mark:
    """One marked place in the learner's own source.

    Attributes
    ----------
    line : int
        Line of the cell's C text, counted from 1; 0 is the line of options above it, which ``text`` shows as
        written (``%%bpf -t 5``).
    text : str
        That line, as written.
    column : int
        First marked column, counted from 1; 0 marks the whole line and draws no caret.
    length : int
        Marked characters, at least 1.
    note : str
        Words shown behind the caret, "" for none.
    severity : str
        "error"; "warning"; or "note" for a place that only belongs to the story: where a name was declared,
        where a value was checked.
    """

    line: int
    text: str = ""
    column: int = 0
    length: int = 1
    note: str = ""
    severity: str = "error"


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of the way to an error, as the verifier knew it.

    Attributes
    ----------
    line, column : int
        In the learner's text; 0 where it is not known.
    insn : int
        The instruction's number.
    code : str
        The instruction: ``r0 += r6``.
    text : str
        The C line.
    register : str
        The register that it changes or looks at.
    before, after : str
        What the register held, in words; "" where the log does not say.
    """

    line: int
    column: int
    insn: int
    code: str
    text: str
    register: str
    before: str
    after: str


class LabError(Exception):
    """Base of every error the lab raises.

    Parameters
    ----------
    what : str
        What failed, in one line; the kernel's or compiler's own words where it has any.
    where : tuple of Mark
        Places in the learner's source, most important last.
    why : str
        The cause in plain words.
    hint : str
        What mends it.
    log : str
        The whole log of the compiler or verifier, kept on ``err.log``.

    Attributes
    ----------
    source : str
        The whole C text that ``where`` is about, "" for an error of something else.
    replayed : str
        Where and when it was recorded, "" for what happened just now.
    warnings : tuple of Mark
        What else the compiler found in that text.
    """

    source = ""
    replayed = ""
    warnings: tuple[Mark, ...] = ()

    def __init__(
        self, what: str, *, where: tuple[Mark, ...] = (), why: str = "", hint: str = "", log: str = ""
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint
        self.log = log

    def __str__(self) -> str:
        lines = [self.what]
        for mark in self.where:
            prefix = f"  line {mark.line}:  " if mark.line else "  "
            text = mark.text.expandtabs(1)
            if text.strip():
                lines.append(prefix + text.lstrip())
            else:
                lines.append(prefix.rstrip() + (f" {mark.note}" if mark.note else ""))
                continue
            if mark.column:
                indent = len(text) - len(text.lstrip())
                caret = "^" + "~" * (max(mark.length, 1) - 1)
                note = f" {mark.note}" if mark.note else ""
                lines.append(" " * (len(prefix) + max(mark.column - 1 - indent, 0)) + caret + note)
            elif mark.note:
                lines.append(" " * len(prefix) + mark.note)
        lines += _labelled("why", self.why) + _labelled("fix", self.hint)
        lines += [f"  {self.replayed}"] if self.replayed else []
        if self.log:
            omitted = self.log.count("\n") + (not self.log.endswith("\n"))
            lines.append(f"  ({omitted} log lines omitted: err.log)")
        return "\n".join(lines)

    def block(self) -> str:
        """The error as the learner reads it: its name, then what, where, why and fix."""
        return f"{type(self).__name__}: {self}"

    def _render_traceback_(self) -> list[str]:
        # IPython and ipykernel call this instead of formatting a stack.
        if os.environ.get("EBPF_LAB_TRACEBACK") == "1":
            return "".join(traceback.format_exception(self)).splitlines()
        return self.block().splitlines()


def _labelled(label: str, text: str) -> list[str]:
    if not text:
        return []
    first, *rest = text.splitlines()
    return [f"  {label}   {first}", *(f"        {line}" for line in rest)]


class UsageProblem(LabError):
    """The cell's options, or the arguments of a call, are wrong."""


class CompileError(LabError):
    """The C text does not compile, or compiles to what it cannot mean."""


class VerifierRejected(LabError):
    """The kernel's verifier refused a program.

    Parameters
    ----------
    rule : str
        The rule that it broke: "null check", "map value bounds"; "" for one that is not known.
    steps : tuple of PathStep
        How it came to that.
    """

    def __init__(
        self,
        what: str,
        *,
        where: tuple[Mark, ...] = (),
        why: str = "",
        hint: str = "",
        log: str = "",
        rule: str = "",
        steps: tuple[PathStep, ...] = (),
    ) -> None:
        super().__init__(what, where=where, why=why, hint=hint, log=log)
        self.rule = rule
        self.steps = steps

    @property
    def path(self) -> pd.DataFrame:
        """The steps that led to the error, one a row, with the columns of :class:`PathStep`.

        Where the error is about a value, these are the steps that made, moved and checked it.
        """
        import pandas as pd

        names = [field.name for field in fields(PathStep)]
        return pd.DataFrame([astuple(step) for step in self.steps], columns=names)


class AttachError(LabError):
    """A probe's target does not exist or cannot be attached to."""


class MissingFeature(LabError):
    """This kernel or this machine lacks something the program needs."""


class MissingPrivilege(LabError):
    """The kernel can do it, but this process may not."""


class EventDecodeError(LabError):
    """An event's bytes do not fit the type they should have."""


class RecordingDamaged(LabError):
    """A file is no recording, or not a whole one, or of another version."""


class CommandFailed(LabError):
    """The traced command could not be started."""


class ExerciseNotPassed(LabError):
    """An exercise is not done, where that has to be an error: in automatic grading."""


class VirtualMachineError(LabError):
    """The virtual machine could not be made, booted or kept running."""


class HostFailed(LabError):
    """A host of several did not do its part: its engine ended, did not answer or cannot be used."""
