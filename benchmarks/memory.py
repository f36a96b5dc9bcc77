"""Memory of a large frame, at the moment when most of it is in use."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.consumers import Lab
from benchmarks.events import COMM_32
from benchmarks.harness import Effort, Goal, Result, Series, cpus

_EVENTS = 10_000_000


def memory(effort: Effort) -> Iterator[Result]:
    """Ten million events of 32 bytes, in a process of their own."""
    values = []
    events = effort.of(_EVENTS, 20_000)
    for _ in range(min(effort.rounds, 3)):
        command = [sys.executable, "-m", "benchmarks.memory", str(events)]
        values.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    raw = events * COMM_32.size / 2**20
    series = Series("the lab, from events to the frame", tuple(values))
    goal = Goal("most memory / bytes of the events", series.median / raw, 1.5, "×", least=False)
    yield Result(
        "memory",
        f"A frame of {events:,} events of 32 bytes",
        "MiB at the peak",
        (series, Series("bytes of the events", (raw,))),
        False,
        (goal,),
        notes=("Resident memory of the whole process above what it was before the trace, buffers included.",),
    )


def _resident(field: str) -> float:
    """Resident memory of this process, or the most of it, in MiB."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def _peak(events: int) -> float:
    lab = Lab("ring buffer", [COMM_32], cpus()[1])
    lab(20_000)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before = _resident("VmRSS")
    lab(events)
    return _resident("VmHWM") - before


if __name__ == "__main__":
    print(_peak(int(sys.argv[1])))
