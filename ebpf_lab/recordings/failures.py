"""The lab's errors as JSON: a recorded failure is the same failure again, the kernel's words included."""

from __future__ import annotations

from dataclasses import asdict

from ebpf_lab import errors
from ebpf_lab.errors import LabError, Mark, PathStep, VerifierRejected
from ebpf_lab.recordings import limits
from ebpf_lab.recordings.fields import Fields, wrong

_KINDS: dict[str, type[LabError]] = {
    kind.__name__: kind
    for kind in (
        errors.AttachError,
        errors.CommandFailed,
        errors.CompileError,
        errors.EventDecodeError,
        errors.LabError,
        errors.MissingFeature,
        errors.MissingPrivilege,
        errors.UsageProblem,
        errors.VerifierRejected,
    )
}


def plain(error: LabError) -> dict[str, object]:
    """An error as JSON has it."""
    kind = next(each for each in type(error).__mro__ if each.__name__ in _KINDS)
    made: dict[str, object] = {
        "kind": kind.__name__,
        "what": error.what,
        "where": [asdict(each) for each in error.where],
        "why": error.why,
        "hint": error.hint,
        "log": error.log[-limits.TEXT :],
        "source": error.source,
        "warnings": [asdict(each) for each in error.warnings],
    }
    if isinstance(error, VerifierRejected):
        made |= {"rule": error.rule, "steps": [asdict(each) for each in error.steps]}
    return made


def read(fields: Fields) -> LabError:
    """An error out of JSON.

    Raises
    ------
    RecordingDamaged
    """
    kind = _KINDS.get(fields.text("kind", 64))
    if kind is None:
        raise wrong(fields.place, "is of an unknown kind")
    words = {name: fields.text(name, limits.TEXT) for name in ("what", "why", "hint", "log")}
    marks = read_marks(fields, "where")
    if kind is VerifierRejected:
        steps = tuple(_step(each) for each in fields.objects("steps", 1 << 16))
        error: LabError = VerifierRejected(where=marks, rule=fields.text("rule"), steps=steps, **words)
    else:
        error = kind(where=marks, **words)
    error.source = fields.text("source", limits.TEXT)
    error.warnings = read_marks(fields, "warnings")
    return error


def read_marks(fields: Fields, name: str) -> tuple[Mark, ...]:
    """Places in the text."""
    return tuple(
        Mark(
            each.integer("line", -1, 1 << 31),
            each.text("text"),
            each.integer("column", 0, 1 << 20),
            each.integer("length", 0, 1 << 20),
            each.text("note"),
            each.text("severity", 16),
        )
        for each in fields.objects(name)
    )


def _step(fields: Fields) -> PathStep:
    line, column, insn = (fields.integer(name, -1, 1 << 31) for name in ("line", "column", "insn"))
    words = (fields.text(name) for name in ("code", "text", "register", "before", "after"))
    return PathStep(line, column, insn, *words)
