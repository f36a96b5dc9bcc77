"""What the verifier knew at each instruction that the kernel runs.

It walks through the program as it was given, and what runs is what the kernel made of that: reads of the
context and some calls are replaced, checks are added, what can never run is gone.  The two are laid side by
side by what their instructions say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ebpf_lab.diagnose.verifier_log import WINDOW, read
from ebpf_lab.inside.walk import Moment, moments

MOST_INSTRUCTIONS = 4000
"""Instructions of a program up to which what was given and what runs are laid side by side."""
_MOST = 2
"""Different states of an instruction that are told."""
_WIDEST, _SLOTS = 100, 6
"""Characters of a line of these, and places on the stack that are told of a state."""
_WIDE_LOAD = re.compile(r"(r\d+) = (?:0x|map\[|func\[|\(hidden\)).*")


@dataclass(frozen=True, slots=True)
class Origin:
    """The instruction as it was given, of one that runs.

    Attributes
    ----------
    code : str
        In the verifier's words.
    same : bool
        It was not replaced.
    steps : int
        How often the verifier came by; of those that replace one, the first alone has its number.
    told : str
        What it knew then, in lines; "*" marks what was new.
    """

    code: str
    same: bool
    steps: int
    told: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the verifier knew in one program.

    Attributes
    ----------
    origins : mapping
        By the number of an instruction that runs; one that is missing was added by the kernel.
    steps, paths : int
    whole : bool
        All of its walk is here; else the end of it, or nothing for a program that is too long.
    """

    origins: Mapping[int, Origin]
    steps: int
    paths: int
    whole: bool


def known(log: str, files: Collection[str], running: Sequence[tuple[int, str]]) -> Known:
    """Read a verifier's log for the instructions that run.

    Parameters
    ----------
    log : str
        Of level 2.
    files : collection of str
        Base names of the learner's text.
    running : sequence of (int, str)
        The instructions: number and text.
    """
    came: dict[int, list[Moment]] = defaultdict(list)
    steps, paths = 0, 0
    for moment in moments(read(log, files)):
        came[moment.step.instruction].append(moment)
        steps, paths = steps + 1, moment.path
    given = sorted(came) if len(running) <= MOST_INSTRUCTIONS else []
    origins: dict[int, Origin] = {}
    first: set[int] = set()
    pairs = aligned([came[each][0].step.code for each in given], [text for _, text in running])
    for (number, _), pair in zip(running, pairs, strict=True):
        if pair is not None:
            place, same = pair
            visits = came[given[place]]
            count = 0 if place in first else len(visits)
            first.add(place)
            origins[number] = Origin(visits[0].step.code, same, count, _told(visits))
    return Known(origins, steps, paths, len(log) <= WINDOW and bool(given))


def aligned(given: Sequence[str], running: Sequence[str]) -> list[tuple[int, bool] | None]:
    """For each text of ``running`` the place of the one in ``given`` that it came of, and if it is the same.

    What a jump or a call goes to and what a wide load loads have other names on both sides, and do not count.
    """
    found: list[tuple[int, bool] | None] = [None] * len(running)
    matcher = SequenceMatcher(None, [_form(each) for each in given], [_form(each) for each in running], False)
    for kind, a, a_end, b, b_end in matcher.get_opcodes():
        for at in range(b, b_end):
            if kind == "equal":
                found[at] = (a + at - b, True)
            elif kind == "replace":
                found[at] = (a + (at - b) * (a_end - a) // (b_end - b), False)
    return found


def _form(text: str) -> str:
    if text.startswith("call "):
        return "call"
    text = text.partition(" goto ")[0] if text.startswith("if ") else text
    if text.startswith("goto"):
        return "goto"
    wide = _WIDE_LOAD.fullmatch(text)
    return f"{wide[1]} = wide" if wide else text


def _told(visits: Sequence[Moment]) -> str:
    different: list[Moment] = []
    for visit in visits:
        if len(different) < _MOST and all(visit.registers != each.registers for each in different):
            different.append(visit)
    lines = []
    for each in different:
        new = {part.partition("=")[0] for part in each.changed.split(" ")}
        lines.append(f"on path {each.path}:" if each.registers else f"on path {each.path}: nothing")
        registers = {name: value for name, value in each.registers.items() if name.startswith("R")}
        slots = [name for name in each.registers if name not in registers]
        # What is new is not left out.
        shown = sorted(slots, key=lambda name: name not in new)[:_SLOTS]
        registers |= {name: each.registers[name] for name in slots if name in shown}
        for name, value in sorted(registers.items(), key=_by_register):
            line = f"{'*' if name in new else ' '} {name}={value}"
            lines.append(line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…")
        if len(slots) > len(shown):
            lines.append(f"  and {len(slots) - len(shown)} more places on the stack")
    return "\n".join(lines)


def _by_register(item: tuple[str, str]) -> tuple[bool, int, str]:
    name = item[0]
    digits = name[1:]
    return (name[:1] != "R", int(digits) if digits.isdecimal() else 0, name)
