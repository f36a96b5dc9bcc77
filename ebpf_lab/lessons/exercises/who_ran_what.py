"""The exercises of lesson 06."""

from __future__ import annotations

import random
import shlex
import sys
from pathlib import Path

from ebpf_lab.lessons import answers
from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

# Children of processes, by their first or by another thread; who came from whom is in a file at the end.
_CHILDREN = """
import os, subprocess, threading
def start():
    child = subprocess.Popen(["/bin/true"])
    file.write(f"{{os.getpid()}} {{child.pid}}\\n")
    child.wait()
with open({file!r}, "a", buffering=1) as file:
    for threads in {processes!r}:
        process = os.fork()
        if not process:
            for other in threads:
                if other:
                    thread = threading.Thread(target=start)
                    thread.start()
                    thread.join()
                else:
                    start()
            os._exit(0)
        os.waitpid(process, 0)
"""

# Each call in a process of its own.  A call that fails says so in the exit status.
_CALLS = """
import os, threading
def call(name):
    try:
        os.execv(name, [name])
    except OSError as error:
        os._exit(error.errno)
for name, other in {calls!r}:
    process = os.fork()
    if not process:
        if other:
            threading.Thread(target=call, args=(name,)).start()
            threading.Event().wait()
        call(name)
    os.waitpid(process, 0)
"""

_ENOENT, _EACCES = -2, -13


def _children(rng: random.Random, directory: Path) -> Workload:
    processes = [[rng.random() < 0.5 for _ in range(rng.randrange(4))] for _ in range(rng.randrange(2, 6))]
    # One of another thread at least: there the thread's number is not the process's.
    processes.append([True, *processes[0]])
    file = directory / "children"
    script = _CHILDREN.format(file=str(file), processes=processes)
    return Workload((sys.executable, "-c", script), (processes, file))


def _their_parents(trace: Trace, expected: tuple[list[list[bool]], Path]) -> None:
    _, file = expected
    frame = ended(trace)
    found = dict(zip(column(frame, "pid").tolist(), column(frame, "ppid").tolist(), strict=True))
    for parent, child in (map(int, line.split()) for line in file.read_text().splitlines()):
        if found.get(child) != parent:
            came = str(found[child]) if child in found else f"no row of it among {len(frame)}"
            raise NotYet(f"{parent} as the parent of {child}", came)


def _calls(rng: random.Random, directory: Path) -> Workload:
    """Programs that are there, that are not, and that may not be run; called by first and other threads."""
    numbers = rng.sample(range(1000), 9)
    kinds = [0, 0, 0, _ENOENT, _EACCES] + [rng.choice((0, _ENOENT, _EACCES)) for _ in range(4)]
    wanted = []
    for number, kind in zip(numbers, kinds, strict=True):
        name = directory / f"program-{number}"
        if kind == 0:
            name.symlink_to("/bin/true")
        elif kind == _EACCES:
            name.write_text("no program\n")
        wanted.append((str(name), kind))
    others = [True, True, False] + [rng.random() < 0.4 for _ in wanted[3:]]
    calls = [(name, other) for (name, _), other in zip(wanted, others, strict=True)]
    rng.shuffle(calls)
    results = dict(wanted)
    expected = [(name, results[name]) for name, _ in calls]
    return Workload((sys.executable, "-c", _CALLS.format(calls=calls)), (directory, expected))


def _results(trace: Trace, expected: tuple[Path, list[tuple[str, int]]]) -> None:
    directory, calls = expected
    frame = ended(trace)
    found = zip(column(frame, "file").astype(str), column(frame, "ret").tolist(), strict=True)
    came = [call for call in found if call[0].startswith(f"{directory}/")]
    for name, ret in calls:
        rets = [given for called, given in came if called == name]
        if rets != [ret]:
            words = " and ".join(map(str, rets)) or "no row of it"
            raise NotYet(f"{Path(name).name} with {ret} as its result", words)


def _searches(rng: random.Random, directory: Path) -> Workload:
    """Names searched for in several directories: some are in one of them, some in none."""
    places = [directory / f"bin{number}" for number in rng.sample(range(100), rng.randrange(2, 5))]
    for place in places:
        place.mkdir()
    names = [f"tool-{number}" for number in rng.sample(range(1000), rng.randrange(5, 9))]
    nowhere = names[: rng.randrange(2, 4)]
    for name in names[len(nowhere) :]:
        (rng.choice(places) / name).symlink_to("/bin/true")
    rng.shuffle(names)
    path = shlex.quote(f"PATH={':'.join(map(str, places))}")
    lines = [f"/usr/bin/env -i {path} {name}" for name in names]
    return Workload(("sh", "-c", f"({'; '.join(lines)}; :) 2> /dev/null"), sorted(nowhere))


LESSON = Lesson(
    "06_who_ran_what",
    (
        Exercise(
            "ex1",
            "the parent of each program's process",
            hints=(
                "The task that started another one is a thread. Which of its members is the process?",
                "In the kernel `pid` is the thread's id, and the process's has another name.",
                "One line changes: `event->ppid = BPF_CORE_READ(task, real_parent, tgid);`",
            ),
            workload=_children,
            judge=_their_parents,
        ),
        Exercise(
            "ex2",
            "what came of each call",
            hints=(
                "Two programs and a hash map: what the entry saw is kept until the return.",
                "Keep the text of the name, not its address: a struct with `char file[128]` can be a map's"
                " value. After a call that succeeded the address leads nowhere.",
                "The key is the task, `u64 task = bpf_get_current_task()`: a thread that is not the first has"
                " another number when the call returns. The result is `ctx->ret` of a"
                " `struct trace_event_raw_sys_exit`.",
            ),
            workload=_calls,
            judge=_results,
        ),
        Exercise(
            "ex3",
            "the names that were found nowhere",
            hints=(
                "A name that failed in one directory may have been found in the next. The directory has to"
                " go: `frame.file.str.rpartition('/')[2]`.",
                "Group by the name, and ask whether any of its calls returned 0.",
                "`found = (frame.ret == 0).groupby(names).any()`; the names are `found.index[~found]`.",
            ),
            workload=_searches,
            judge=answers.names,
            program="exec_snoop",
        ),
    ),
)
