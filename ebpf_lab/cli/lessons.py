"""``ebpf-lab lessons``: the course, copies of it for learners, and recordings of it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ebpf_lab.cli.common import Verbs
from ebpf_lab.errors import UsageProblem
from ebpf_lab.lessons import catalogue, copies

_LESSONS = "[0-9][0-9]_*.ipynb"


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("lessons", help="list the lessons, or copy them for learners")
    parser.add_argument("number", nargs="*", help="only these, such as 00 or 01_hello_kernel")
    parser.add_argument(
        "--student",
        type=Path,
        metavar="DIR",
        help="copy the course into this new directory, without solutions and outputs",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="run the lessons (those named) on this kernel, and record their traces below DIR"
        " (docs/recordings.md)",
    )
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    course = catalogue.notebooks()
    if parsed.student is not None:
        if parsed.number:
            raise UsageProblem("--student copies the whole course", hint="leave out the lessons' numbers")
        for notebook in copies.copy(course, parsed.student):
            print(notebook)
        return 0
    if parsed.record is not None:
        # Slow to import, and needed here alone.
        from ebpf_lab.lessons import recorder

        for notebook in _chosen(course, parsed.number):
            for recording in recorder.record(notebook, parsed.record, _tell):
                print(f"{recording}: {recording.stat().st_size:,} bytes")
        return 0
    exercises = {lesson.name: lesson.exercises for lesson in catalogue.lessons()}
    for path in _chosen(course, parsed.number):
        print(_headline(path))
        for exercise in exercises.get(path.stem, ()):
            print(f"    {exercise.name}  {exercise.title}")
    return 0


def _chosen(course: Path, numbers: Sequence[str]) -> list[Path]:
    """The notebooks of the lessons named, of all when none is."""
    if not numbers:
        return sorted(course.glob(_LESSONS))
    return [course / f"{catalogue.lesson(number).name}.ipynb" for number in numbers]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _headline(path: Path) -> str:
    """The title and the minutes, which a lesson's first cell has."""
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    title = first.partition("\n")[0].removeprefix("# ")
    minutes = re.search(r"\*\*Minutes\*\* (\d+)", first)
    return f"{title} ({minutes[1]} minutes)" if minutes else title
