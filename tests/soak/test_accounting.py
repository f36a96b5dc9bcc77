"""A hundred million events into three small buffers, with a reader that is stopped at random."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.machine import ROOT
from support.soak import Counts, Turns
from support.texts import LIBBPF_HEAD

EVENTS = 100_000_000
SEED = 31
BURST = 64
"""Events that one call brings to each stream."""
STREAMS = ("small", "smaller", "perf")
CALLS = 20_000
"""Calls between two looks at the clock."""

TEXT = (
    LIBBPF_HEAD
    + f"""
struct event {{ u64 n; u32 cpu; u32 stream; }};
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 18); }} small SEC(".maps");
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 15); }} smaller SEC(".maps");
struct {{
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __type(key, u32);
    __type(value, u32);
}} perf SEC(".maps");
struct {{
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
}} produced SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int on_seek(struct trace_event_raw_sys_enter *ctx)
{{
    u32 zero = 0;
    u64 *count = bpf_map_lookup_elem(&produced, &zero);
    if ((int)ctx->args[0] != -1 || ctx->args[2] != MARK || !count)
        return 0;
    struct event event = {{ .cpu = bpf_get_smp_processor_id() }};
    for (int i = 0; i < {BURST}; i++) {{
        event.n = (*count)++;
        event.stream = 0;
        bpf_ringbuf_output(&small, &event, sizeof(event), 0);
        event.stream = 1;
        bpf_ringbuf_output(&smaller, &event, sizeof(event), 0);
        event.stream = 2;
        bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &event, sizeof(event));
    }}
    return 0;
}}
"""
)

READER = """
import json, sys, threading
import numpy as np
import ebpf_lab

rows, last = {}, {}

def take(trace):
    for name, frame in trace.take().items():
        rows[name] = rows.get(name, 0) + len(frame)
        for cpu, of_cpu in frame.groupby("cpu", observed=True)["n"]:
            numbers = of_cpu.to_numpy(dtype=np.int64)
            # In order and each once, within a portion and from one to the next.
            assert numbers[0] > last.get((name, cpu), -1) and (np.diff(numbers) > 0).all(), (name, cpu)
            last[name, cpu] = numbers[-1]

text = sys.stdin.readline()
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
with ebpf_lab.trace(json.loads(text)) as trace:
    print("attached", flush=True)
    while not ended.wait(0.05):
        take(trace)
take(trace)
produced = int(trace.maps["produced"]["value"].sum())
streams = {
    name: [rows[name], each.delivered, each.dropped, each.undecoded, each.not_kept]
    for name, each in trace.stats.streams.items()
}
missed = trace.stats.programs["on_seek"].missed
print(json.dumps([produced, missed, streams]), flush=True)
"""


@pytest.mark.needs("tracepoint", "ringbuf", "perfbuf", "libbpf", "clang", "btf")
def test_every_event_is_a_row_or_counted_as_lost(turns: Turns, counted: Counts, seek: Path) -> None:
    rng = random.Random(SEED)
    with subprocess.Popen(
        [sys.executable, "-c", READER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        try:
            reader.stdin.write(json.dumps(TEXT) + "\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == "attached\n"
            calls, stalls = 0, 0
            for _ in turns(EVENTS // (len(STREAMS) * BURST * 2 * CALLS) + 1):
                # Two at once, on every CPU in turn.
                producers = [subprocess.Popen([seek, str(CALLS)]) for _ in range(2)]
                while any(each.poll() is None for each in producers):
                    time.sleep(rng.uniform(0, 0.1))
                    reader.send_signal(signal.SIGSTOP)
                    time.sleep(rng.uniform(0, 0.1))
                    reader.send_signal(signal.SIGCONT)
                    stalls += 1
                assert [each.wait() for each in producers] == [0, 0]
                calls += 2 * CALLS
            reader.stdin.close()
            produced, missed, streams = json.loads(reader.stdout.readline())
        finally:
            # SIGKILL ends a stopped process, too.
            reader.kill()
    assert set(streams) == set(STREAMS)
    # A call that found the program at work on its CPU did not run it, which the trace says.
    assert produced == (calls - missed) * BURST
    for name, (rows, delivered, dropped, undecoded, not_kept) in streams.items():
        assert (undecoded, not_kept) == (0, 0), name
        assert rows == delivered, name
        assert delivered + dropped == produced, name
        assert dropped > 0, f"{name} was never full: the stalls were too short"
    counted.update(
        {
            "events produced": produced * len(STREAMS),
            "delivered": sum(each[1] for each in streams.values()),
            "counted as lost": sum(each[2] for each in streams.values()),
            "times the reader was stopped": stalls,
            "calls that the kernel skipped, and counted": missed,
        }
    )
