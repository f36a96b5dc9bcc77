"""The exercises of lesson 09."""

from __future__ import annotations

import errno
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_THREADS = """
import os, threading
def seek(offsets):
    for offset in offsets:
        os.lseek(0, offset, 0)
threads = [threading.Thread(target=seek, args=(offsets,)) for offsets in {others!r}]
for thread in threads:
    thread.start()
seek({own!r})
for thread in threads:
    thread.join()
"""

# Each one asks for its own offsets, and then for a child, which does the same with the rest.
_GENERATIONS = """
import os
for offsets in {generations!r}:
    if os.fork():
        os.wait()
        os._exit(0)
    for offset in offsets:
        os.lseek(0, offset, 0)
"""

_OPENS = """
import os
for name, flags in {opens!r}:
    try:
        os.close(os.open(name, flags))
    except OSError:
        pass
"""


def _offsets(rng: random.Random, parts: int) -> list[list[int]]:
    """Offsets that no others are, for each part some."""
    return [
        [rng.randrange(10_000_000, 1_000_000_000) for _ in range(rng.randrange(2, 12))] for _ in range(parts)
    ]


def _threads(rng: random.Random, directory: Path) -> Workload:
    own, *others = _offsets(rng, rng.randrange(3, 6))
    script = _THREADS.format(own=own, others=others)
    return Workload((sys.executable, "-c", script), [own, *others])


def _generations(rng: random.Random, directory: Path) -> Workload:
    generations = _offsets(rng, rng.randrange(2, 5))
    return Workload((sys.executable, "-c", _GENERATIONS.format(generations=generations)), generations)


def _all_seen(trace: Trace, parts: list[list[int]]) -> None:
    wanted = Counter(offset for part in parts for offset in part)
    # Python has offsets of its own, when it starts.
    came = Counter(offset for offset in map(int, column(ended(trace), "offset")) if offset in wanted)
    if came != wanted:
        raise NotYet(f"{wanted.total()} calls of {len(parts)} threads or processes", str(came.total()))


def _seen_and_forgotten(trace: Trace, generations: list[list[int]]) -> None:
    _all_seen(trace, generations)
    left = trace.maps.get("followed")
    if left is None or len(left):
        came = "no such map" if left is None else f"{len(left)} who are in it for ever"
        raise NotYet(
            "an empty map followed at the end",
            came,
            hint="a program at `tracepoint/sched/sched_process_exit` runs in each thread that ends:"
            " `bpf_map_delete_elem(&followed, &thread)`",
        )


def _opens(rng: random.Random, directory: Path) -> Workload:
    """Files that can be opened, and some that cannot, each for a reason of its own."""
    there = directory / f"there-{rng.randrange(1_000_000)}"
    there.write_text("x")
    link = directory / f"link-{rng.randrange(1_000_000)}"
    link.symlink_to(there)
    ways = [
        (str(there), os.O_RDONLY, 0),
        (str(directory / f"absent-{rng.randrange(1_000_000)}"), os.O_RDONLY, errno.ENOENT),
        (f"{there}/below", os.O_RDONLY, errno.ENOTDIR),
        (str(directory), os.O_WRONLY, errno.EISDIR),
        (str(there), os.O_WRONLY | os.O_CREAT | os.O_EXCL, errno.EEXIST),
        (str(link), os.O_RDONLY | os.O_NOFOLLOW, errno.ELOOP),
    ]
    chosen = [rng.choice(ways) for _ in range(rng.randrange(11, 30))] + ways[:2]
    script = _OPENS.format(opens=[(name, flags) for name, flags, _ in chosen])
    failed = [(name, -error) for name, _, error in chosen if error]
    return Workload((sys.executable, "-c", script), (str(directory), failed))


def _failures(trace: Trace, expected: tuple[str, list[tuple[str, int]]]) -> None:
    directory, failed = expected
    frame = ended(trace)
    rows = zip(column(frame, "file").astype(str), map(int, column(frame, "ret")), strict=True)
    came = [(name, ret) for name, ret in rows if name.startswith(directory)]
    if came != failed:
        raise NotYet(
            f"{len(failed)} failures, {_first(failed)}", f"{len(came)} events{_differing(came, failed)}"
        )


def _first(rows: Iterable[tuple[str, int]]) -> str:
    name, ret = next(iter(rows))
    return f"the first of {Path(name).name} with {ret}"


def _differing(came: list[tuple[str, int]], failed: list[tuple[str, int]]) -> str:
    wrong = next((each for each in came if each not in failed), None)
    return f", one of them of {Path(wrong[0]).name} with {wrong[1]}" if wrong else ""


LESSON = Lesson(
    "09_strace",
    (
        Exercise(
            "ex1",
            "all threads of one process",
            hints=(
                "The first thread of a process has the process's own id; the others have ids of their own.",
                "`bpf_get_current_pid_tgid()` holds both ids. Which half is the process?",
                "One line changes: `u32 who = id >> 32;`",
            ),
            workload=_threads,
            judge=_all_seen,
        ),
        Exercise(
            "ex2",
            "a command's children and theirs, and none that has ended",
            hints=(
                "Two things are missing: `born` takes one parent's children alone, and nobody is ever taken"
                " out.",
                "Whoever is in the map, in whichever role, has children that are followed: `if (known)`.",
                '`SEC("tracepoint/sched/sched_process_exit") int ended(void *ctx)` runs in each thread that'
                " ends; its id is the lower half of `bpf_get_current_pid_tgid()`.",
            ),
            workload=_generations,
            judge=_seen_and_forgotten,
        ),
        Exercise(
            "ex3",
            "the files that could not be opened, and why",
            hints=(
                "The result is `ctx->ret` at `tracepoint/syscalls/sys_exit_openat`, the name's address is"
                " known at the entry: carry it over in a hash, by thread.",
                "At the return: look up, check for NULL, delete; send an event only where `ctx->ret < 0`. Its"
                " context is a `struct trace_event_raw_sys_exit`.",
                "Read the name at the return, from the address that the hash has: there it is in memory. Copy"
                " the address out of the map before you delete the element.",
            ),
            workload=_opens,
            judge=_failures,
        ),
    ),
)
