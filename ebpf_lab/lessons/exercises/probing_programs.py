"""The exercises of lesson 07."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from ebpf_lab.lessons import answers
from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_OURS = "LAB_"
"""How names of ours begin: the C library and Python ask for variables, too."""

_NUMBERS = """
import ctypes
atoi = ctypes.CDLL(None).atoi
for text in {texts!r}:
    atoi(text)
"""

# Each name lies a mebibyte behind the one before: the kernel brings the neighbours of a page that is touched.
_MAPPED = """
import ctypes, mmap
getenv = ctypes.CDLL(None).getenv
getenv.argtypes = [ctypes.c_void_p]
with open({file!r}, "rb") as file:
    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
for place in range({count}):
    getenv(begin + (place << 20))
"""

_SETTINGS = """
import ctypes
library = ctypes.CDLL(None)
for name in {there!r}:
    library.setenv(name, b"", 1)
for name in {asked!r}:
    library.getenv(name)
"""


def _numbers(rng: random.Random, directory: Path) -> Workload:
    numbers = [rng.randrange(-99_999, 99_999) for _ in range(rng.randrange(5, 12))]
    texts = [str(number).encode() for number in numbers]
    return Workload((sys.executable, "-c", _NUMBERS.format(texts=texts)), numbers)


def _answers(trace: Trace, numbers: list[int]) -> None:
    answers.in_order(column(ended(trace), "number").tolist(), numbers, "numbers")


def _names(rng: random.Random, count: int) -> list[str]:
    return [f"{_OURS}{number:X}" for number in rng.sample(range(1 << 16, 1 << 28), count)]


def _mapped(rng: random.Random, directory: Path) -> Workload:
    """Names of variables in pages of a file that nobody has touched."""
    names = _names(rng, rng.randrange(3, 9))
    path = directory / "names"
    with path.open("wb") as file:
        for place, name in enumerate(names):
            file.seek(place << 20)
            file.write(name.encode())
        # The last page is whole.
        file.truncate((len(names) - 1 << 20) + (1 << 16))
    return Workload((sys.executable, "-c", _MAPPED.format(file=str(path), count=len(names))), names)


def _all_names(trace: Trace, names: list[str]) -> None:
    came = column(ended(trace), "name").tolist()
    ours = [name for name in came if name.startswith(_OURS)]
    if ours != names:
        without = f", and {came.count('')} rows without a name" if "" in came else ""
        raise NotYet(f"the names {answers.line(names)}", (answers.line(ours) or "none of them") + without)


def _settings(rng: random.Random, directory: Path) -> Workload:
    """Variables that are there and others that are not, asked for in any order and again."""
    names = _names(rng, rng.randrange(5, 12))
    there = rng.sample(names, rng.randrange(2, len(names) - 1))
    asked = names + rng.choices(names, k=3)
    rng.shuffle(asked)
    script = _SETTINGS.format(
        there=[name.encode() for name in there], asked=[name.encode() for name in asked]
    )
    return Workload((sys.executable, "-c", script), [(name, name in there) for name in asked])


def _found(trace: Trace, expected: list[tuple[str, bool]]) -> None:
    frame = ended(trace)
    pairs = zip(column(frame, "name"), column(frame, "found"), strict=True)
    came = [(str(name), bool(found)) for name, found in pairs if str(name).startswith(_OURS)]
    if len(came) != len(expected):
        raise NotYet(f"{len(expected)} rows of names that begin with {_OURS}", f"{len(came)}")
    for (name, found), (its, really) in zip(came, expected, strict=True):
        if (name, found) != (its, really):
            raise NotYet(f"{its} with found {int(really)}", f"{name} with found {int(found)}")


LESSON = Lesson(
    "07_probing_programs",
    (
        Exercise(
            "ex1",
            "the numbers that atoi answers",
            hints=(
                "When the function begins, there is no answer yet. What looks at it is called at the entry.",
                "A uretprobe is called at the return.",
                'One line changes: `SEC("uretprobe/libc:atoi")`',
            ),
            workload=_numbers,
            judge=_answers,
            needs=("uprobe",),
        ),
        Exercise(
            "ex2",
            "the names of variables that are not in memory yet",
            hints=(
                "The program does not wait for pages that nobody has touched. One that sleeps may.",
                "The section begins with `uprobe.s`, and `bpf_copy_from_user` has the arguments of"
                " `bpf_probe_read_user_str`.",
                '`SEC("uprobe.s/libc:getenv")`, and'
                " `bpf_copy_from_user(event->name, sizeof(event->name), name);`",
            ),
            workload=_mapped,
            judge=_all_names,
            needs=("uprobe",),
        ),
        Exercise(
            "ex3",
            "which variables of the environment were there",
            hints=(
                "Two programs and a map: the first remembers, from entry to return, which name a thread asks"
                " for.",
                "At the entry, store the address of the name under the thread: a map of `u32` by `u64`,"
                " `u64 address = (u64)name;`.",
                'In `SEC("uretprobe/libc:getenv") int BPF_KRETPROBE(answered, u64 value)`, look it up, send'
                " the row with `event->found = value != 0;`, and delete it from the map.",
            ),
            workload=_settings,
            judge=_found,
            needs=("uprobe",),
        ),
    ),
    needs=("uprobe",),
)
