"""The exercises of lesson 14."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_LIMIT = 5
"""Failures at which a process is told of."""

# Processes with names of their own, each of which opens one file; who is to be found is in a file at the end.
_READERS = """
import os
with open({pids!r}, "a", buffering=1) as pids:
    for name, file, wanted in {scenes!r}:
        child = os.fork()
        if not child:
            with open("/proc/self/comm", "w") as comm:
                comm.write(name)
            try:
                os.close(os.open(file, os.O_RDONLY))
            except OSError:
                pass
            if wanted:
                pids.write(f"{{os.getpid()}}\\n")
            os._exit(0)
        os.waitpid(child, 0)
"""

# Processes that fail a number of times, and now and then succeed.
_FAILURES = """
import os
with open({pids!r}, "a", buffering=1) as pids:
    for failures in {failures!r}:
        child = os.fork()
        if not child:
            for number in range(failures):
                os.close(os.open("/dev/null", os.O_RDONLY))
                try:
                    os.open(f"/no/such/place/{{number}}", os.O_RDONLY)
                except FileNotFoundError:
                    pass
            pids.write(f"{{os.getpid()}} {{failures}}\\n")
            os._exit(0)
        os.waitpid(child, 0)
"""


def _readers(rng: random.Random, directory: Path) -> Workload:
    """Strangers and keepers, keys and other files, some of which are not there."""
    key, note = directory / "own.key", directory / "key.txt"
    key.touch()
    note.touch()
    gone = directory / "gone.key"
    kinds = [
        (rng.choice(("cat", "grep", "curl")), str(key), True),
        ("keeper", str(key), False),
        ("less", str(note), False),
        ("find", str(gone), False),
    ]
    scenes = kinds + [rng.choice(kinds) for _ in range(rng.randrange(3, 20))]
    rng.shuffle(scenes)
    pids = directory / "pids"
    script = _READERS.format(pids=str(pids), scenes=scenes)
    wanted = [(name, Path(file).name) for name, file, is_wanted in scenes if is_wanted]
    return Workload((sys.executable, "-c", script), (len(scenes), wanted, pids))


def _named(found: object, expected: tuple[int, list[tuple[str, str]], Path]) -> None:
    _, _, file = expected
    pids = set(map(int, file.read_text().split()))
    if not isinstance(found, (set, frozenset)):
        raise NotYet("a set of pids", f"a {type(found).__name__}", hint="`set(frame.pid)` makes one")
    came = {int(pid) for pid in found}
    if came != pids:
        silent, wrong = len(pids - came), len(came - pids)
        raise NotYet(
            f"the {len(pids)} processes that read a key",
            f"{len(came)}: {silent} missed, {wrong} false alarms",
        )


def _failures(rng: random.Random, directory: Path) -> Workload:
    """Always one below the limit, one at it and one above."""
    failures = [_LIMIT - 1, _LIMIT, _LIMIT + 1] + [rng.randrange(1, 23) for _ in range(rng.randrange(2, 7))]
    rng.shuffle(failures)
    pids = directory / "pids"
    script = _FAILURES.format(pids=str(pids), failures=failures)
    return Workload((sys.executable, "-c", script), (failures, pids))


def _told_once(trace: Trace, expected: tuple[list[int], Path]) -> None:
    """Python itself fails to open some files at its start: what its own process counts is not judged."""
    _, file = expected
    failures = {int(pid): int(count) for pid, count in map(str.split, file.read_text().splitlines())}
    told = column(ended(trace), "pid").value_counts().to_dict()
    for pid, count in failures.items():
        wanted = int(count >= _LIMIT)
        if told.get(pid, 0) != wanted:
            words = f"{wanted} event{'s' if wanted != 1 else ''} of a process that failed {count} times"
            raise NotYet(words, f"{told.get(pid, 0)}")


LESSON = Lesson(
    "14_detector",
    (
        Exercise(
            "ex1",
            "who read a key and is no keeper",
            hints=(
                "Look at the frame's columns first: `filename`, `ret` and `comm` decide.",
                "`frame.filename.str.endswith('.key')` is true for keys; a failed call has a negative `ret`.",
                "Join three conditions with `&`, each in parentheses, and take `set(frame[…].pid)`.",
            ),
            workload=_readers,
            judge=_named,
            program="open_monitor",
        ),
        Exercise(
            "ex2",
            "one event at a process's fifth failure",
            hints=(
                "A hash by process counts the failures; an event goes out when the count becomes 5.",
                "The key: `bpf_get_current_pid_tgid() >> 32`. The first failure puts 1 in, others add 1.",
                "`if (__sync_fetch_and_add(count, 1) + 1 != 5) return 0;` stands before the event.",
            ),
            workload=_failures,
            judge=_told_once,
        ),
    ),
)
