"""The exercises of lesson 02."""

from __future__ import annotations

import os
import random
import shlex
import sys
from pathlib import Path

from ebpf_lab.lessons import answers
from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

# Flags that are the same numbers on x86-64 and arm64.
_READING = (os.O_RDONLY, os.O_RDONLY | os.O_SYNC, os.O_RDONLY | os.O_NONBLOCK)
_WRITING = (
    os.O_WRONLY,
    os.O_RDWR,
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    os.O_RDWR | os.O_SYNC,
)

_OPENS = """
import os
for name, flags in {calls!r}:
    os.close(os.open(name, flags))
"""

# The number of openat2() is the same on x86-64 and arm64; -100 is the directory that the process is in.
_OPENS_BY_TWO_DOORS = """
import ctypes, os
call = ctypes.CDLL(None, use_errno=True).syscall
for new, name, flags in {calls!r}:
    if new:
        how = (ctypes.c_uint64 * 3)(flags)
        file = call(437, -100, name.encode(), how, ctypes.sizeof(how))
        if file < 0:
            raise OSError(ctypes.get_errno(), "openat2", name)
    else:
        file = os.open(name, flags)
    os.close(file)
"""

Call = tuple[str, int]
"""A file's name, and the flags that the kernel is asked to open it with."""


def _files(rng: random.Random, directory: Path, count: int) -> list[str]:
    files = [directory / f"file-{number}" for number in rng.sample(range(1000), count)]
    for file in files:
        file.write_text("x\n")
    return list(map(str, files))


def _readers_and_writers(rng: random.Random, directory: Path) -> Workload:
    """Files opened to read and to write, each in several ways."""
    files = _files(rng, directory, 5)
    flags = [rng.choice(_READING) for _ in range(rng.randrange(3, 9))]
    flags += [rng.choice(_WRITING) for _ in range(rng.randrange(3, 9))]
    rng.shuffle(flags)
    # Python's own open() adds this flag, so that no child inherits the file.
    calls = [(rng.choice(files), each | os.O_CLOEXEC) for each in flags]
    writing = [call for call in calls if call[1] & os.O_ACCMODE != os.O_RDONLY]
    return Workload((sys.executable, "-c", _OPENS.format(calls=calls)), (directory, writing))


def _two_doors(rng: random.Random, directory: Path) -> Workload:
    """Files opened by openat() and by openat2()."""
    files = _files(rng, directory, 5)
    doors = [True] * rng.randrange(3, 8) + [False] * rng.randrange(3, 8)
    rng.shuffle(doors)
    flags = (*_READING, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND)
    calls = [(new, rng.choice(files), rng.choice(flags) | (0 if new else os.O_CLOEXEC)) for new in doors]
    script = _OPENS_BY_TWO_DOORS.format(calls=calls)
    return Workload((sys.executable, "-c", script), (directory, [call[1:] for call in calls]))


def _these_calls(trace: Trace, expected: tuple[Path, list[Call]]) -> None:
    """The frame has these calls in this order, and no others of the directory's files."""
    directory, calls = expected
    frame = ended(trace)
    names = column(frame, "filename").astype(str)
    found = zip(names, column(frame, "flags").tolist(), strict=True)
    came = [call for call in found if call[0].startswith(f"{directory}/")]
    for number, (wanted, given) in enumerate(zip(calls, came, strict=False), 1):
        if wanted != given:
            raise NotYet(f"{_said(wanted)} in row {number} of {len(calls)}", _said(given))
    if len(came) != len(calls):
        raise NotYet(f"{len(calls)} rows of files in {directory}", str(len(came)))


def _said(call: Call) -> str:
    return f"{Path(call[0]).name} with the flags {call[1]:#o}"


def _shared_files(rng: random.Random, directory: Path) -> Workload:
    """Files read by one process or by several, some by one several times, and some that are not there."""
    numbers = rng.sample(range(1000), 7)
    names = [str(directory / f"file-{number}.txt") for number in numbers]
    *present, absent = names
    for name in present:
        Path(name).write_text("x\n")
    shared = present[: rng.randrange(2, 5)]
    alone = present[len(shared) :]
    readers: list[list[str]] = [[] for _ in range(rng.randrange(3, 6))]
    for name in [*shared, absent]:
        for reader in rng.sample(readers, rng.randrange(2, len(readers) + 1)):
            reader.append(name)
    for name in alone:
        rng.choice(readers).extend([name] * rng.randrange(1, 4))
    for reader in readers:
        rng.shuffle(reader)
    cats = [f"cat {shlex.join(reader)}" for reader in readers if reader]
    return Workload(("sh", "-c", f"({'; '.join(cats)}; :) > /dev/null 2>&1"), sorted(shared))


LESSON = Lesson(
    "02_file_guardian",
    (
        Exercise(
            "ex1",
            "whoever may write is reported, and nobody else",
            hints=(
                "`O_RDONLY` is 0. What does a number become when it is masked with 0?",
                "The lowest two bits are the way of access. Mask those, and compare with `O_RDONLY`.",
                "One line changes: `if ((ctx->args[2] & 3) == O_RDONLY)`.",
            ),
            workload=_readers_and_writers,
            judge=_these_calls,
        ),
        Exercise(
            "ex2",
            "openat2 is reported as openat is",
            hints=(
                "A second program in the same cell sends its events into the same buffer. Its tracepoint is"
                " `sys_enter_openat2`.",
                "The name is `args[1]` again. `args[2]` is the address of a `struct open_how`, which"
                " `vmlinux.h` has.",
                "`struct open_how *how = (void *)ctx->args[2]; u64 flags = 0;` and then"
                " `bpf_probe_read_user(&flags, sizeof(flags), &how->flags);`",
            ),
            workload=_two_doors,
            judge=_these_calls,
        ),
        Exercise(
            "ex3",
            "the text files (.txt) that more than one process opened",
            hints=(
                "First keep the rows that count: `frame.filename.str.endswith('.txt')`, and `frame.ret >= 0`,"
                " since a call that failed opened nothing.",
                "One process may open a file several times. `groupby('filename').pid.nunique()` counts the"
                " different processes.",
                "Of that series `counts`, `list(counts.index[counts > 1])` are the names.",
            ),
            workload=_shared_files,
            judge=answers.names,
            program="open_monitor",
        ),
    ),
)
