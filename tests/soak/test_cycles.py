"""A thousand traces, stopped, interrupted, failing and run again: nothing is left of any."""

from __future__ import annotations

import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support import kernel_objects
from support.interrupts import interrupted_after
from support.soak import Counts, Turns
from support.texts import BAD, GOOD

import ebpf_lab

MOST = 1000
LOOK_EVERY = 50
SEED = 23


@pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")
def test_traces_leave_nothing(turns: Turns, counted: Counts, seek: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "ebpf_lab")
    again = f"%%bpf --bg -o again\n{GOOD}"
    rng = random.Random(SEED)
    began = time.monotonic()
    ebpf_lab.trace(GOOD, command=[str(seek), "1"])
    length = time.monotonic() - began
    assert shell.run_cell(again).success
    shell.user_ns["again"].stop()
    before = kernel_objects.Snapshot()
    tally = dict.fromkeys(("stopped", "interrupted", "failed", "run again"), 0)
    for turn in turns(MOST):
        kind = rng.choice([*tally])
        tally[kind] += 1
        if kind == "stopped":
            with ebpf_lab.trace(GOOD) as trace:
                subprocess.run([seek, "23"], check=True)
            assert len(trace.frame) == 23
        elif kind == "interrupted":
            with suppress(KeyboardInterrupt), interrupted_after(rng.uniform(0, 1.5 * length)):
                ebpf_lab.trace(GOOD, command=["sleep", "60"])
        elif kind == "failed":
            with pytest.raises(ebpf_lab.LabError):
                ebpf_lab.trace(rng.choice(BAD), seconds=60)
        else:
            # The second run of a cell ends the trace of the first.
            assert shell.run_cell(again).success
            assert shell.run_cell(again).success
            shell.user_ns["again"].stop()
        if turn % LOOK_EVERY == 0:
            assert kernel_objects.leaks(before) == [], (turn, kind)
    assert kernel_objects.leaks(before) == []
    counted.update(tally)
