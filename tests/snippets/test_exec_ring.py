"""A ring buffer that really overflows: every execve() is either in the frame or counted as lost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.backends import each_backend

from ebpf_lab.source import snippets

EXECS = 211
RING = {"libbpf": ("256 * 1024", "4096"), "bcc": ("events, 64", "events, 1")}
ROOM = 4096 // 40
"""Events that fit: 32 bytes each, and 8 of the ring buffer's own."""

# The traced command stops the process that reads the buffer, which is its parent, while it fills the buffer.
_WORKLOAD = f"""kill -STOP $PPID
i=0; while [ $i -lt {EXECS} ]; do /bin/true; i=$((i + 1)); done
kill -CONT $PPID"""
_TRACER = """
import json, sys, ebpf_lab
trace = ebpf_lab.trace(sys.stdin.read(), command=["sh", "-c", sys.argv[1]])
((stream, stats),) = trace.stats.streams.items()
((program, runs),) = trace.stats.programs.items()
print(json.dumps([stats.delivered, stats.dropped, runs.runs, trace.header]))
"""


@each_backend
@pytest.mark.needs("tracepoint", "ringbuf", "stats")
def test_what_does_not_fit_is_counted(backend: str) -> None:
    text = snippets.load(f"exec_ring.{backend}").text
    large, small = RING[backend]
    assert large in text
    tracer = subprocess.run(
        [sys.executable, "-c", _TRACER, _WORKLOAD],
        input=text.replace(large, small),
        capture_output=True,
        text=True,
        check=False,
    )
    assert tracer.returncode == 0, tracer.stderr
    delivered, dropped, runs, header = json.loads(tracer.stdout)
    # The kernel itself counts the program's runs, each of which reserves once.
    assert delivered + dropped == runs
    assert runs >= EXECS
    assert dropped >= EXECS - ROOM
    assert f" · {dropped} lost · " in header
