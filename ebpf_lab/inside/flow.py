"""Basic blocks: runs of instructions that are entered at their first and left at their last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ebpf_lab.inside import bytecode
from ebpf_lab.inside.bytecode import Instruction


class Kind(StrEnum):
    """How a block is left."""

    NEXT = "next"
    """Nothing is jumped over: the next instruction begins a block because others go there."""
    GOTO = "goto"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from a block to the one with the number ``to``."""

    to: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class BasicBlock:
    """Instructions that run one after the other, and where it goes from there: nowhere behind an exit."""

    instructions: tuple[Instruction, ...]
    edges: tuple[Edge, ...] = ()

    @property
    def leaves(self) -> bool:
        """A tail call in it goes to another program, and comes back only if it failed."""
        return any(
            each.is_call and each.source == bytecode.TO_HELPER and each.value == bytecode.TAIL_CALL
            for each in self.instructions
        )


def basic_blocks(instructions: Sequence[Instruction]) -> tuple[BasicBlock, ...]:
    """The blocks of one function, in the order of their instructions.

    Calls do not end a block, since they come back.  A jump out of the function, which the verifier never
    accepts, and one through a register, whose targets the code does not tell, have no edge.
    """
    if not instructions:
        return ()
    places = {each.number for each in instructions}
    leaders = {instructions[0].number}
    for each, following in zip(instructions, [*instructions[1:], None], strict=True):
        if each.is_jump and each.target in places:
            leaders.add(each.target)
        if following is not None and (each.is_jump or each.ends):
            leaders.add(following.number)
    runs: list[list[Instruction]] = []
    for each in instructions:
        if each.number in leaders:
            runs.append([])
        runs[-1].append(each)
    numbers = {run[0].number: number for number, run in enumerate(runs)}
    return tuple(
        BasicBlock(tuple(run), tuple(_edges(run[-1], number, numbers))) for number, run in enumerate(runs)
    )


def _edges(last: Instruction, number: int, numbers: dict[int, int]) -> list[Edge]:
    if last.ends:
        return []
    behind = [number + 1] if number + 1 < len(numbers) else []
    if not last.is_jump:
        return [Edge(to, Kind.NEXT) for to in behind]
    there = [numbers[last.target]] if last.target in numbers else []
    if not last.is_conditional:
        return [Edge(to, Kind.GOTO) for to in there]
    return [Edge(to, Kind.YES) for to in there] + [Edge(to, Kind.NO) for to in behind]
