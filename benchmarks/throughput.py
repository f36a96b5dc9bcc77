"""Rows a second from the kernel into a DataFrame: the lab's readers against bcc's Python callbacks.

One program writes the same events of 32 bytes for both, into a ring buffer and into a perf buffer.  In each
round, first for one side, then for the other, the buffer is filled and emptied until all events were there;
then the side makes its DataFrame.  Emptying and the DataFrame are timed, filling is not: the reader is what
is measured.  bcc's side is a callback an event, a list of tuples, and ``pd.DataFrame``.  It looks its table
up once; with ``b["events"].event(data)`` in the callback, as most programs have it, it would be slower.

Neither side ever sleeps or uses a second thread, so what is taken is the thread's processor time: the time it
would take on a machine that does nothing else.

Run it by ``./lab bench``.  The exit status is 1 when an event is unaccounted for, or the lab's reader is less
than ``--goal`` times as fast.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import statistics
import struct
import sys
import time
from contextlib import ExitStack, closing
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from ebpf_lab.backends import bcc_package
from ebpf_lab.backends.bcc_worker import import_bcc
from ebpf_lab.errors import LabError
from ebpf_lab.frame.build import build
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.host.syscalls import BpfCommand, bpf, online_cpus
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.perfbuf import PerfBuffer
from ebpf_lab.readers.ringbuf import RingBuffer
from ebpf_lab.source.ctype import Array, Int, Member, Struct

Kind = Literal["ring buffer", "perf buffer"]

PAGES = 4096
"""Pages of the ring buffer, and of each CPU's perf buffer."""
BURST = 256
"""Events of one run of the program."""
RECORD_BYTES: dict[Kind, int] = {"ring buffer": 40, "perf buffer": 56}
"""What an event of 32 bytes takes in the lab's buffer; in bcc's it takes no more."""
_ON_CPU = 1  # BPF_F_TEST_RUN_ON_CPU

TEXT = """
#include <uapi/linux/bpf.h>
struct event { u64 ts; u32 pid; u32 n; char comm[16]; };
DECLARATION;
int produce(struct bpf_raw_tracepoint_args *ctx)
{
    int lost = 0;
    for (int i = 0; i < BURST; i++) {
        struct event e = { bpf_ktime_get_ns(), bpf_get_current_pid_tgid() >> 32, ctx->args[0] + i };
        bpf_get_current_comm(e.comm, sizeof(e.comm));
        if (SUBMIT)
            lost++;
    }
    return lost;
}
"""
_U64, _U32 = Int("unsigned long long", 8, False), Int("unsigned int", 4, False)
EVENT = Struct(
    "event",
    32,
    (
        Member("ts", _U64, 0),
        Member("pid", _U32, 64),
        Member("n", _U32, 96),
        Member("comm", Array(Int("char", 1, True, char=True), 16), 128),
    ),
)
SUBMITS: dict[Kind, tuple[str, str]] = {
    "ring buffer": (
        f"BPF_RINGBUF_OUTPUT(events, {PAGES})",
        "events.ringbuf_output(&e, sizeof(e), BPF_RB_NO_WAKEUP)",
    ),
    "perf buffer": ("BPF_PERF_OUTPUT(events)", "events.perf_submit(ctx, &e, sizeof(e))"),
}


class Producer:
    """The program, compiled and loaded by bcc, and run by hand (BPF_PROG_TEST_RUN)."""

    def __init__(self, bcc: Any, kind: Kind) -> None:
        declaration, submit = SUBMITS[kind]
        text = TEXT.replace("DECLARATION", declaration).replace("SUBMIT", submit).replace("BURST", str(BURST))
        self.module = bcc.BPF(text=text, cflags=["-w"])
        self.table = self.module["events"]
        self._program = self.module.load_func("produce", bcc.BPF.RAW_TRACEPOINT).fd
        self._cpus = online_cpus()
        self.produced = 0
        self.lost = 0

    def run(self, bursts: int) -> None:
        """Write so many bursts, on each CPU in turn; events are numbered."""
        context = ctypes.create_string_buffer(8)
        for burst in range(bursts):
            struct.pack_into("<Q", context, 0, self.produced)
            attributes = ctypes.create_string_buffer(
                struct.pack(
                    "<IIIIQQIIIIQQIII",
                    *(self._program, 0, 0, 0, 0, 0, 0, 0),
                    *(len(context), 0, ctypes.addressof(context), 0),
                    *(_ON_CPU, self._cpus[burst % len(self._cpus)], 0),
                ),
                80,
            )
            bpf(BpfCommand.PROG_TEST_RUN, attributes)
            self.lost += struct.unpack_from("<I", attributes, 4)[0]
            self.produced += BURST


class Side(Protocol):
    """One of the readers compared."""

    def empty(self) -> None:
        """Take all events out of the buffer."""

    def frame(self) -> pd.DataFrame:
        """The events taken out since the last call."""

    def close(self) -> None:
        """Give back what the reader holds."""


class Lab:
    """The lab's reader."""

    def __init__(self, producer: Producer, kind: Kind) -> None:
        self._reader: RingBuffer | PerfBuffer
        if kind == "ring buffer":
            self._reader = RingBuffer(producer.table.map_fd, PAGES * mmap.PAGESIZE)
        else:
            self._reader = PerfBuffer(producer.table.map_fd, PAGES)
        self._batches: list[Batch] = []
        self._clock = TraceClock.now()

    def empty(self) -> None:
        """Drain, as the collector does."""
        while batches := self._reader.drain():
            self._batches += batches

    def frame(self) -> pd.DataFrame:
        """Typed columns, as a trace has them."""
        return build([EVENT], self._batches, self._clock, release=True).frames["event"]

    def close(self) -> None:
        """Unmap."""
        self._reader.close()


