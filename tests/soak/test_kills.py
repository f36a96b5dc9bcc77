"""Two hundred Jupyter kernels, killed at any moment: nothing of them goes on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from support import kernel_objects
from support.machine import ROOT
from support.soak import Counts, Turns
from support.texts import GOOD

MOST = 200
SEED = 29
FIRST = 60.0
"""Most seconds that the first kernel may take until its programs are attached."""
LOOK = 10.0
"""Most seconds that what a killed kernel started may outlive it."""
MARK = "EBPF_LAB_SOAK"

CELL = f"%load_ext ebpf_lab\nget_ipython().run_cell_magic('bpf', '--live', {GOOD!r})"


def marked(mark: str) -> set[int]:
    """Processes with this in their environment."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.add(int(process.name))
        except OSError:
            continue  # it has ended
    return found


def attached(mark: str) -> bool:
    """Whether one of them holds a link."""
    return any(kind == "link" for pid in marked(mark) for kind, _ in kernel_objects.held_by(pid))


def probe_events() -> list[str]:
    """Probes that somebody keeps in tracefs."""
    return [
        path.read_text()
        for name in ("uprobe_events", "kprobe_events")
        if (path := Path("/sys/kernel/tracing", name)).exists()
    ]


@contextlib.contextmanager
def kernel(mark: str) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A Jupyter kernel, which by the end has been killed, or is now."""
    manager = KernelManager(kernel_name="python3")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    manager.start_kernel(env={**os.environ, "PYTHONPATH": path, MARK: mark})
    client = manager.blocking_client()
    # Its heartbeat would go on asking a kernel that is gone.
    client.start_channels(hb=False)
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")
def test_killed_kernels_leave_nothing(turns: Turns, counted: Counts) -> None:
    # What Jupyter's client opens once is no leak; and so long it takes here until programs are attached.
    with kernel("first") as (_, client):
        began = time.monotonic()
        client.execute(CELL)
        while not attached("first"):
            assert time.monotonic() < began + FIRST
            time.sleep(0.02)
        length = 1.5 * (time.monotonic() - began)
    rng = random.Random(SEED)
    before = kernel_objects.Snapshot()
    events = probe_events()
    killed, tracing = 0, 0
    for _ in turns(MOST):
        mark = uuid.uuid4().hex
        with kernel(mark) as (manager, client):
            client.execute(CELL)
            time.sleep(rng.uniform(0, length))
            tracing += attached(mark)
            os.kill(manager.provisioner.pid, signal.SIGKILL)
            killed += 1
        end = time.monotonic() + LOOK
        while left := marked(mark):
            assert time.monotonic() < end, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
            time.sleep(0.02)
        assert kernel_objects.leaks(before) == []
        assert probe_events() == events
    counted.update({"killed": killed, "of them with programs attached": tracing})
