"""The exercises of lesson 08."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ebpf_lab.errors import MissingFeature
from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_READS = """
import os
file = os.open({file!r}, os.O_RDONLY)
for count in {counts!r}:
    os.lseek(file, 0, 0)
    os.read(file, count)
"""

# Each child gives up its capabilities, and some then get all of them in a user namespace of their own.
_CHANGES = """
import ctypes, os
library = ctypes.CDLL(None)
for gains in {gains!r}:
    child = os.fork()
    if not child:
        library.capset((0x20080522).to_bytes(8, "little"), bytes(24))
        if gains and not library.unshare(0x10000000):
            with open({file!r}, "a") as file:
                file.write(f"{{os.getpid()}}\\n")
        os._exit(0)
    os.waitpid(child, 0)
"""


def _reads(rng: random.Random, directory: Path) -> Workload:
    """Reads for more or fewer bytes than a file has, in numbers that nobody else asks for."""
    file = directory / "file"
    size = rng.randrange(20_001, 40_000)
    file.write_bytes(b"x" * size)
    counts = [rng.randrange(10_001, 60_000, 2) for _ in range(rng.randrange(5, 12))]
    script = _READS.format(file=str(file), counts=counts)
    return Workload((sys.executable, "-c", script), [(count, min(count, size)) for count in counts])


def _asked(trace: Trace, expected: list[tuple[int, int]]) -> None:
    counts = [count for count, _ in expected]
    came = [each for each in column(ended(trace), "asked").tolist() if each in counts]
    if came != counts:
        raise NotYet(f"reads for {_line(counts)} bytes", _line(came) or "none of these")


def _came(trace: Trace, expected: list[tuple[int, int]]) -> None:
    frame = ended(trace)
    pairs = zip(column(frame, "asked").tolist(), column(frame, "came").tolist(), strict=True)
    counts = {count for count, _ in expected}
    found = [pair for pair in pairs if pair[0] in counts]
    if len(found) != len(expected):
        raise NotYet(f"{len(expected)} rows of the check's own reads", str(len(found)))
    for (_, came), (count, size) in zip(found, expected, strict=True):
        if came != size:
            raise NotYet(f"{size} bytes of the {count} that were asked for", str(came))


def _changes(rng: random.Random, directory: Path) -> Workload:
    """Children that lose capabilities, and some that gain; who gained is in a file at the end."""
    gains = [rng.random() < 0.5 for _ in range(rng.randrange(3, 8))] + [True, False]
    rng.shuffle(gains)
    file = directory / "gained"
    file.touch()
    return Workload((sys.executable, "-c", _CHANGES.format(gains=gains, file=str(file))), (gains, file))


def _gained(trace: Trace, expected: tuple[list[bool], Path]) -> None:
    gained = [int(line) for line in expected[1].read_text().split()]
    came = column(ended(trace), "pid").tolist()
    if came != gained:
        words = f"{len(gained)} rows, of the processes {_line(gained)}"
        raise NotYet(words, f"{len(came)} rows, of {_line(sorted(set(came))) or 'none'}")


@contextmanager
def _namespaces() -> Iterator[None]:
    """Nobody gains capabilities where that is forbidden, and a program that tells nothing would pass."""
    made = subprocess.run(["unshare", "--user", "true"], capture_output=True, text=True, check=False)
    if made.returncode:
        raise MissingFeature("no user namespaces can be made here", why=made.stderr.strip())
    yield


def _line(numbers: list[int]) -> str:
    return " ".join(map(str, numbers))


LESSON = Lesson(
    "08_credentials_registers",
    (
        Exercise(
            "ex1",
            "how many bytes each read asks for",
            hints=(
                "`vfs_read(file, buffer, count, position)`: which of the four is the number of bytes?",
                "`PT_REGS_PARM1(ctx)` is the first argument.",
                "One line changes: `event->asked = PT_REGS_PARM3(ctx);`",
            ),
            workload=_reads,
            judge=_asked,
            needs=("kprobe",),
        ),
        Exercise(
            "ex2",
            "how many bytes were asked for, and how many came",
            hints=(
                "At the entry nothing has come yet. Which kind of probe has the arguments and the result?",
                "`fexit` programs get what `fentry` programs get, and the result behind the last argument.",
                '`SEC("fexit/vfs_read")`, `long came` behind `position`, and `event->came = came;`',
            ),
            workload=_reads,
            judge=_came,
            needs=("fentry",),
        ),
        Exercise(
            "ex3",
            "the processes that gain capabilities",
            hints=(
                "One of the cells above has both sets, `before` and `after`. What is gained is in one of them"
                " only.",
                "Read both into variables: `bpf_probe_read_kernel(&before, 8, &old->cap_effective)`, where"
                " `old` is `BPF_CORE_READ(task, cred)`.",
                "Before the event is reserved: `if (!(after & ~before)) return 0;`",
            ),
            workload=_changes,
            judge=_gained,
            needs=("kprobe",),
            scene=_namespaces,
        ),
    ),
    needs=("kprobe",),
)
