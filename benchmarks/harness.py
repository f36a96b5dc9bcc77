"""What every measurement gives back, and how sides are compared.

Times of a machine that also does something else mean little by themselves.  So all sides take turns within
one run, what counts is processor time wherever nobody has to wait, and goals are put as ratios: of the values
of one round, and of these the median.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a run is.

    Attributes
    ----------
    rounds : int
        Values of each side.
    scale : float
        Share of the usual number of events, elements or seconds.
    judged : bool
        Whether goals decide over the exit status; speeds of little work mean nothing.
    """

    rounds: int = 5
    scale: float = 1.0
    judged: bool = True

    def of(self, usual: int, least: int = 1) -> int:
        """So many of what is usually ``usual``."""
        return max(int(usual * self.scale), least)


QUICK = Effort(rounds=1, scale=0.002, judged=False)


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one side, a value each round."""

    side: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Their median."""
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach.

    Attributes
    ----------
    text : str
        What is compared with what.
    value, bound : float
        The figure, and its least or most.
    unit : str
        "×", "%", "ms".
    least : bool
        ``bound`` is the least; else the most.
    cause : str
        Why the figure falls short, where that is known.
    """

    text: str
    value: float
    bound: float
    unit: str
    least: bool = True
    cause: str = ""

    @property
    def reached(self) -> bool:
        """Whether the figure is as it should be."""
        return self.value >= self.bound if self.least else self.value <= self.bound


@dataclass(frozen=True, slots=True)
class Result:
    """What one measurement found.

    Attributes
    ----------
    name : str
        As ``./lab bench NAME`` has it.
    title : str
        What was measured.
    unit : str
        Of the series.
    series : tuple of Series
    more_is_better : bool
    goals : tuple of Goal
    unaccounted : int
        Events that were produced, and neither delivered nor counted as lost.
    notes : tuple of str
        What a reader of the figures should know, a sentence each.
    """

    name: str
    title: str
    unit: str
    series: tuple[Series, ...]
    more_is_better: bool = True
    goals: tuple[Goal, ...] = ()
    unaccounted: int = 0
    notes: tuple[str, ...] = ()

    def good(self, judged: bool) -> bool:
        """Whether every event is accounted for, and every goal reached where goals count."""
        return not self.unaccounted and (not judged or all(goal.reached for goal in self.goals))


Measurement = Callable[[Effort], Iterator[Result]]


def alternate(sides: Mapping[str, Callable[[], float]], rounds: int, warm: bool = True) -> dict[str, Series]:
    """Have the sides take turns.

    Parameters
    ----------
    sides : mapping
        By name, what measures a side once.
    rounds : int
    warm : bool
        Measure each once before, for nothing: first calls and imports are not what is measured.
    """
    values: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + warm):
        for side, measure in sides.items():
            value = measure()
            if number >= warm:
                values[side].append(value)
    return {side: Series(side, tuple(found)) for side, found in values.items()}


def ratio(ours: Series, theirs: Series) -> float:
    """The median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(ours.values, theirs.values, strict=True))


def cpus() -> tuple[int, int]:
    """A processor to measure on and another one to produce on; the same where there is one only."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


@contextmanager
def pinned() -> Iterator[int]:
    """Keep this process on one processor; the body gets the number of the other one."""
    before = os.sched_getaffinity(0)
    here, other = cpus()
    os.sched_setaffinity(0, {here})
    try:
        yield other
    finally:
        os.sched_setaffinity(0, before)


def processor_seconds(body: Callable[[], object]) -> float:
    """The processor time that this process takes for something, all threads together."""
    began = time.process_time()
    body()
    return time.process_time() - began


def process_seconds(pid: int) -> float:
    """The processor time of another process, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wall_seconds(body: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    body()
    return time.perf_counter() - began


def table(result: Result, judged: bool = True) -> Sequence[str]:
    """A result as lines of text; without judgement, its goals are left out."""
    lines = [f"{result.title} [{result.unit}]"]
    for series in result.series:
        low, high = min(series.values), max(series.values)
        lines.append(f"  {series.side:<34} {figure(series.median):>10}   ({figure(low)} to {figure(high)})")
    for goal in result.goals if judged else ():
        lines.append(f"  {goal.text}: {shown(goal)}")
    if result.unaccounted:
        lines.append(f"  {result.unaccounted:,} events unaccounted for")
    lines += [f"  {note}" for note in result.notes]
    return lines


def shown(goal: Goal) -> str:
    """A goal's figure, its bound, and whether it is reached."""
    sign = "≥" if goal.least else "≤"
    verdict = "reached" if goal.reached else "missed"
    return f"{figure(goal.value)} {goal.unit} (goal: {sign} {figure(goal.bound)} {goal.unit}): {verdict}"


def figure(value: float) -> str:
    """A number with three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
