"""What is in the kernel and in this process, to see that a test left nothing behind."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np  # noqa: F401  whose threads begin when it is imported, and stay

from ebpf_lab.host.syscalls import BpfCommand, bpf

SETTLE = 10.0
"""Most seconds that the kernel is given to free what was closed: it does so behind a grace period of RCU,
which takes long where processors are emulated."""

_WALKS = {
    "prog": BpfCommand.PROG_GET_NEXT_ID,
    "map": BpfCommand.MAP_GET_NEXT_ID,
    "link": BpfCommand.LINK_GET_NEXT_ID,
}

_ID = re.compile(r"^(prog|map|link)_id:\s*(\d+)$", re.M)


def ids(kind: str) -> set[int]:
    """Ids of all BPF programs ("prog"), maps ("map") or links ("link") of the machine."""
    found: set[int] = set()
    attributes = ctypes.create_string_buffer(12)
    last = 0
    while True:
        struct.pack_into("<III", attributes, 0, last, 0, 0)
        try:
            bpf(_WALKS[kind], attributes)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return found
            raise
        last = struct.unpack_from("<I", attributes, 4)[0]
        found.add(last)


def held_elsewhere() -> set[tuple[str, int]]:
    """(kind, id) of what other processes have descriptors of: theirs to close, not the test's.

    The processes that a test started and is still the parent of are not "other".
    """
    own = {os.getpid(), *children()}
    others = (int(process.name) for process in Path("/proc").glob("[0-9]*"))
    return {each for pid in others if pid not in own for each in held_by(pid)}


def held_by(pid: int) -> set[tuple[str, int]]:
    """(kind, id) of what a process has descriptors of; of one that has ended, nothing."""
    held: set[tuple[str, int]] = set()
    with contextlib.suppress(OSError):
        for info in Path(f"/proc/{pid}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                held |= {(kind, int(number)) for kind, number in _ID.findall(info.read_text())}
    return held


def children() -> set[int]:
    """Processes that threads of this one have started and not yet waited for."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def descriptors() -> set[tuple[int, str]]:
    """Open descriptors of this process and what each is open on."""
    found: set[tuple[int, str]] = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
    return found


def threads() -> dict[int, str]:
    """Threads of this process, the C libraries' included, by id.

    The memory allocator of pyarrow has one, which pandas' first text column starts and nothing ends.
    """
    found: dict[int, str] = {}
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found[int(task.name)] = (task / "comm").read_text().strip()
    return {thread: name for thread, name in found.items() if name != "jemalloc_bg_thd"}


@dataclass(frozen=True)
class Snapshot:
    """Everything that a trace could leave behind."""

    kernel: dict[str, set[int]] = field(default_factory=lambda: {kind: ids(kind) for kind in _WALKS})
    descriptors: set[tuple[int, str]] = field(default_factory=descriptors)
    threads: dict[int, str] = field(default_factory=threads)
    children: set[int] = field(default_factory=children)

    def new_since(self, before: Snapshot) -> list[str]:
        """What is here and was not there ``before``, one line each; other processes' objects aside."""
        lines = [
            (kind, number, f"BPF {kind} {number}")
            for kind, now in self.kernel.items()
            for number in sorted(now - before.kernel[kind])
        ]
        if lines:
            elsewhere = held_elsewhere()
            lines = [line for line in lines if line[:2] not in elsewhere]
        return (
            [text for _, _, text in lines]
            + [f"descriptor {fd} on {path}" for fd, path in sorted(self.descriptors - before.descriptors)]
            + [f"thread {self.threads[t]} ({t})" for t in sorted(self.threads.keys() - before.threads.keys())]
            + [f"child process {pid}" for pid in sorted(self.children - before.children)]
        )


def leaks(before: Snapshot, settle: float = SETTLE) -> list[str]:
    """What is left since ``before``, after waiting up to ``settle`` seconds for it to go."""
    end = time.monotonic() + settle
    while True:
        left = Snapshot().new_since(before)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)
