"""The sides that are compared: the lab's trace, bcc, libbpf by way of ctypes, and libbpf in C.

Each loads a program that writes events, has them produced on another processor, and takes them meanwhile.
What counts is the processor time of the consuming process until the rows are there, so that it does not
matter whether the producer or the consumer is the slower one.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

import ebpf_lab
from benchmarks import native
from benchmarks.events import ROOM, Event, Kind, Row, text
from ebpf_lab.backends import bcc_package
from ebpf_lab.backends.bcc_worker import import_bcc
from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.backends.loaded import Loaded
from ebpf_lab.host.syscalls import online_cpus
from ebpf_lab.source.analyse import analyse

_IDLE_SECONDS = 0.001
_KEEP = "16GiB"


@dataclass(frozen=True, slots=True)
class Round:
    """What one round brought.

    Attributes
    ----------
    tried, lost, rows : int
        Events that the program tried to submit, that the side counted as lost, and that it has.
    processor_seconds, wall_seconds : float
        What the side took of the processor; how long it went on.
    """

    tried: int
    lost: int
    rows: int
    processor_seconds: float
    wall_seconds: float

    @property
    def unaccounted(self) -> int:
        """Events of which nothing is known, or known twice."""
        return abs(self.tried - self.lost - self.rows)

    @property
    def rate(self) -> float:
        """Millions of rows a second of processor time."""
        return self.rows / self.processor_seconds / 1e6


class Producer:
    """Runs a program on another processor."""

    def __init__(self, program: int, events: int, rate: float, cpu: int) -> None:
        arguments = [str(program), str(events), str(rate), str(cpu)]
        self._process = subprocess.Popen(
            [native.compiled("producer"), *arguments], pass_fds=[program], stdout=subprocess.PIPE, text=True
        )

    @property
    def works(self) -> bool:
        """Whether it is still producing."""
        return self._process.poll() is None

    def counts(self) -> tuple[int, int, float]:
        """Events tried, events that found room, and seconds, once it has ended."""
        said, _ = self._process.communicate()
        if self._process.returncode:
            sys.exit("the program that produces events failed")
        tried, made, seconds = said.split()
        return int(tried), int(made), float(seconds)


class Lab:
    """A trace, as a cell makes it."""

    def __init__(self, kind: Kind, events: Sequence[Event], cpu: int, room: int = ROOM) -> None:
        self._text = text("libbpf", kind, events, room)
        self._cpu = cpu

    def __call__(self, events: int, rate: float = 0) -> Round:
        """Have so many events produced and make frames of them."""
        before = open_programs()
        with ebpf_lab.trace(self._text, keep=_KEEP) as trace:
            (program,) = open_programs() - before
            began, processor = time.perf_counter(), time.process_time()
            tried, made, _ = Producer(program, events, rate, self._cpu).counts()
            trace.stop()
            frames = trace.frames
            processor, wall = time.process_time() - processor, time.perf_counter() - began
        lost = trace.stats.streams["events"].dropped
        check(frames.values(), made, tried)
        return Round(tried, lost, sum(map(len, frames.values())), processor, wall)

    def close(self) -> None:
        """Nothing is held between rounds."""


class Callbacks:
    """bcc: a Python callback each event, a list of tuples, ``pd.DataFrame``.

    It casts by itself, which is what ``b["events"].event(data)`` does, too, after looking its table up.
    """

    def __init__(self, kind: Kind, events: Sequence[Event], cpu: int, room: int = ROOM) -> None:
        bcc = bare_bcc()
        self._module = bcc.BPF(text=text("bcc", kind, events, room), cflags=["-w"])
        self._table = self._module["events"]
        self._program = self._module.load_func("produce", bcc.BPF.RAW_TRACEPOINT).fd
        self._cpu = cpu
        self._lost = 0
        self._rows: dict[int, list[Row]] = {event.size: [] for event in events}
        self._columns = {event.size: event.columns for event in events}
        callback = self._callback(events)
        if kind == "ring buffer":
            self._table.open_ring_buffer(callback)
            self._consume = self._module.ring_buffer_consume
        else:
            self._table.open_perf_buffer(callback, page_cnt=room >> 12, lost_cb=self._losing)
            self._consume = self._module.perf_buffer_consume
        self._perf = kind == "perf buffer"

    def _callback(self, events: Sequence[Event]) -> Callable[[int, Any, int], None]:
        cast = ctypes.cast
        if len(events) == 1:
            pointer, row = ctypes.POINTER(events[0].ctype()), events[0].row
            append = self._rows[events[0].size].append

            def one(cpu: int, data: Any, size: int) -> None:
                append(row(cast(data, pointer).contents))

            return one
        known = {
            event.size: (ctypes.POINTER(event.ctype()), event.row, self._rows[event.size].append)
            for event in events
        }

        def several(cpu: int, data: Any, size: int) -> None:
            pointer, row, append = known[size]
            append(row(cast(data, pointer).contents))

        return several

    def _losing(self, count: int) -> None:
        self._lost += count

    def __call__(self, events: int, rate: float = 0) -> Round:
        """Have so many events produced and make frames of them."""
        self._lost = 0
        for rows in self._rows.values():
            rows.clear()
        began, processor = time.perf_counter(), time.process_time()
        producer = Producer(self._program, events, rate, self._cpu)
        taken, working = 0, True
        while True:
            self._consume()
            came = sum(map(len, self._rows.values())) + self._lost
            if came == taken:
                if not working:
                    break
                working = producer.works
                time.sleep(_IDLE_SECONDS)
            taken = came
        frames = [pd.DataFrame(rows, columns=self._columns[size]) for size, rows in self._rows.items()]
        for frame in frames:
            frame["ts"] = pd.to_timedelta(frame["ts"] - (frame["ts"].iat[0] if len(frame) else 0))
        processor, wall = time.process_time() - processor, time.perf_counter() - began
        tried, made, _ = producer.counts()
        check(frames, made, tried)
        # A ring buffer counts no losses: the program does, as a bcc user has to do it.
        lost = self._lost if self._perf else tried - made
        return Round(tried, lost, sum(map(len, frames)), processor, wall)

    def close(self) -> None:
        """Close its buffers while the map is still there, then the module."""
        if self._perf:
            for cpu in online_cpus():
                del self._table[cpu]
        self._module.cleanup()


class Ctypes:
    """libbpf's ``ring_buffer__consume`` with a callback in Python, and ``pd.DataFrame``."""

    def __init__(self, event: Event, cpu: int, room: int = ROOM) -> None:
        self._event = event
        self._cpu = cpu
        self._loaded = _load(text("libbpf", "ring buffer", [event], room))
        self._library = ctypes.CDLL("libbpf.so.1")
        self._library.ring_buffer__new.restype = ctypes.c_void_p

    def __call__(self, events: int, rate: float = 0) -> Round:
        """Have so many events produced and make a frame of them."""
        rows: list[Row] = []
        append, row, cast = rows.append, self._event.row, ctypes.cast
        pointer = ctypes.POINTER(self._event.ctype())

        @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
        def sample(context: Any, data: int, size: int) -> int:
            append(row(cast(data, pointer).contents))
            return 0

        ring = ctypes.c_void_p(self._library.ring_buffer__new(_buffer(self._loaded), sample, None, None))
        began, processor = time.perf_counter(), time.process_time()
        producer = Producer(self._loaded.programs[0].fd, events, rate, self._cpu)
        working = True
        while self._library.ring_buffer__consume(ring) or working:
            working = producer.works
            time.sleep(_IDLE_SECONDS)
        frame = pd.DataFrame(rows, columns=self._event.columns)
        frame["ts"] = pd.to_timedelta(frame["ts"] - frame["ts"].iat[0])
        processor, wall = time.process_time() - processor, time.perf_counter() - began
        self._library.ring_buffer__free(ring)
        tried, made, _ = producer.counts()
        check([frame], made, tried)
        return Round(tried, tried - made, len(frame), processor, wall)

    def close(self) -> None:
        """Unload."""
        self._loaded.close()


