"""The lessons: their notebooks, and the exercises of each."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from ebpf_lab.errors import UsageProblem
from ebpf_lab.lessons import exercises
from ebpf_lab.lessons.exercise import Exercise, Lesson
from ebpf_lab.source.words import did_you_mean

_PACKAGE = Path(__file__).parent.parent
_PLACES = (_PACKAGE / "_notebooks", _PACKAGE.parent / "notebooks")
"""In an installed package, and in the project."""


def notebooks() -> Path:
    """The directory of the course.

    Raises
    ------
    UsageProblem
        The package was installed without it.
    """
    for place in _PLACES:
        if place.is_dir():
            return place
    raise UsageProblem("the course's notebooks are not installed", hint="they are in the project: notebooks/")


def lessons() -> list[Lesson]:
    """Every lesson that has exercises, in order."""
    found = [
        importlib.import_module(f"{exercises.__name__}.{module.name}").LESSON
        for module in pkgutil.iter_modules(exercises.__path__)
    ]
    return sorted(found, key=lambda lesson: lesson.name)


def lesson(name: str) -> Lesson:
    """The lesson of a number ("00", "0") or a name.

    Raises
    ------
    UsageProblem
        There is none.
    """
    known = lessons()
    for each in known:
        if name in (each.name, each.number) or (name.isdecimal() and int(name) == int(each.number)):
            return each
    raise UsageProblem(
        f"there is no lesson {name}",
        hint=did_you_mean(name, [each.name for each in known])
        or f"the lessons are {', '.join(each.number for each in known)}",
    )


def exercise(of: Lesson, name: str) -> Exercise:
    """The exercise of a lesson.

    Raises
    ------
    UsageProblem
        There is none of this name.
    """
    for each in of.exercises:
        if each.name == name:
            return each
    names = [each.name for each in of.exercises]
    raise UsageProblem(
        f"lesson {of.number} has no exercise {name!r}",
        hint=did_you_mean(name, names) or f"it has {', '.join(names)}",
    )
