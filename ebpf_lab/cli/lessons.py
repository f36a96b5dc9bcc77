"""``ebpf-lab lessons``: the course, and copies of it for learners."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from ebpf_lab.cli.common import Verbs
from ebpf_lab.lessons import catalogue, copies


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("lessons", help="list the lessons, or copy them for learners")
    parser.add_argument(
        "--student",
        type=Path,
        metavar="DIR",
        help="copy the course into this new directory, without solutions and outputs",
    )
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    course = catalogue.notebooks()
    if parsed.student is not None:
        for notebook in copies.copy(course, parsed.student):
            print(notebook)
        return 0
    exercises = {lesson.name: lesson.exercises for lesson in catalogue.lessons()}
    for path in sorted(course.glob("[0-9][0-9]_*.ipynb")):
        print(_headline(path))
        for exercise in exercises.get(path.stem, ()):
            print(f"    {exercise.name}  {exercise.title}")
    return 0


def _headline(path: Path) -> str:
    """The title and the minutes, which a lesson's first cell has."""
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    title = first.partition("\n")[0].removeprefix("# ")
    minutes = re.search(r"\*\*Minutes\*\* (\d+)", first)
    return f"{title} ({minutes[1]} minutes)" if minutes else title
