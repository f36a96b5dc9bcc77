"""What the view of a program is made of: its instructions by C line, and what is known of each line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ebpf_lab.inside.flow import BasicBlock
from ebpf_lab.inside.known import Known
from ebpf_lab.inside.placed import Placed, PlacedNative
from ebpf_lab.inside.program import Function, Samples

Line = tuple[str, int]
"""A file, "" for the learner's own text, and a line in it, 0 where that is unknown."""


@dataclass(frozen=True, slots=True)
class Group:
    """Instructions in a row that come of one line, and the native ones that came of these."""

    line: Line
    source: str
    bytecode: list[Placed] = field(default_factory=list)
    native: list[PlacedNative] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Part:
    """A function of a program."""

    function: Function
    groups: list[Group]
    blocks: tuple[BasicBlock, ...]

    @property
    def instructions(self) -> list[Placed]:
        """All of it, in order."""
        return [each for group in self.groups for each in group.bytecode]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of each line.

    Attributes
    ----------
    name : str
        In two or three words.
    meaning : str
        What is counted, and whether that says anything of time.
    of : mapping
        By line.
    """

    name: str
    meaning: str
    of: Mapping[Line, int]

    @property
    def total(self) -> int:
        """Of all lines."""
        return sum(self.of.values())


@dataclass(frozen=True, slots=True)
class Shown:
    """A program as it is shown.

    Attributes
    ----------
    name : str
    facts : tuple of str
        Where it is attached, how often it ran, and what is not there and why.
    parts : tuple of Part
    known : Known or None
        What the verifier knew.
    measures : tuple of Measure
        The one to be seen first comes first.
    samples : mapping
        How often a processor was found at a native instruction, by its address.
    """

    name: str
    facts: tuple[str, ...]
    parts: tuple[Part, ...]
    known: Known | None
    measures: tuple[Measure, ...]
    samples: Mapping[int, int]

    @property
    def groups(self) -> list[Group]:
        """Of all functions."""
        return [group for part in self.parts for group in part.groups]


def grouped(bytecode: Iterable[Placed], native: Iterable[PlacedNative]) -> list[Group]:
    """One function's instructions by the lines that they come from, in the program's order.

    The kernel says of each record of lines where its native code begins; what comes before the first, such
    as the entry into the function, belongs to the first group.
    """
    groups: list[Group] = []
    records: dict[int, Group] = {}
    for each in bytecode:
        here = (each.line.file, each.line.line)
        if not groups or groups[-1].line != here:
            groups.append(Group(here, each.line.text.strip()))
        groups[-1].bytecode.append(each)
        records.setdefault(each.line.instruction, groups[-1])
    for instruction in native:
        if groups:
            records.get(instruction.line.instruction, groups[0]).native.append(instruction)
    return groups


def sampled(groups: Sequence[Group], samples: Samples | None) -> dict[int, int]:
    """How often a processor was found at each native instruction, by its address."""
    found: dict[int, int] = {}
    if samples is None or not samples.found:
        return found
    for group in groups:
        for each in group.native:
            first = each.instruction.address
            places = range(first, first + len(each.instruction.raw))
            if count := sum(samples.found.get(place, 0) for place in places):
                found[first] = count
    return found


def measures(
    groups: Sequence[Group], known: Known | None, at: Mapping[int, int], frequency: int
) -> tuple[Measure, ...]:
    """What can be told of each line.

    Parameters
    ----------
    groups : sequence of Group
    known : Known or None
    at : mapping
        What :func:`sampled` found.
    frequency : int
        Of the samples.
    """
    instructions: dict[Line, int] = {}
    steps: dict[Line, int] = {}
    samples: dict[Line, int] = {}
    for group in groups:
        instructions[group.line] = instructions.get(group.line, 0) + len(group.bytecode)
        here = sum(at.get(each.instruction.address, 0) for each in group.native)
        samples[group.line] = samples.get(group.line, 0) + here
        if known is not None:
            origins = [known.origins.get(each.instruction.number) for each in group.bytecode]
            came = sum(each.steps for each in origins if each is not None)
            steps[group.line] = steps.get(group.line, 0) + came
    made = [
        Measure(
            "instructions",
            "how many of the bytecode came of the line: its size, not a measurement of time",
            instructions,
        )
    ]
    if known is not None:
        made.insert(
            0,
            Measure(
                "verifier's steps",
                "how often it came by an instruction of the line, on all paths, before the program first"
                " ran: not a measurement of time",
                steps,
            ),
        )
    if at:
        made.insert(
            0,
            Measure(
                "samples",
                f"how many of {frequency:,} looks a second found a processor in the line's native code or in"
                f" what it had called, {sum(at.values()):,} in all: measured while the program ran",
                samples,
            ),
        )
    return tuple(made)
