"""The exercises of lesson 11."""

from __future__ import annotations

import random
import string
import sys
from pathlib import Path

from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

# Processes of these names, each of which starts programs; who started which is in a file at the end.
_FAMILIES = """
import os
with open({file!r}, "a", buffering=1) as file:
    for name, programs in {families!r}:
        child = os.fork()
        if not child:
            with open("/proc/self/comm", "w") as comm:
                comm.write(name)
            for _ in range(programs):
                started = os.posix_spawn("/bin/true", ["true"], {{}})
                os.waitpid(started, 0)
                file.write(f"{{started}} {{os.getpid()}} {{name}}\\n")
            os._exit(0)
        os.waitpid(child, 0)
"""


def _families(rng: random.Random, directory: Path) -> Workload:
    families = [
        ("".join(rng.sample(string.ascii_lowercase, rng.randrange(3, 12))), rng.randrange(1, 6))
        for _ in range(rng.randrange(2, 6))
    ]
    file = directory / "families"
    script = _FAMILIES.format(file=str(file), families=families)
    return Workload((sys.executable, "-c", script), (families, file))


def _started(file: Path) -> list[tuple[int, int, str]]:
    """Of each program its id, its parent's, and the parent's name."""
    rows = (line.split() for line in file.read_text().splitlines())
    return [(int(pid), int(parent), name) for pid, parent, name in rows]


def _read_right(trace: Trace, expected: tuple[list[tuple[str, int]], Path]) -> None:
    frame = ended(trace)
    read = set(column(frame, "read").tolist())
    ids = [pid for pid, _, _ in _started(expected[1])]
    found = sum(pid in read for pid in ids)
    if found != len(ids):
        raise NotYet(f"the {len(ids)} processes {ids[0]} to {ids[-1]} in read", f"{found} of them")


def _by_parents(trace: Trace, expected: tuple[list[tuple[str, int]], Path]) -> None:
    frame = ended(trace)
    rows = zip(
        column(frame, "pid").tolist(),
        column(frame, "parent").tolist(),
        column(frame, "parent_comm").astype(str),
        strict=True,
    )
    came = {pid: (parent, name) for pid, parent, name in rows}
    for pid, parent, name in _started(expected[1]):
        if came.get(pid) != (parent, name):
            shown = f"{came[pid][0]}, called {came[pid][1]!r}" if pid in came else "no event"
            raise NotYet(f"the parent of {pid} to be {parent}, called {name!r}", shown)


LESSON = Lesson(
    "11_under_the_hood",
    (
        Exercise(
            "ex1",
            "a member's place asked for, not claimed",
            hints=(
                "Compare with the struct `task_struct___old` of this lesson: what stands behind its brace?",
                "That attribute makes clang leave a relocation for each use of a member.",
                "One line changes: `} __attribute__((preserve_access_index));`",
            ),
            workload=_families,
            judge=_read_right,
        ),
        Exercise(
            "ex2",
            "the parent of each program that starts",
            hints=(
                "`BPF_CORE_READ` takes the way member by member: `BPF_CORE_READ(task, real_parent, tgid)`.",
                "A text is copied, not returned: `BPF_CORE_READ_STR_INTO(destination, task, …)`.",
                "`BPF_CORE_READ_STR_INTO(&event.parent_comm, task, real_parent, comm);`",
            ),
            workload=_families,
            judge=_by_parents,
        ),
    ),
)
