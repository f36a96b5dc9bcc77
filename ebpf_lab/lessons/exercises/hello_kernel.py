"""The exercises of lesson 01."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_SCRIPT = """
import os, threading
ids = []
for kind in {kinds!r}:
    if kind == "process":
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        ids.append(child)
    else:
        thread = threading.Thread(target=lambda: ids.append(threading.get_native_id()))
        thread.start()
        thread.join()
with open({file!r}, "w") as file:
    file.write(" ".join(map(str, ids)))
"""


def _newcomers(rng: random.Random, directory: Path) -> Workload:
    """Processes and threads; their ids are in a file at the end."""
    kinds = ["process"] * rng.randrange(2, 7) + ["thread"] * rng.randrange(2, 7)
    rng.shuffle(kinds)
    file = directory / "ids"
    return Workload((sys.executable, "-c", _SCRIPT.format(kinds=kinds, file=str(file))), (kinds, file))


def _each_once(trace: Trace, expected: tuple[list[str], Path]) -> None:
    kinds, _ = expected
    rows = len(ended(trace))
    if rows != len(kinds):
        what = (
            f"{len(kinds)} lines, for {kinds.count('process')} processes and {kinds.count('thread')} threads"
        )
        raise NotYet(what, str(rows))


def _their_ids(trace: Trace, expected: tuple[list[str], Path]) -> None:
    _, file = expected
    ids = file.read_text().split()
    came = [text.strip() for text in column(ended(trace), "message").astype(str)]
    if sorted(came) != sorted(ids):
        raise NotYet(f"the lines {' '.join(ids)}, in any order", " ".join(came) or "none")


LESSON = Lesson(
    "01_hello_kernel",
    (
        Exercise(
            "ex1",
            "a line for each new process and thread, by whichever door",
            hints=(
                "`ksyscall/clone` is one door of several: processes come in by it, and threads by another.",
                "Which function do all doors lead to? One of the cells above watched it.",
                'One line changes: `SEC("kprobe/kernel_clone")`.',
            ),
            workload=_newcomers,
            judge=_each_once,
            needs=("kprobe",),
        ),
        Exercise(
            "ex2",
            "the id of each new process and thread",
            hints=(
                "At the call the new one does not exist yet. `kernel_clone` returns its id: look there.",
                '`SEC("kretprobe/kernel_clone")` runs at the return.',
                '`int BPF_KRETPROBE(who, int ret)` names the returned value; then `bpf_printk("%d", ret)`.',
            ),
            workload=_newcomers,
            judge=_their_ids,
            needs=("kprobe",),
        ),
    ),
    needs=("kprobe",),
)
