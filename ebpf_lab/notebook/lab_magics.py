"""``%lab``, which looks after the course, and ``check``, which judges an exercise."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from IPython.core.magic import Magics, line_magic, magics_class

from ebpf_lab.errors import ExerciseNotPassed, UsageProblem
from ebpf_lab.host import features
from ebpf_lab.lessons import catalogue
from ebpf_lab.lessons.exercise import Exercise, Lesson
from ebpf_lab.lessons.judging import INCONCLUSIVE, Outcome, judge_cell, judge_function, with_hint
from ebpf_lab.lessons.progress import Progress
from ebpf_lab.recordings import course
from ebpf_lab.source.options import CellOptions
from ebpf_lab.source.words import did_you_mean

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_GRADING = "EBPF_LAB_GRADING"
"""Set to 1 by whoever grades: nbgrader takes a cell for passed unless it raises."""

Cells = Mapping[str, tuple[str, CellOptions]]
"""The C and the options of the last ``%%bpf -o NAME`` cell, by its name."""


@magics_class
class LabMagics(Magics):
    """The course's magics.

    Parameters
    ----------
    shell : InteractiveShell
    cells : mapping
        Filled by ``%%bpf``.
    """

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, cells: Cells) -> None:
        super().__init__(shell)
        self._cells = cells
        self._lesson: Lesson | None = None
        self._verbs: dict[str, Callable[[list[str]], object]] = {
            "lesson": self._begin,
            "progress": self._progress,
            "reset": self._reset,
        }

    @line_magic
    def lab(self, line: str) -> object:
        """Look after the course: lesson NUMBER, progress, reset."""
        verb, *arguments = shlex.split(line) or ["progress"]
        if verb not in self._verbs:
            raise UsageProblem(
                f"%lab {verb}: there is no such verb",
                hint=did_you_mean(verb, self._verbs) or "lesson NUMBER, progress or reset",
            )
        if len(arguments) != (verb == "lesson"):
            raise UsageProblem(f"%lab {line}: {verb} takes {'a number' if verb == 'lesson' else 'nothing'}")
        return self._verbs[verb](arguments)

    def check(self, name: str) -> Outcome:
        """Judge an exercise of the lesson by what it measures over a new workload.

        Parameters
        ----------
        name : str
            Such as ``"ex1"``, which the learner's cell binds.

        Raises
        ------
        UsageProblem
            No lesson was begun, it has no such exercise, or the learner has not run a cell for it.
        ExerciseNotPassed
            It is not done, and ``EBPF_LAB_GRADING`` is 1.
        """
        if self._lesson is None:
            raise UsageProblem("no lesson was begun", hint="%lab lesson 00 begins the first")
        exercise = catalogue.exercise(self._lesson, name)
        outcome = self._judged(exercise, secrets.randbits(32))
        progress = Progress(Path.cwd())
        record = progress.of(self._lesson.name, name)
        shown = with_hint(outcome, exercise, record.attempts)
        if outcome.state != INCONCLUSIVE:
            record.done = bool(outcome)
            record.attempts += not outcome
            progress.keep(self._lesson.name, name, record)
        if not shown and os.environ.get(_GRADING) == "1":
            raise ExerciseNotPassed(f"{shown.exercise}: {shown.state}", why=shown.why, hint=shown.hint)
        return shown

    def _judged(self, exercise: Exercise, seed: int) -> Outcome:
        if exercise.program:
            function = self.shell.user_ns.get(exercise.name)
            if not callable(function):
                raise UsageProblem(
                    f"there is no function {exercise.name} yet",
                    hint=f"run the cell with def {exercise.name}(frame)",
                )
            return judge_function(exercise, function, seed)
        if exercise.name not in self._cells:
            raise UsageProblem(
                f"no cell has made {exercise.name} yet",
                hint=f"run the cell that begins with %%bpf -o {exercise.name}",
            )
        text, options = self._cells[exercise.name]
        return judge_cell(exercise, text, options, seed)

    def _begin(self, arguments: list[str]) -> None:
        self._lesson = catalogue.lesson(arguments[0])
        self.shell.user_ns["check"] = self.check
        print(f"lesson {self._lesson.number}: {len(self._lesson.exercises)} exercises")
        if course.replays() is not None:
            print("Nothing runs in a kernel here: cells show what was recorded elsewhere.")
            return
        lacking = features.missing(self._lesson.needs)
        if lacking is not None:
            print(
                f"This machine lacks {lacking.name}: {lacking.reason}\n"
                "Cells that need it say so. They run in the kernel"
                ' "eBPF Lab (VM)": menu Kernel, Change Kernel.'
            )

    def _progress(self, arguments: list[str]) -> pd.DataFrame:
        progress = Progress(Path.cwd())
        rows = [
            {
                "lesson": lesson.name,
                "exercise": exercise.name,
                "task": exercise.title,
                "state": "done" if record.done else "tried" if record.attempts else "open",
                "attempts": record.attempts,
            }
            for lesson in catalogue.lessons()
            for exercise in lesson.exercises
            for record in [progress.of(lesson.name, exercise.name)]
        ]
        return pd.DataFrame(rows)

    def _reset(self, arguments: list[str]) -> None:
        Progress(Path.cwd()).reset()
        print("progress is forgotten: every exercise is open")
