"""Where a rejection happened: the path that led there, and the learner's line that it is about."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ebpf_lab.diagnose.expressions import Code, Part
from ebpf_lab.diagnose.instruction import Instruction
from ebpf_lab.diagnose.lineage import Path
from ebpf_lab.diagnose.values import Value
from ebpf_lab.diagnose.verifier_log import Log, Step
from ebpf_lab.errors import Mark, PathStep

Locate = Callable[[Step], tuple[int, int]]
"""Line and column of a step in the learner's text, (0, 0) when unknown."""

# Every path ends at the closing brace, or at the macro that wraps the program (BPF_PROG, BPF_KPROBE, …).
_END_OF_ALL = re.compile(r"\}(?: *//.*)?|[\w *]*\bBPF_\w+\(.*")
_INSTRUCTION = re.compile(r"\binsn (\d{1,9})")
_OVERALL = re.compile(r"combined stack size")
_NOTHING = re.compile(r"\boff=-?\d+ size=0\b")
_REGISTER = re.compile(r"\bR(\d+)\b")


@dataclass(slots=True)
class Explanation:
    """What the learner is told.

    Attributes
    ----------
    rule : str
        The rule that was broken, "" when it is none of the known.
    marks : list of Mark
        Places in the text, the failing one last.
    why, hint : str
    steps : list of PathStep
        How the value in question came about, or the end of the path when it is about none.
    """

    rule: str = ""
    marks: list[Mark] = field(default_factory=list)
    why: str = ""
    hint: str = ""
    steps: list[PathStep] = field(default_factory=list)


class Scene:
    """A rejection, and what is said of it so far.

    Parameters
    ----------
    log : Log
    code : Code
        The learner's text.
    locate : callable
    definition : int
        The line of the program's definition, 0 when unknown.

    Attributes
    ----------
    error : str
        The kernel's words.
    path : Path
        The way there.
    at : int
        Its last step, -1 for none.
    line, column : int
        The place that it is about, 0 when unknown.
    made : Explanation
    gone_at : int
        The step that made the address useless which is used nevertheless, -1 for none.
    """

    def __init__(self, log: Log, code: Code, locate: Locate, definition: int) -> None:
        self.log = log
        self.code = code
        self.definition = definition
        self.error = log.error
        self.path = Path(log, self._failing_step())
        self.at = len(self.path) - 1
        self.made = Explanation()
        self.gone_at = -1
        self._locate = locate
        self.line, self.column = self._place()

    def locate(self, at: int) -> tuple[int, int]:
        """Line and column of a step of the path."""
        return self._locate(self.path.steps[at])

    def locate_step(self, step: Step) -> tuple[int, int]:
        """Line and column of any step."""
        return self._locate(step)

    @property
    def instruction(self) -> Instruction:
        """The one that the verifier refused."""
        return self.path.instructions[self.at] if self.at >= 0 else Instruction("other")

    def held(self, register: str) -> Value | None:
        """What a register holds when it is refused."""
        return self.path.before(self.at, register) if self.at >= 0 else None

    @property
    def register(self) -> str:
        """The register that the error is about, "" for none."""
        for said in (self.error, *self.log.remarks[:2]):
            if match := _REGISTER.search(said):
                # Where the size is wrong, and the address is named: the size comes behind it.
                behind = self.instruction.operation == "call" and _NOTHING.search(self.error) is not None
                return f"R{int(match[1][:2]) + behind}"
        if self.at < 0:
            return ""
        instruction = self.instruction
        if instruction.operation == "arithmetic" and instruction.source:
            value = self.held(instruction.source)
            return instruction.source if value is None or value.is_number else instruction.to
        if instruction.operation == "call" and "zero-sized" in self.error:
            return "R2"
        return instruction.base

    @property
    def part(self) -> Part:
        """What to mark of the failing line."""
        operation = self.instruction.operation
        if self.at < 0 or self.locate(self.at)[0] != self.line:
            return "statement"
        if operation in ("load", "store") or (
            operation == "arithmetic" and self.made.rule.endswith("bounds")
        ):
            return "access"
        return "call" if operation == "call" else "statement"

    def argument(self, register: str) -> int:
        """The number of the argument that a register is of the refused call, 0 for none."""
        number = int(register[1:]) if register[1:].isdecimal() else 0
        return number if 1 <= number <= 5 and self.part == "call" else 0

    def mark(
        self,
        line: int,
        column: int,
        part: Part,
        note: str = "",
        *,
        at: int | None = None,
        argument: int = 0,
    ) -> None:
        """Mark a place in the learner's text.

        Parameters
        ----------
        line, column : int
        part : str
        note : str
            Words for it.
        at : int, optional
            The step that is there, the failing one unless told.
        argument : int
            The argument of the call there.
        """
        if not line:
            return
        step = self.at if at is None else at
        name = self.path.instructions[step].name if 0 <= step < len(self.path) else ""
        made = self.code.mark(line, column, part, note, name=name, argument=argument)
        if made not in self.made.marks:
            self.made.marks.append(made)

    def mark_step(self, at: int, part: Part, note: str = "") -> None:
        """Mark what a step of the path comes from."""
        line, column = self.locate(at)
        self.mark(line, column, part, note, at=at)

    def mark_failure(self, note: str = "", *, argument: int = 0) -> None:
        """Mark the place that the error is about."""
        if any(note and each.note == note for each in self.made.marks):
            note = ""
        self.mark(self.line, self.column, self.part, note, argument=argument)

    def _failing_step(self) -> int:
        steps = self.log.steps
        if _OVERALL.search(self.error):
            return -1
        if named := _INSTRUCTION.search(self.error):
            wanted = int(named[1])
            return next((at for at in range(len(steps) - 1, -1, -1) if steps[at].instruction == wanted), -1)
        return len(steps) - 1

    def _place(self) -> tuple[int, int]:
        at = self.at
        if at < 0:
            if _OVERALL.search(self.error):
                return 0, 0
            named = _INSTRUCTION.search(self.error)
            return self._locate(Step(int(named[1]) if named else -1, ""))
        line, column = self.locate(at)
        if _END_OF_ALL.fullmatch(self.code.line(line).strip()):
            # The line that left for it says which of the paths this is about.
            for earlier in range(at - 1, -1, -1):
                before = self.locate(earlier)
                if before[0] != line:
                    jumps = self.path.instructions[earlier].operation in ("branch", "jump")
                    return before if jumps else (line, column)
        return line, column
