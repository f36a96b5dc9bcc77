"""How a register came to hold what it holds: the walk back to where its value was born.

What the verifier knew at each step of the last path is in the log; what moved where is in the instructions.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from ebpf_lab.diagnose.instruction import Instruction, decode
from ebpf_lab.diagnose.values import Value, lower_half, parse, registers
from ebpf_lab.diagnose.verifier_log import Log, last_path


class Path:
    """The run of the program that ended in the error: its steps, numbered from 0, and the states between.

    Parameters
    ----------
    log : Log
    at : int
        The last of the log's steps that belongs to it.
    """

    def __init__(self, log: Log, at: int) -> None:
        self.steps = [log.steps[each] for each in last_path(log, at)]
        self.instructions: list[Instruction] = [decode(step.code) for step in self.steps]
        self.frames: list[int] = []
        # When a register's state was printed: twice the step's number before it, one more after it.
        self._when: dict[tuple[int, str], list[int]] = {}
        self._what: dict[tuple[int, str], list[str]] = {}
        self._read()

    def __len__(self) -> int:
        return len(self.steps)

    def before(self, at: int, register: str) -> Value | None:
        """What is known of a register before step ``at``; None when the log does not say."""
        return self._value(2 * at, self.frames[at], register)

    def after(self, at: int, register: str) -> Value | None:
        """What is known of a register after step ``at``."""
        # The state that is printed before the next step is the one of this path.
        follows = at + 1 < len(self.steps) and self.frames[at + 1] == self.frames[at]
        return self._value(2 * at + (2 if follows else 1), self.frames[at], register)

    def _value(self, moment: int, frame: int, register: str) -> Value | None:
        if register == "R10":
            return Value("fp")
        when = self._when.get((frame, register), [])
        place = bisect.bisect_right(when, moment)
        return parse(self._what[frame, register][place - 1]) if place else None

    def _read(self) -> None:
        frame = 0
        for at, (step, instruction) in enumerate(zip(self.steps, self.instructions, strict=True)):
            for moment, state in ((2 * at, step.before), (2 * at + 1, step.after)):
                said = list(registers(state))
                if said:
                    frame = said[0][0]
                for where, name, value in said:
                    self._when.setdefault((where, name), []).append(moment)
                    self._what.setdefault((where, name), []).append(value)
                if moment == 2 * at:
                    self.frames.append(frame)
            if step.code.startswith("call pc"):
                frame += 1
            elif instruction.operation == "exit" and frame:
                frame -= 1


@dataclass(frozen=True, slots=True)
class Check:
    """A comparison that the path passed, of the value or of something computed from it.

    Attributes
    ----------
    at : int
        The step.
    register : str
        What was compared.
    number : int or None
        With what, when that is a number.
    taken : bool
        The path jumps there.
    value : Value or None
        What is known after it.
    """

    at: int
    register: str
    number: int | None
    taken: bool
    value: Value | None


@dataclass(slots=True)
class Lineage:
    """Where a value comes from.

    Attributes
    ----------
    birth : int
        The step that made it, -1 when the path does not go back that far.
    register : str
        The register in which it was born.
    steps : list of int
        Steps that moved or changed it, from its birth on.
    checks : list of Check
    scale : int
        What it was multiplied with since.
    constant : int
        What was added since.
    """

    birth: int = -1
    register: str = ""
    steps: list[int] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    scale: int = 1
    constant: int = 0


def trace(path: Path, at: int, register: str, *, variable: bool = False) -> Lineage:
    """Walk back from a register before step ``at``.

    Parameters
    ----------
    path : Path
    at : int
    register : str
    variable : bool
        Where a number was added to a pointer, follow the number, not the pointer.
    """
    found, scale = Lineage(register=register), _Scale()
    frame = path.frames[at]
    wanted = register
    for earlier in range(at - 1, -1, -1):
        step = path.instructions[earlier]
        if path.frames[earlier] != frame:
            if path.frames[earlier] < frame and step.operation == "call":
                if step.name:
                    break  # a callback: the helper made its arguments
                # An argument: the caller had it in the same register.
                frame = path.frames[earlier]
            continue
        if step.operation == "store":
            if wanted.startswith("fp") and _slot(path, earlier, step) == wanted:
                found.steps.append(earlier)
                if not step.source:
                    found.birth = earlier
                    break
                wanted = step.source
            continue
        if step.operation in ("branch", "jump", "exit") or step.to != wanted:
            continue
        found.steps.append(earlier)
        if step.operation == "move" and step.source:
            wanted = step.source
        elif step.operation == "arithmetic":
            if step.source and step.operator == "+=":
                wanted = _addend(path, earlier, step, wanted, variable=variable)
            elif variable:
                scale.add(step)
        elif step.operation == "load" and (slot := _slot(path, earlier, step)).startswith("fp-"):
            wanted = slot
        else:
            found.birth = earlier
            break
    found.register = wanted
    found.steps.reverse()
    found.scale, found.constant = scale.factor, scale.constant
    found.checks = _checks(path, max(found.birth, 0), at, found)
    return found


def _slot(path: Path, at: int, step: Instruction) -> str:
    """The stack slot that a load or a store touches, "" when it is no known one."""
    base = path.before(at, step.base)
    if base is None or base.kind != "fp" or base.low != base.high:
        return ""
    return f"fp{base.fixed + base.low + step.offset}"


def _addend(path: Path, at: int, step: Instruction, wanted: str, *, variable: bool) -> str:
    mine, other = path.before(at, wanted), path.before(at, step.source)
    if mine is None or other is None:
        return wanted
    if mine.is_number == other.is_number:
        return wanted if mine.constant is None else step.source
    number, pointer = (wanted, step.source) if mine.is_number else (step.source, wanted)
    if not variable:
        return pointer
    value = mine if mine.is_number else other
    return pointer if value.constant is not None else number


class _Scale:
    """What a number was multiplied with, gathered backwards."""

    def __init__(self) -> None:
        self.factor, self.constant = 1, 0
        self._shifted = 0

    def add(self, step: Instruction) -> None:
        number, shifted = step.number, self._shifted
        self._shifted = 0
        if number is None:
            return
        if step.operator in (">>=", "s>>="):
            self._shifted = number
        elif step.operator == "<<=" and 0 <= number - shifted < 32:
            # r <<= 32; r >>= 29 cuts off the upper half, and multiplies with 8.
            self.factor <<= number - shifted
        elif step.operator == "*=" and 0 < number < 1 << 32:
            self.factor *= number
        elif step.operator == "+=":
            self.constant += number * self.factor


def _checks(path: Path, birth: int, at: int, found: Lineage) -> list[Check]:
    """Comparisons between birth and ``at`` of the value, or of what was computed from it alone."""
    same = {(path.frames[birth], found.register)} if found.birth >= 0 else set()
    touched = set(found.steps)
    checks = []
    for step_at in range(birth + 1 if found.birth >= 0 else birth, at):
        step, frame = path.instructions[step_at], path.frames[step_at]
        if step_at in touched and step.to:
            same.add((frame, step.to))
        elif step.operation == "branch":
            for register in (step.to, step.source):
                if (frame, register) in same:
                    checks.append(_check(path, step_at, step, register))
        elif step.operation == "store":
            if (frame, step.source) in same and (slot := _slot(path, step_at, step)):
                same.add((frame, slot))
        elif step.operation == "call":
            if not step.name:
                same |= {(frame + 1, register) for where, register in same if where == frame}
            same -= {(frame, f"R{number}") for number in range(6)}
        elif step.to:
            slot = _slot(path, step_at, step) if step.operation == "load" else ""
            copied_from = {"move": step.source, "arithmetic": step.to, "load": slot}.get(step.operation, "")
            # Another number was made of a copy: what is compared is not the value any more.
            other = step.operator in ("+=", "-=", "*=") and step_at not in touched
            copied = (frame, copied_from) in same and not other
            (same.add if copied else same.discard)((frame, step.to))
    return checks


def _check(path: Path, at: int, step: Instruction, register: str) -> Check:
    follows = path.steps[at + 1].instruction if at + 1 < len(path) else -1
    taken = step.offset != 0 and follows == path.steps[at].instruction + 1 + step.offset
    value = path.after(at, register)
    if value is not None and step.narrow:
        value = lower_half(value, signed=step.operator.startswith("s"))
    return Check(at, register, step.number, taken, value)
