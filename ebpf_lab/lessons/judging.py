"""One attempt at an exercise: the learner's work over a new workload, and what came of it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from ebpf_lab import session
from ebpf_lab.errors import (
    AttachError,
    CommandFailed,
    CompileError,
    MissingFeature,
    MissingPrivilege,
    VerifierRejected,
)
from ebpf_lab.host import features
from ebpf_lab.lessons.exercise import Exercise, NotYet
from ebpf_lab.plots import colours
from ebpf_lab.recordings import course
from ebpf_lab.results import Results
from ebpf_lab.source import snippets
from ebpf_lab.source.options import CellOptions

PASSED, NOT_YET, INCONCLUSIVE = "passed", "not yet", "inconclusive"

_SECONDS = 60.0
"""Longest time of an attempt: a workload ends by itself long before."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt showed; true when the exercise is done.

    Attributes
    ----------
    exercise : str
        Its name and title.
    state : str
        ``"passed"``, ``"not yet"`` or ``"inconclusive"``: the attempt says nothing about the learner's work.
    why : str
        What was expected and what came, or what made it inconclusive; "" when passed.
    hint : str
        What to look at next; "" when there is nothing to say.
    """

    exercise: str
    state: str
    why: str = ""
    hint: str = ""

    def __bool__(self) -> bool:
        return self.state == PASSED

    def __repr__(self) -> str:
        lines = [f"{self.exercise}: {self.state}"]
        lines += [f"  why   {self.why}"] if self.why else []
        lines += [f"  hint  {self.hint}"] if self.hint else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        # The state is in words too: a colour alone says nothing to some.
        colour = {PASSED: "good", NOT_YET: "bad"}.get(self.state, "accent")
        rows = "".join(
            f"<div style='margin-top:0.3em'><b>{label}</b> &nbsp;{_html(text)}</div>"
            for label, text in (("why", self.why), ("hint", self.hint))
            if text
        )
        return (
            f"<style>{colours.css()}</style><div class='ebpf-lab' style='padding:0.3em 0.8em;"
            f"border-left:4px solid var(--lab-{colour},currentColor)'>{_html(self.exercise)}: "
            f"<b style='color:var(--lab-{colour},inherit)'>{self.state}</b>{rows}</div>"
        )


def _html(text: str) -> str:
    """The text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def judge_cell(exercise: Exercise, text: str, options: CellOptions, seed: int) -> Outcome:
    """Run the learner's C over a workload made from ``seed``, and judge its events."""
    return _judge(exercise, text, options, seed, lambda trace: trace)


def judge_function(exercise: Exercise, function: Callable[[object], object], seed: int) -> Outcome:
    """Run the exercise's own program over a workload, and judge what the learner's function makes of it.

    What the function raises is the learner's to see, and is not caught.
    """
    snippet = snippets.load(exercise.program, lambda each: features.missing(each.needs) is None)
    options = CellOptions(attach=dict(snippet.attach))
    return _judge(exercise, snippet.text, options, seed, lambda trace: function(trace.frame.copy()))


def _judge(
    exercise: Exercise, text: str, options: CellOptions, seed: int, work: Callable[[session.Trace], object]
) -> Outcome:
    named = f"{exercise.name}, {exercise.title}"
    if course.replays() is not None:
        why = "your program cannot run: this notebook shows recordings"
        return Outcome(named, INCONCLUSIVE, why, course.LIVE_ELSEWHERE)
    with TemporaryDirectory(prefix="ebpf-lab-check-") as directory:
        workload = exercise.workload(random.Random(seed), Path(directory))
        try:
            with exercise.scene():
                trace = session.prepare(
                    text,
                    seconds=_SECONDS,
                    command=workload.command,
                    attach=options.attach,
                    set=options.settings,
                    only=exercise.only,
                    backend=options.backend,
                    event=options.stream_types,
                    keep=options.keep,
                ).run()
        except (MissingFeature, MissingPrivilege, CommandFailed) as error:
            return Outcome(named, INCONCLUSIVE, error.what, error.hint)
        except (CompileError, VerifierRejected, AttachError) as error:
            return Outcome(named, NOT_YET, f"{type(error).__name__}: {error.what}")
        lost = _lost(trace.results())
        if lost and not exercise.about_losses:
            return Outcome(named, INCONCLUSIVE, lost, "run the check once more; a larger buffer loses less")
        try:
            exercise.judge(work(trace), workload.expected)
        except NotYet as finding:
            return Outcome(named, NOT_YET, str(finding), finding.hint)
        return Outcome(named, PASSED)


def with_hint(outcome: Outcome, exercise: Exercise, attempts: int) -> Outcome:
    """The outcome with the exercise's next hint, where this mistake has none of its own.

    Parameters
    ----------
    attempts : int
        How often the exercise was tried before.
    """
    if outcome.state != NOT_YET or outcome.hint or not exercise.hints:
        return outcome
    return replace(outcome, hint=exercise.hints[min(attempts, len(exercise.hints) - 1)])


def _lost(results: Results) -> str:
    """What kept the attempt from seeing everything, "" for nothing."""
    missed = sum(program.missed for program in results.stats.programs.values())
    unkept = sum(stream.not_kept for stream in results.stats.streams.values())
    counted = (
        (results.dropped, "events were lost in the kernel"),
        (unkept, "events were not kept"),
        (missed, "runs were skipped by the kernel"),
    )
    return ", ".join(f"{count:,} {words}" for count, words in counted if count)
