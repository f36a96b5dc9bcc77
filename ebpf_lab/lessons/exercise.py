"""What an exercise is: a seeded workload, and a judge of what the learner's work makes of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ebpf_lab.session import Trace
from ebpf_lab.source.words import listing


class NotYet(Exception):
    """The learner's work does not do it: what was expected, and what came.

    Parameters
    ----------
    expected, came : str
        In plain words, such as "7 rows of true" and "none".
    hint : str
        What helps with this very mistake, in the place of the exercise's own next hint.
    """

    def __init__(self, expected: str, came: str, hint: str = "") -> None:
        super().__init__(f"expected {expected}, got {came}")
        self.expected = expected
        self.came = came
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Workload:
    """What happens while the learner's work looks on.

    Attributes
    ----------
    command : tuple of str
        Program and arguments; its numbers and names differ from check to check.
    expected : object
        What the judge needs to know of it.
    """

    command: tuple[str, ...]
    expected: Any


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise of a lesson.

    Attributes
    ----------
    name : str
        What ``check`` is called with, which is the name that the learner's cell binds: ``%%bpf -o ex1 …`` or,
        where ``program`` says so, a Python function ``ex1``.
    title : str
        The task in a line.
    hints : tuple of str
        Shown one by one, a further one after each attempt.
    workload : callable
        Makes the workload from random numbers, in an empty directory.
    judge : callable
        Takes the ended trace, or what the learner's function returned, and ``expected``; raises
        :class:`NotYet`.
    program : str
        The snippet whose frame the learner's function is given; "" where the learner writes the program.
    only : bool
        Whether events of other processes are left out, whatever the learner's cell says.
    needs : tuple of str
        Features of the kernel (:mod:`ebpf_lab.host.features`) without which it cannot be done.
    about_losses : bool
        Whether lost events are what it judges; otherwise they make an attempt inconclusive.
    scene : callable
        Makes a context in which there is what the program is attached to, where that is not there anyway.
    """

    name: str
    title: str
    hints: tuple[str, ...]
    workload: Callable[[random.Random, Path], Workload]
    judge: Callable[[Any, Any], None]
    program: str = ""
    only: bool = True
    needs: tuple[str, ...] = ()
    about_losses: bool = False
    scene: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson's exercises.

    Attributes
    ----------
    name : str
        The notebook's name without its suffix, such as ``00_first_traces``.
    exercises : tuple of Exercise
    needs : tuple of str
        Features of the kernel that most of its cells use.
    """

    name: str
    exercises: tuple[Exercise, ...]
    needs: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """Its two digits."""
        return self.name[:2]


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column of the learner's frame.

    Raises
    ------
    NotYet
        There is none of this name.
    """
    if name not in frame.columns:
        raise NotYet(f"a column {name}", f"the columns {listing(map(str, frame.columns))}")
    return frame[name]


def ended(trace: Trace) -> pd.DataFrame:
    """The main frame of the learner's trace.

    Raises
    ------
    NotYet
        The program sends no events.
    """
    frames = trace.frames
    if not frames:
        raise NotYet("events", "a program that sends none", hint="the events go into a ring buffer")
    return next(iter(frames.values()))
