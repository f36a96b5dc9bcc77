"""The exercises of lesson 00."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_PROGRAMS = ("true", "uname", "id", "date", "ls")
_ABSENT = "/no/such/program"


def _starts(rng: random.Random, directory: Path) -> Workload:
    """Programs that are there, and calls for one that is not."""
    started = [rng.choice(_PROGRAMS) for _ in range(rng.randrange(5, 13))]
    attempts = [*started, *[_ABSENT] * rng.randrange(2, 6)]
    rng.shuffle(attempts)
    calls = [name if name == _ABSENT else f"/bin/{name}" for name in attempts]
    script = "; ".join(f"{call} >/dev/null 2>&1" for call in calls)
    return Workload(("sh", "-c", f"{script}; :"), Counter(started))


def _new_names(trace: Trace, expected: Counter[str]) -> None:
    names = column(ended(trace), "comm").astype(str)
    came = Counter(name for name in names if name in _PROGRAMS)
    if came != expected:
        raise NotYet(_counted(expected), _counted(came) if came else f"only {_counted(Counter(names))}")


def _opens(rng: random.Random, directory: Path) -> Workload:
    """Files read once or several times, the first of them most often."""
    numbers = rng.sample(range(1000), 5)
    files = [directory / f"file-{number}.txt" for number in numbers]
    for file in files:
        file.write_text("x\n")
    times = sorted(rng.sample(range(1, 9), len(files)), reverse=True)
    reads = [str(file) for file, count in zip(files, times, strict=True) for _ in range(count)]
    rng.shuffle(reads)
    return Workload(("cat", *reads), (str(files[0]), times[0]))


def _favourite(answer: object, expected: tuple[str, int]) -> None:
    file, times = expected
    if answer != file:
        raise NotYet(f"{file}, which was opened {times} times", repr(answer))


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(names.items())) or "no rows"


LESSON = Lesson(
    "00_first_traces",
    (
        Exercise(
            "ex1",
            "a row for each program that really started, under its new name",
            hints=(
                "At the entry of `execve` the process still has its old name, and nobody knows yet whether"
                " the call will succeed. Another tracepoint fires only when it did.",
                "`%bpf probes 'tracepoint:sched:sched_process_*'` lists its neighbours.",
                'One line changes: `SEC("tracepoint/sched/sched_process_exec")`.',
            ),
            workload=_starts,
            judge=_new_names,
        ),
        Exercise(
            "ex2",
            "the text file (.txt) that was opened most often",
            hints=(
                "The frame has a row for each call, those of the dynamic linker too. The ones asked for end"
                " in `.txt`: `frame[frame.filename.str.endswith('.txt')]`.",
                "`value_counts()` counts equal values, the most frequent first; its index holds the values.",
            ),
            workload=_opens,
            judge=_favourite,
            program="open_monitor",
        ),
    ),
)