class Callbacks:
    """bcc's reader."""

    def __init__(self, producer: Producer, kind: Kind) -> None:
        self._module = producer.module
        self._rows: list[tuple[object, ...]] = []
        self._table = table = producer.table
        self._perf = kind == "perf buffer"

        def callback(cpu: int, data: Any, size: int) -> None:
            event = table.event(data)
            self._rows.append((event.ts, event.pid, event.n, event.comm.decode("utf-8", "replace")))

        if kind == "ring buffer":
            table.open_ring_buffer(callback)
            self._consume = self._module.ring_buffer_consume
        else:
            table.open_perf_buffer(callback, page_cnt=PAGES)
            self._consume = self._module.perf_buffer_consume

    def empty(self) -> None:
        """Have every event passed to the callback."""
        self._consume()

    def frame(self) -> pd.DataFrame:
        """The tuples as a frame."""
        frame = pd.DataFrame(self._rows, columns=["ts", "pid", "n", "comm"])
        self._rows.clear()
        return frame

    def close(self) -> None:
        """Close its buffers while the map is still there, then the module."""
        if self._perf:
            for cpu in online_cpus():
                del self._table[cpu]
        self._module.cleanup()


SIDES: dict[str, type[Lab] | type[Callbacks]] = {"ebpf_lab": Lab, "bcc": Callbacks}


class Contestant:
    """One side with a program and a buffer of its own, and what its rounds brought."""

    def __init__(self, bcc: Any, side: type[Lab] | type[Callbacks], kind: Kind) -> None:
        self.producer = Producer(bcc, kind)
        self._side: Side = side(self.producer, kind)
        # Each CPU has a perf buffer of its own, and they are filled in turn.
        room = PAGES * mmap.PAGESIZE * (len(online_cpus()) if kind == "perf buffer" else 1)
        self._bursts_that_fit = room // RECORD_BYTES[kind] // BURST * 9 // 10
        self.rows = 0
        self.rates: list[float] = []

    def round(self, events: int) -> None:
        """Read so many events, and note the rows a second."""
        first = self.producer.produced
        bursts_left = -(-events // BURST)
        seconds = 0.0
        while bursts_left:
            bursts = min(bursts_left, self._bursts_that_fit)
            self.producer.run(bursts)
            bursts_left -= bursts
            began = time.thread_time()
            self._side.empty()
            seconds += time.thread_time() - began
        began = time.thread_time()
        frame = self._side.frame()
        seconds += time.thread_time() - began
        check(frame, first, self.producer)
        self.rows += len(frame)
        self.rates.append(len(frame) / seconds)

    @property
    def complete(self) -> bool:
        """Whether every event is a row or counted as lost."""
        return self.rows + self.producer.lost == self.producer.produced

    def close(self) -> None:
        """Close the reader."""
        self._side.close()


def check(frame: pd.DataFrame, first: int, producer: Producer) -> None:
    """Stop the benchmark if the frame does not hold this round's events, each once."""
    numbers = np.sort(frame["n"].to_numpy())
    if producer.lost == 0 and not np.array_equal(numbers, np.arange(first, producer.produced)):
        sys.exit(f"wrong events: {len(numbers)} of {producer.produced - first}")


def main() -> int:
    """Measure both readers with both kinds of buffer, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=500_000, help="events a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the median counts (%(default)s)")
    parser.add_argument("--goal", type=float, default=20, help="times as fast as bcc (%(default)g)")
    parser.add_argument(
        "--bcc", default="/usr/lib/python3/dist-packages/bcc", help="bcc's package (%(default)s)"
    )
    options = parser.parse_args()

    try:
        bcc_package.require_headers()
        bcc = import_bcc(str(bcc_package.find()))
    except LabError as error:
        sys.exit(error.block())
    print(f"{'buffer':12} {'reader':9} {'events':>10} {'rows':>10} {'lost':>6} {'rows/s':>12}")
    good = [compare(bcc, kind, options.events, options.rounds, options.goal) for kind in SUBMITS]
    return 0 if all(good) else 1


def compare(bcc: Any, kind: Kind, events: int, rounds: int, goal: float) -> bool:
    """Let both sides read from one kind of buffer, print what came of it, and say whether it is good."""
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(closing(Contestant(bcc, side, kind))) for name, side in SIDES.items()
        }
        for side in sides.values():
            side.round(BURST)  # first calls and imports are not what is measured
            side.rates.clear()
        for _ in range(rounds):
            for side in sides.values():
                side.round(events)
    for name, side in sides.items():
        counts = f"{side.producer.produced:10,} {side.rows:10,} {side.producer.lost:6,}"
        note = "" if side.complete else "  events unaccounted for"
        print(f"{kind:12} {name:9} {counts} {statistics.median(side.rates):12,.0f}{note}")
    ratio = statistics.median(
        ours / theirs for ours, theirs in zip(sides["ebpf_lab"].rates, sides["bcc"].rates, strict=True)
    )
    print(f"{kind:12} {ratio:.1f} times as fast as bcc (goal: {goal:g})")
    return ratio >= goal and all(side.complete for side in sides.values())


if __name__ == "__main__":
    sys.exit(main())
