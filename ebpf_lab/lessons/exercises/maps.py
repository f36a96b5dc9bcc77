"""The exercises of lesson 05."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

from ebpf_lab.lessons import answers
from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload
from ebpf_lab.session import Trace

_CALLS = "import os\nfor offset in {offsets!r}:\n    os.lseek(0, offset, 0)"

_READS = """
import os
for name, number in {files!r}:
    os.dup2(os.open(name, os.O_RDONLY), number)
for number in {numbers!r}:
    os.read(number, 65536)
"""


def _offsets(rng: random.Random, directory: Path) -> Workload:
    """Calls for offsets that nobody else asks for, each several times."""
    different = rng.sample(range(10_000, 10_000_000), rng.randrange(5, 12))
    offsets = [offset for offset in different for _ in range(rng.randrange(1, 14))]
    rng.shuffle(offsets)
    return Workload((sys.executable, "-c", _CALLS.format(offsets=offsets)), dict(Counter(offsets)))


def _files(rng: random.Random, directory: Path) -> Workload:
    """Files shorter than what is asked for, under descriptors that are seldom in use."""
    numbers = rng.sample(range(700, 1000), rng.randrange(3, 7))
    sizes = {number: rng.randrange(1, 9000) for number in numbers}
    files = []
    for number, size in sizes.items():
        file = directory / f"file-{number}"
        file.write_bytes(b"x" * size)
        files.append((str(file), number))
    # The second read finds the file's end: nothing comes.
    reads = numbers + rng.sample(numbers, 2)
    script = _READS.format(files=files, numbers=reads)
    return Workload((sys.executable, "-c", script), sizes)


def _counted(trace: Trace, expected: dict[int, int]) -> None:
    _compare(trace, expected, "calls", "offset")


def _summed(trace: Trace, expected: dict[int, int]) -> None:
    _compare(trace, expected, "bytes", "file")


def _compare(trace: Trace, expected: dict[int, int], what: str, of: str) -> None:
    found = answers.table(trace, expected, "number", "keep the map that the program began with")
    for key, number in expected.items():
        if found.get(key) != number:
            came = f"{found[key]:,}" if key in found else f"no element of this key among {len(found):,}"
            raise NotYet(f"{number:,} {what} of {of} {key}", came)


LESSON = Lesson(
    "05_maps",
    (
        Exercise(
            "ex1",
            "how often each offset was asked for",
            hints=(
                "What is counted by itself is what has a key of its own.",
                "`ctx->args[1]` is the offset.",
                "One line changes: `u64 key = ctx->args[1];`",
            ),
            workload=_offsets,
            judge=_counted,
        ),
        Exercise(
            "ex2",
            "how many bytes came from each file descriptor",
            hints=(
                "Two programs and two maps: one remembers, from entry to return, which file a thread reads.",
                "At the entry: `bpf_map_update_elem(&reading, &thread, &file, BPF_ANY)`, where `thread` is"
                " `(u32)bpf_get_current_pid_tgid()`. At the return look it up, and copy the number.",
                'In `SEC("tracepoint/syscalls/sys_exit_read")`, whose context is a'
                " `struct trace_event_raw_sys_exit`, add `ctx->ret` where it is above 0, as the starter added"
                " `args[2]`.",
            ),
            workload=_files,
            judge=_summed,
        ),
    ),
)
