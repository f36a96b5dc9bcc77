"""The exercises of lesson 12."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

from ebpf_lab.lessons import answers
from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_ASKS = "import os\nfor _ in range({count}):\n    os.getppid()"

_SLEEPS = "import time\nfor seconds in {seconds!r}:\n    time.sleep(seconds)"

_SLOW = 40_000_000
"""Nanoseconds from which a sleep is to be told, as the starter has it."""

_RATE = 499
"""Samples a second, as the starter has them."""

# Children that work until they have used so much of a processor, and then write how much that was.
_WORKERS = """
import os, time
with open({file!r}, "a", buffering=1) as file:
    for seconds in {seconds!r}:
        child = os.fork()
        if not child:
            while time.process_time() < seconds:
                pass
            file.write(f"{{os.getpid()}} {{time.process_time()}}\\n")
            os._exit(0)
        os.waitpid(child, 0)
"""


def _asks(rng: random.Random, directory: Path) -> Workload:
    count = rng.randrange(4000, 9000)
    return Workload((sys.executable, "-c", _ASKS.format(count=count)), count)


def _about_one_in_16(trace: Trace, count: int) -> None:
    came, expected = len(ended(trace)), count / 16
    # Six times what chance makes of it: an attempt in 500 million fails by bad luck.
    most = 6 * math.sqrt(expected)
    if not expected - most <= came <= expected + most:
        raise NotYet(f"about {expected:.0f} events for {count:,} calls", f"{came:,}")


def _sleeps(rng: random.Random, directory: Path) -> Workload:
    """Sleeps that are certainly slow, among many that are most likely quick."""
    long = [rng.randrange(42, 60) / 1000 for _ in range(rng.randrange(3, 8))]
    seconds = long + [rng.choice((0.001, 0.002, 0.003)) for _ in range(23)]
    rng.shuffle(seconds)
    return Workload((sys.executable, "-c", _SLEEPS.format(seconds=seconds)), seconds)


def _slow_ones(trace: Trace, seconds: list[float]) -> None:
    """A sleep is never shorter than was asked for, and longer where the machine is busy."""
    came = column(ended(trace), "duration_ns").astype("int64").tolist()
    slow = sum(each * 1e9 >= _SLOW for each in seconds)
    quick = sum(each < _SLOW for each in came)
    wanted = f"{slow} events, each of {_SLOW:,} ns or more"
    if quick:
        raise NotYet(wanted, f"{len(came)}, of which {quick} are of less")
    if not slow <= len(came) < (slow + len(seconds)) / 2:
        raise NotYet(wanted, f"{len(came)}")


def _workers(rng: random.Random, directory: Path) -> Workload:
    """Processes that use different amounts of processor time."""
    seconds = [round(rng.uniform(0.06, 0.3), 3) for _ in range(3)]
    file = directory / "used"
    return Workload((sys.executable, "-c", _WORKERS.format(file=str(file), seconds=seconds)), (seconds, file))


def _metered(trace: Trace, expected: tuple[list[float], Path]) -> None:
    _, file = expected
    used = {int(pid): float(time) for pid, time in map(str.split, file.read_text().splitlines())}
    found = answers.table(trace, used, "pid", "keep a u32 for the key and a u64 for the value")
    for pid, seconds in used.items():
        wanted = seconds * _RATE
        if abs(found.get(pid, 0) - wanted) > 20 + 0.4 * wanted:
            came = f"{found[pid]:,}" if pid in found else f"no element of this key among {len(found):,}"
            raise NotYet(f"about {wanted:.0f} samples of process {pid}, which used {seconds:.2f} s", came)
    if 0 in found:
        raise NotYet("no element for pid 0, which is no process", f"{found[0]:,} samples of it")


LESSON = Lesson(
    "12_what_it_costs",
    (
        Exercise(
            "ex1",
            "about one call in 16",
            hints=(
                "Which line decides whether an event is sent at all? There is none yet: it belongs first.",
                "`bpf_get_prandom_u32()` is another number each time; `% 16` of it is 0 for one in 16.",
                "`if (bpf_get_prandom_u32() % 16) return 0;` as the program's first line.",
            ),
            workload=_asks,
            judge=_about_one_in_16,
        ),
        Exercise(
            "ex2",
            "the slow sleeps only",
            hints=(
                "The duration is known at the return, and nothing has been sent then.",
                "After `bpf_map_delete_elem`, and before `bpf_ringbuf_output`: compare, and leave.",
                "`if (event.duration_ns < slow) return 0;`",
            ),
            workload=_sleeps,
            judge=_slow_ones,
        ),
        Exercise(
            "ex3",
            "samples by process",
            hints=(
                "An array of one element has the key 0 alone. Pids are keys that nobody knows before.",
                "`BPF_MAP_TYPE_HASH` with room for some thousand keys, and"
                " `u32 key = bpf_get_current_pid_tgid() >> 32;`",
                "`if (!key) return 0;` and, where the lookup finds nothing,"
                " `bpf_map_update_elem(&samples, &key, &one, BPF_NOEXIST)` with `u64 one = 1`.",
            ),
            workload=_workers,
            judge=_metered,
            needs=("perf_event",),
        ),
    ),
)
