"""The verifier's walk through a program it accepts: what it knew before each instruction was allowed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from ebpf_lab.diagnose import values
from ebpf_lab.diagnose.verifier_log import WINDOW, Log, Step, read
from ebpf_lab.inside.listing import Listing, Rows
from ebpf_lab.inside.page import Block, Row, Section

_RELATIVE = re.compile(r"\bpc([+-]\d{1,9})$")
_CALL = re.compile(r"call (?!pc)")
# What a helper or a function of the kernel changes: it returns something, and leaves its arguments undefined.
_CLOBBERED = ("R0", "R1", "R2", "R3", "R4", "R5")
_COLUMNS = ("program", "step", "path", "instruction", "code", "state", "registers", "line", "source")
_PROCESSED = re.compile(r"^processed (\d+) insns", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Moment:
    """A step, and what is known after it.

    Attributes
    ----------
    step : Step
    path : int
        Counts the ways that were followed to their end, from 1.
    head : str
        How the walk came to its path, where that begins.
    state : str
        What was printed.
    registers : mapping
        All that was known.
    changed : str
        What of that is new.
    """

    step: Step
    path: int
    head: str
    state: str
    registers: Mapping[str, str]
    changed: str


def of_logs(logs: Mapping[str, str], source: str, files: Collection[str]) -> Listing:
    """The walks through some programs.

    Parameters
    ----------
    logs : mapping
        What the verifier said, by function.
    source : str
        The learner's C text.
    files : collection of str
        Base names of that text.
    """
    rows, sections = Rows({name: [] for name in _COLUMNS}), []
    lines = source.split("\n")
    for name, log in logs.items():
        found = read(log, files)
        blocks: list[Block] = []
        last: tuple[int, int, str] | None = None
        paths = 1
        for number, each in enumerate(moments(found)):
            step, comment = each.step, each.step.comment
            line = comment.line if comment is not None else 0
            text = lines[line - 1] if 0 < line <= len(lines) else comment.text if comment is not None else ""
            rows.add(
                program=name,
                step=number,
                path=each.path,
                instruction=step.instruction,
                code=step.code,
                state=each.state,
                registers=each.registers,
                line=line or pd.NA,
                source=text,
            )
            here = (each.path, line, text)
            if here != last:
                blocks.append(Block("", line, text.strip(), head=each.head))
                paths, last = each.path, here
            blocks[-1].rows.append(Row(str(step.instruction), "", _absolute(step), each.changed))
        sections.append(Section(name, _summary(found, log, paths), blocks))
    return Listing.made(rows, sections, "".join(logs.values()) if len(logs) == 1 else _joined(logs))


def _absolute(step: Step) -> str:
    """The instruction with the numbers of those that it goes to, which stand beside them."""
    return _RELATIVE.sub(lambda found: str(step.instruction + 1 + int(found[1])), step.code)


def _joined(logs: Mapping[str, str]) -> str:
    return "".join(f"{name}:\n{log}" for name, log in logs.items())


def _summary(found: Log, log: str, paths: int) -> str:
    steps = len(found.steps)
    parts = [f"{steps:,} steps on {paths:,} path{'' if paths == 1 else 's'}"]
    processed = _PROCESSED.search(log[-4096:])
    if processed and len(log) > WINDOW:
        parts.append(f"the last of {int(processed[1]):,}")
    return ", ".join(parts)


def moments(found: Log) -> Iterator[Moment]:
    """The steps of a walk, with what is known of the registers after each."""
    arrivals = {jump.step: jump.origin for jump in found.jumps if not jump.ended}
    frames: dict[int, dict[str, str]] = {}
    current, path = 0, 1
    steps = found.steps
    codes = {step.instruction: step.code for step in steps}
    for at, step in enumerate(steps):
        head = ""
        if at in arrivals:
            path, origin = path + 1, arrivals[at]
            back = codes.get(origin) == "exit"
            head = f"back from the function that ends at {origin}" if back else f"the other way at {origin}"
            frames.clear()
        current = _apply(step.before, frames, current)
        if _CALL.match(step.code):
            for clobbered in _CLOBBERED:
                frames.get(current, {}).pop(clobbered, None)
        before = dict(frames.get(current, {}))
        current = _apply(step.after, frames, current)
        state = step.after.strip()
        # What a call returned is printed before the next step.
        behind = steps[at + 1].before if at + 1 < len(steps) and at + 1 not in arrivals else ""
        if behind:
            current = _apply(behind, frames, current)
            state = " ".join(f"{state} {behind}".split())
        known = dict(frames.get(current, {}))
        changed = " ".join(f"{name}={value}" for name, value in known.items() if before.get(name) != value)
        yield Moment(step, path, head, state, known, changed)


def _apply(state: str, frames: dict[int, dict[str, str]], current: int) -> int:
    for frame, name, value in values.registers(state):
        if frame < current:
            for deeper in [each for each in frames if each > frame]:
                del frames[deeper]
        current = frame
        frames.setdefault(frame, {})[name] = value
    return current
