"""What surrounds the exercises: hints, progress, copies for learners, and wrong calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from ebpf_lab.cli import main
from ebpf_lab.errors import ExerciseNotPassed, UsageProblem
from ebpf_lab.lessons import catalogue, copies
from ebpf_lab.lessons.exercise import Exercise, NotYet, Workload, column
from ebpf_lab.lessons.judging import INCONCLUSIVE, NOT_YET, PASSED, Outcome, judge_cell, with_hint
from ebpf_lab.lessons.progress import FILE, Progress, Record
from ebpf_lab.notebook import lab_magics
from ebpf_lab.notebook.lab_magics import LabMagics
from ebpf_lab.source.options import CellOptions

COURSE = Path(__file__).parents[2] / "notebooks"
EXERCISE = Exercise(
    "ex1", "do it", ("first", "second"), lambda rng, directory: Workload((), 0), lambda came, expected: None
)


class TestHints:
    def test_each_attempt_gets_one_more_and_the_last_stays(self) -> None:
        outcome = Outcome("ex1", NOT_YET, "expected 7, got 3")
        assert [with_hint(outcome, EXERCISE, attempts).hint for attempts in range(4)] == [
            *("first", "second", "second", "second")
        ]

    def test_the_mistakes_own_hint_goes_first(self) -> None:
        assert with_hint(Outcome("ex1", NOT_YET, "x", "this one"), EXERCISE, 1).hint == "this one"

    @pytest.mark.parametrize("state", [PASSED, INCONCLUSIVE])
    def test_none_where_nothing_is_wrong(self, state: str) -> None:
        assert with_hint(Outcome("ex1", state), EXERCISE, 1).hint == ""


def test_an_outcome_says_all_in_words_and_escapes_them() -> None:
    outcome = Outcome("ex1, count", NOT_YET, "expected 7 <b>, got 3", "look")
    assert not outcome
    assert repr(outcome) == "ex1, count: not yet\n  why   expected 7 <b>, got 3\n  hint  look"
    assert "expected 7 &lt;b&gt;, got 3" in outcome._repr_html_()
    assert "<code>SEC(&quot;x&quot;)</code>" in Outcome("ex1", NOT_YET, "", 'use `SEC("x")`')._repr_html_()
    assert Outcome("ex1", PASSED)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(NotYet, match="expected a column comm, got the columns ts and pid"):
        column(pd.DataFrame(columns=["ts", "pid"]), "comm")


def test_nothing_is_judged_where_the_scene_cannot_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses = tmp_path / "unshare"
    refuses.write_text("#!/bin/sh\necho not here >&2\nexit 1\n")
    refuses.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    exercise = catalogue.exercise(catalogue.lesson("08"), "ex3")
    outcome = judge_cell(exercise, "", CellOptions(), 23)
    assert (outcome.state, outcome.why) == (INCONCLUSIVE, "no user namespaces can be made here")


class TestProgress:
    def test_it_is_kept_and_forgotten(self, tmp_path: Path) -> None:
        progress = Progress(tmp_path)
        assert progress.of("00_first_traces", "ex1") == Record()
        progress.keep("00_first_traces", "ex1", Record(3, True))
        progress.keep("00_first_traces", "ex2", Record(1))
        again = Progress(tmp_path)
        assert again.of("00_first_traces", "ex1") == Record(3, True)
        assert again.of("00_first_traces", "ex2") == Record(1)
        assert [path.name for path in tmp_path.iterdir()] == [FILE]
        again.reset()
        assert again.of("00_first_traces", "ex1") == Record()

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "{", '{"a": 1}', '{"a": {"ex1": {}}}', '{"a": {"ex1": {"attempts": "x", "done": 1}}}'],
    )
    def test_a_damaged_file_is_an_error_of_ours(self, tmp_path: Path, text: str) -> None:
        (tmp_path / FILE).write_text(text)
        with pytest.raises(UsageProblem, match="is damaged"):
            Progress(tmp_path).of("a", "ex1")


class TestCopies:
    def test_learners_get_no_solutions_outputs_or_instructors_cells(self, tmp_path: Path) -> None:
        course = tmp_path / "course"
        (course / "solutions/00_x").mkdir(parents=True)
        (course / "solutions/00_x/ex1.c").write_text("int x;")
        (course / "figures").mkdir()
        (course / "figures/path.svg").write_text("<svg/>")
        (course / FILE).write_text("{}")
        cell = {"cell_type": "code", "metadata": {}, "source": ["1"], "outputs": ["x"], "execution_count": 3}
        secret = {**cell, "metadata": {"tags": ["instructor"]}}
        text = {"cell_type": "markdown", "metadata": {}, "source": ["# é"]}
        (course / "00_x.ipynb").write_text(json.dumps({"cells": [text, cell, secret], "nbformat": 4}))
        made = tmp_path / "student"
        assert copies.copy(course, made) == [made / "00_x.ipynb"]
        found = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
        assert found == ["00_x.ipynb", "figures/path.svg"]
        cells = json.loads((made / "00_x.ipynb").read_text())["cells"]
        assert cells == [text, {**cell, "outputs": [], "execution_count": None}]

    def test_what_is_there_is_not_written_over(self, tmp_path: Path) -> None:
        (tmp_path / "mine.ipynb").write_text("{}")
        with pytest.raises(UsageProblem, match="is not empty"):
            copies.copy(COURSE, tmp_path)
        assert (tmp_path / "mine.ipynb").read_text() == "{}"

    def test_the_course_is_copied_by_the_command(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["lessons", "--student", str(tmp_path / "copy")]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert [Path(line).name for line in printed] == sorted(path.name for path in COURSE.glob("*.ipynb"))
        assert not (tmp_path / "copy/solutions").exists()


def test_lessons_are_listed_with_their_exercises(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lessons"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("00 · First traces (45 minutes)\n    ex1  ")
    for lesson in catalogue.lessons():
        assert (COURSE / f"{lesson.name}.ipynb").exists()
        for exercise in lesson.exercises:
            assert f"{exercise.name}  {exercise.title}" in printed


def test_lessons_are_named_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lessons", "04", "0"]) == 0
    titles = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert [title[:2] for title in titles] == ["04", "00"]


@pytest.mark.parametrize("arguments", [["99"], ["00", "--student", "x"]])
def test_lessons_that_are_not_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lessons", *arguments]) == 2
    assert capsys.readouterr().err.startswith("UsageProblem: ")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.chdir(tmp_path)
    yield InteractiveShell()  # type: ignore[no-untyped-call]
    InteractiveShell.clear_instance()


class TestMagics:
    def _magics(self, shell: InteractiveShell, **cells: Any) -> LabMagics:
        return LabMagics(shell, cells)

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("lesson 99", "there is no lesson 99"),
            ("lesson 00_first_trace", "did you mean 00_first_traces?"),
            ("lesson", "takes a number"),
            ("progress 1", "takes nothing"),
            ("progres", "did you mean progress?"),
        ],
    )
    def test_wrong_lines(self, shell: InteractiveShell, line: str, words: str) -> None:
        with pytest.raises(UsageProblem) as caught:
            self._magics(shell).lab(line)
        assert words in str(caught.value)

    def test_wrong_checks(self, shell: InteractiveShell) -> None:
        magics = self._magics(shell)
        with pytest.raises(UsageProblem, match="no lesson was begun"):
            magics.check("ex1")
        magics.lab("lesson 0")
        with pytest.raises(UsageProblem, match="no exercise 'ex9'"):
            magics.check("ex9")
        with pytest.raises(UsageProblem, match="no cell has made ex1 yet"):
            shell.user_ns["check"]("ex1")
        with pytest.raises(UsageProblem, match="no function ex2 yet"):
            magics.check("ex2")

    def test_progress_counts_what_was_judged(
        self, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        states = iter([NOT_YET, NOT_YET, INCONCLUSIVE, PASSED])
        monkeypatch.setattr(lab_magics, "judge_cell", lambda *_: Outcome("ex1", next(states)))
        magics = self._magics(shell, ex1=("", CellOptions()))
        magics.lab("lesson 00")
        hints = catalogue.lesson("00").exercises[0].hints
        assert [magics.check("ex1").hint for _ in range(4)] == [hints[0], hints[1], "", ""]
        shown = magics.lab("progress")
        assert isinstance(shown, pd.DataFrame)
        assert shown[["exercise", "state", "attempts"]].values.tolist()[:2] == [
            ["ex1", "done", 2],
            ["ex2", "open", 0],
        ]
        magics.lab("reset")
        shown = magics.lab("progress")
        assert isinstance(shown, pd.DataFrame)
        assert set(shown["state"]) == {"open"}

    def test_whoever_grades_gets_an_error(
        self, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EBPF_LAB_GRADING", "1")
        monkeypatch.setattr(lab_magics, "judge_cell", lambda *_: Outcome("ex1", NOT_YET, "expected 7, got 3"))
        magics = self._magics(shell, ex1=("", CellOptions()))
        magics.lab("lesson 00")
        with pytest.raises(ExerciseNotPassed, match="ex1: not yet"):
            magics.check("ex1")
