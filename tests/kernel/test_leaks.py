"""However a trace ends, the machine is as it was before."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support import kernel_objects
from support.backends import BCC, LIBBPF
from support.interrupts import interrupted_after
from support.machine import ROOT
from support.texts import BAD, GOOD, on_seek, seek_stream

import ebpf_lab
from ebpf_lab.session import prepare


def bpftool(kind: str) -> set[int]:
    """Ids that ``bpftool prog list`` (or map, or link) shows."""
    listing = subprocess.run(["bpftool", "-j", kind, "list"], capture_output=True, check=True)
    return {entry["id"] for entry in json.loads(listing.stdout or "[]")}


@LIBBPF
def test_hundred_traces_twenty_interrupted_twenty_failing(seek: Path) -> None:
    """Interrupts come at any moment of compiling, loading, attaching, waiting and closing."""
    random.seed(23)
    length = time.monotonic()
    ebpf_lab.trace(GOOD, command=[str(seek), "1"])
    length = time.monotonic() - length
    before = {kind: bpftool(kind) for kind in ("prog", "map", "link")}
    snapshot = kernel_objects.Snapshot()
    kinds = ["good"] * 60 + ["interrupted"] * 20 + ["failing"] * 20
    random.shuffle(kinds)
    for turn, kind in enumerate(kinds):
        if kind == "good":
            assert len(ebpf_lab.trace(GOOD, command=[str(seek), "1"]).frame) == 1
        elif kind == "failing":
            with pytest.raises(ebpf_lab.LabError):
                ebpf_lab.trace(BAD[turn % len(BAD)], seconds=60)
        else:
            with suppress(KeyboardInterrupt), interrupted_after(random.uniform(0, 1.5 * length)):
                ebpf_lab.trace(GOOD, command=["sleep", "60"])
    assert kernel_objects.leaks(snapshot) == []
    for kind, ids in before.items():
        new = {(kind, number) for number in bpftool(kind) - ids}
        assert new <= kernel_objects.held_elsewhere()


@BCC
def test_bcc_leaves_nothing(seek: Path) -> None:
    text = seek_stream("bcc", "perfbuf")
    before = kernel_objects.Snapshot()
    assert len(ebpf_lab.trace(text, command=[str(seek), "1"]).frame) == 1
    with suppress(KeyboardInterrupt), interrupted_after(1.0):
        ebpf_lab.trace(text, command=["sleep", "60"])
    with pytest.raises(ebpf_lab.CompileError):
        ebpf_lab.trace(on_seek("bcc", "return lenght;"), seconds=60)
    assert kernel_objects.leaks(before) == []


HOLD = """
import sys, time
import ebpf_lab
with ebpf_lab.trace(sys.stdin.read()):
    print("attached", flush=True)
    time.sleep(1000)
"""


@LIBBPF
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_killed_process_leaves_nothing(number: signal.Signals) -> None:
    before = kernel_objects.Snapshot()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        holder.stdin.write(GOOD)
        holder.stdin.close()
        assert holder.stdout.readline() == "attached\n"
        held = [name for name in kernel_objects.Snapshot().new_since(before) if name.startswith("BPF ")]
        assert {name.split()[1] for name in held} >= {"prog", "map"}
        holder.send_signal(number)
    assert kernel_objects.leaks(before, settle=5.0) == []


@LIBBPF
def test_leaving_by_an_exception_detaches() -> None:
    before = kernel_objects.Snapshot()
    with pytest.raises(RuntimeError, match="mine"), ebpf_lab.trace(GOOD):
        raise RuntimeError("mine")
    assert kernel_objects.leaks(before) == []


@LIBBPF
def test_trace_that_nobody_stops_ends_with_its_process() -> None:
    before = kernel_objects.Snapshot()
    script = "import sys, ebpf_lab\ntrace = ebpf_lab.trace(sys.stdin.read()).start()\n"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, input=GOOD, text=True, check=True, timeout=120)
    assert kernel_objects.leaks(before) == []


@LIBBPF
def test_stopping_again_changes_nothing(seek: Path) -> None:
    trace = prepare(GOOD, command=[str(seek), "23"]).run()
    assert len(trace.stop().frame) == len(trace.stop().frame) == 23
