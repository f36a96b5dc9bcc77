"""The exercises of lesson 03."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from ebpf_lab.lessons import answers
from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

# The same numbers on x86-64 and arm64: those that can be ignored, and 0, which is no signal at all.
_SIGNALS = (0, 1, 2, 3, 10, 12, 13, 14, 15, 23, 28)

_KILLS = """
import os, signal
for number in {numbers!r}:
    if number:
        signal.signal(number, signal.SIG_IGN)
    os.kill(os.getpid(), number)
"""

# Children, some with a child of their own; who came from whom is in a file at the end.
_FORKS = """
import os
with open({file!r}, "a", buffering=1) as file:
    for deep in {deep!r}:
        child = os.fork()
        if not child:
            if deep:
                grandchild = os.fork()
                if grandchild:
                    os.waitpid(grandchild, 0)
                    file.write(f"{{os.getpid()}} {{grandchild}}\\n")
            os._exit(0)
        os.waitpid(child, 0)
        file.write(f"{{os.getpid()}} {{child}}\\n")
"""


def _signals(rng: random.Random, directory: Path) -> Workload:
    numbers = [rng.choice(_SIGNALS) for _ in range(rng.randrange(7, 18))]
    return Workload((sys.executable, "-c", _KILLS.format(numbers=numbers)), numbers)


def _their_numbers(trace: Trace, numbers: list[int]) -> None:
    answers.in_order(column(ended(trace), "number").tolist(), numbers, "signals")


def _families(rng: random.Random, directory: Path) -> Workload:
    """Processes and processes of theirs."""
    deep = [rng.random() < 0.5 for _ in range(rng.randrange(3, 13))]
    file = directory / "families"
    return Workload((sys.executable, "-c", _FORKS.format(file=str(file), deep=deep)), (deep, file))


def _parents(trace: Trace, expected: tuple[list[bool], Path]) -> None:
    _, file = expected
    pairs = sorted(tuple(map(int, line.split())) for line in file.read_text().splitlines())
    frame = ended(trace)
    came = sorted(zip(column(frame, "parent").tolist(), column(frame, "child").tolist(), strict=True))
    if came != pairs:
        missing = next((pair for pair in pairs if pair not in came), pairs[0])
        words = f"{len(pairs)} rows, one of them of parent {missing[0]} and child {missing[1]}"
        first = f", the first of parent {came[0][0]} and child {came[0][1]}" if came else ""
        raise NotYet(words, f"{len(came)} rows{first}")


LESSON = Lesson(
    "03_tracepoints",
    (
        Exercise(
            "ex1",
            "the number of each signal that is sent",
            hints=(
                "`%bpf help tracepoint:syscalls:sys_enter_kill` shows the call's arguments in order.",
                "The first argument is the process that shall get the signal, the second is the signal.",
                "One line changes: `event->number = ctx->args[1];`",
            ),
            workload=_signals,
            judge=_their_numbers,
        ),
        Exercise(
            "ex2",
            "each new process and its parent",
            hints=(
                "The tracepoint's record has both ids: `%bpf help tracepoint:sched:sched_process_fork`.",
                "The struct is called `trace_event_raw_` and then as the tracepoint.",
                "`int forked(struct trace_event_raw_sched_process_fork *ctx)`, then `ctx->parent_pid` and"
                " `ctx->child_pid`.",
            ),
            workload=_families,
            judge=_parents,
        ),
    ),
)
