"""Each exercise from both sides: what the lesson ships fails with a hint, and the solution passes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ebpf_lab.lessons import catalogue
from ebpf_lab.lessons.exercise import Exercise, Lesson
from ebpf_lab.lessons.judging import NOT_YET, Outcome, judge_cell, judge_function, with_hint
from ebpf_lab.source.options import parse_cell

COURSE = Path(__file__).parents[2] / "notebooks"
SEEDS = (23, 29)

EXERCISES = [(lesson, exercise) for lesson in catalogue.lessons() for exercise in lesson.exercises]

NEEDS = ("tracepoint", "ringbuf", "libbpf", "clang", "btf")


def each(*, judged: bool) -> pytest.MarkDecorator:
    """Each exercise; one that is judged needs a kernel that can run it."""
    return pytest.mark.parametrize(
        ("lesson", "exercise"),
        [
            pytest.param(
                lesson,
                exercise,
                marks=[pytest.mark.needs(*NEEDS, *exercise.needs)] if judged else [],
                id=f"{lesson.name}-{exercise.name}",
            )
            for lesson, exercise in EXERCISES
        ],
    )


def _cells(lesson: Lesson) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads((COURSE / f"{lesson.name}.ipynb").read_text())["cells"]
    return cells


def _tagged(lesson: Lesson, tag: str) -> dict[str, Any]:
    (cell,) = [cell for cell in _cells(lesson) if tag in cell["metadata"].get("tags", ())]
    return cell


def _solution(lesson: Lesson, exercise: Exercise) -> str:
    suffix = ".py" if exercise.program else ".c"
    text = (COURSE / "solutions" / lesson.name / f"{exercise.name}{suffix}").read_text()
    return text.removeprefix("//")


def _judged(exercise: Exercise, source: str, seed: int) -> Outcome:
    if exercise.program:
        names: dict[str, Any] = {}
        exec(source, names)
        return judge_function(exercise, names[exercise.name], seed)
    first, _, text = source.partition("\n")
    options = parse_cell(first.removeprefix("%%bpf"))
    assert options.output == exercise.name
    return judge_cell(exercise, text, options, seed)


@each(judged=True)
class TestJudged:
    def test_what_is_shipped_is_not_yet_there(self, lesson: Lesson, exercise: Exercise) -> None:
        starter = "".join(_tagged(lesson, f"exercise:{exercise.name}")["source"])
        outcome = with_hint(_judged(exercise, starter, SEEDS[0]), exercise, 0)
        assert outcome.state == NOT_YET, outcome
        assert outcome.hint == exercise.hints[0]

    def test_the_solution_passes_whatever_the_seed(self, lesson: Lesson, exercise: Exercise) -> None:
        solution = _solution(lesson, exercise)
        for seed in SEEDS:
            assert _judged(exercise, solution, seed), seed


@each(judged=False)
class TestShipped:
    def test_another_workload_has_another_answer(
        self, lesson: Lesson, exercise: Exercise, tmp_path: Path
    ) -> None:
        """Else a fixed value would pass."""
        expected = []
        for seed in range(23):
            directory = tmp_path / str(seed)
            directory.mkdir()
            expected.append(repr(exercise.workload(random.Random(seed), directory).expected))
        assert len(set(expected)) > 11

    def test_cells_are_marked_for_nbgrader(self, lesson: Lesson, exercise: Exercise) -> None:
        starter = _tagged(lesson, f"exercise:{exercise.name}")["metadata"]["nbgrader"]
        check = _tagged(lesson, f"check:{exercise.name}")
        assert starter == {
            "grade": False,
            "grade_id": exercise.name,
            "locked": False,
            "schema_version": 3,
            "solution": True,
            "task": False,
        }
        assert check["metadata"]["nbgrader"] == {
            "grade": True,
            "grade_id": f"{exercise.name}-check",
            "locked": True,
            "points": 1,
            "schema_version": 3,
            "solution": False,
            "task": False,
        }
        assert check["source"] == [f'check("{exercise.name}")']