class Native:
    """libbpf in C, which stores each record and makes nothing of it: the limit."""

    def __init__(self, event: Event, cpu: int, room: int = ROOM) -> None:
        self._size = event.size
        self._cpu = cpu
        self._loaded = _load(text("libbpf", "ring buffer", [event], room))

    def __call__(self, events: int, rate: float = 0) -> Round:
        """Have so many events produced and stored."""
        buffer = _buffer(self._loaded)
        process = subprocess.Popen(
            [native.compiled("consumer", "bpf"), str(buffer)],
            pass_fds=[buffer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()  # it is ready
        began = time.perf_counter()
        tried, made, _ = Producer(self._loaded.programs[0].fd, events, rate, self._cpu).counts()
        said, _ = process.communicate()
        records, size, seconds = said.split()
        if int(size) != int(records) * self._size:
            sys.exit(f"wrong records: {size} bytes in {records}")
        return Round(tried, tried - made, int(records), float(seconds), time.perf_counter() - began)

    def close(self) -> None:
        """Unload."""
        self._loaded.close()


@cache
def bare_bcc() -> ModuleType:
    """bcc itself.

    Raises
    ------
    MissingFeature
        It is not installed, or has no kernel headers.
    """
    bcc_package.require_headers()
    return import_bcc(str(bcc_package.find()))


def check(frames: Iterable[pd.DataFrame], made: int, tried: int) -> None:
    """Stop if the frames do not hold the events of a round, each once."""
    numbers = np.sort(np.concatenate([frame["n"].to_numpy() for frame in frames]))
    if len(numbers) != made or (np.diff(numbers) < 1).any() or (made == tried and numbers[-1] != made - 1):
        sys.exit(f"wrong events: {len(numbers)} of {made}")


def open_programs() -> set[int]:
    """Descriptors of this process that are BPF programs."""
    found = set()
    for fd in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:bpf-prog":
                found.add(fd)
    return found


def _buffer(loaded: Loaded) -> int:
    """Descriptor of the ring buffer."""
    (stream,) = loaded.streams
    assert stream.map is not None
    return stream.map.fd


def _load(source: str) -> Loaded:
    """The program, loaded by the lab and attached nowhere."""
    spec = analyse(source)
    with closing(backend_for(spec.dialect)(spec, BuildOptions())) as compiled:
        return compiled.load({})
