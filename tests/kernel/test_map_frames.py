"""Maps of every kind come back as DataFrames with exact counts, from both dialects."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from support.backends import LIBBPF, each_backend
from support.texts import on_seek

import ebpf_lab

CALLS = 23

_DECLARATIONS = {
    "libbpf": """
struct tally { u64 calls; s64 last; };
#define MAP(kind, entries, k, v) \\
    __uint(type, BPF_MAP_TYPE_##kind); __uint(max_entries, entries); __type(key, k); __type(value, v)
struct { MAP(HASH, 64, u32, u64); } counts SEC(".maps");
struct { MAP(ARRAY, 4, u32, struct tally); } slots SEC(".maps");
struct { MAP(PERCPU_ARRAY, 1, u32, u64); } per_cpu SEC(".maps");
struct { MAP(PERCPU_HASH, 8, s64, u64); } parity SEC(".maps");
struct { MAP(LRU_HASH, 1000, s64, u32); } seen SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 64);
    __type(key, u32);
    __type(value, u64);
} hist SEC(".maps");
struct { MAP(HASH, 64, int, u64); } places SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 64);
    __uint(key_size, sizeof(u32));
    __uint(value_size, 127 * sizeof(u64));
} stacks SEC(".maps");

#define LOOKUP(map, key) bpf_map_lookup_elem(&map, key)
#define UPDATE(map, key, value) bpf_map_update_elem(&map, key, value, BPF_ANY)

static __always_inline u32 log2l(u64 value)
{
    u32 bits = 1;  // as bcc counts
    for (int i = 0; i < 63 && value > 1; i++) {
        value >>= 1;
        bits++;
    }
    return bits;
}
#define COUNT_POWER(map, number) { u32 power = log2l(number); u64 *n = LOOKUP(map, &power); if (n) *n += 1; }
""",
    "bcc": """
struct tally { u64 calls; s64 last; };
BPF_HASH(counts, u32, u64, 64);
BPF_ARRAY(slots, struct tally, 4);
BPF_PERCPU_ARRAY(per_cpu, u64, 1);
BPF_PERCPU_HASH(parity, s64, u64, 8);
BPF_TABLE("lru_hash", s64, u32, seen, 1000);
BPF_HISTOGRAM(hist);
BPF_HASH(places, int, u64, 64);
BPF_STACK_TRACE(stacks, 64);
""",
}

_BODY = {
    "libbpf": """
    u64 number = offset;
    u32 key = number % 5, slot_key = number % 4, first = 0, thread = bpf_get_current_pid_tgid();
    u64 one = 1, *count = LOOKUP(counts, &key);
    if (count)
        *count += 1;
    else
        UPDATE(counts, &key, &one);
    struct tally *slot = LOOKUP(slots, &slot_key);
    if (slot) {
        slot->calls += 1;
        slot->last = -offset;
    }
    u64 *mine = LOOKUP(per_cpu, &first);
    if (mine)
        *mine += 1;
    s64 odd = -(s64)(number % 2);
    u64 *both = LOOKUP(parity, &odd);
    if (both)
        *both += 1;
    else
        UPDATE(parity, &odd, &one);
    UPDATE(seen, &offset, &thread);
    COUNT_POWER(hist, offset + 1)
""",
    "bcc": """
    u64 number = offset;
    u32 key = number % 5, thread = bpf_get_current_pid_tgid();
    int slot_key = number % 4, first = 0;
    counts.increment(key);
    struct tally *slot = slots.lookup(&slot_key);
    if (slot) {
        slot->calls += 1;
        slot->last = -offset;
    }
    u64 *mine = per_cpu.lookup(&first);
    if (mine)
        *mine += 1;
    s64 odd = -(s64)(number % 2);
    u64 zero = 0, *both = parity.lookup_or_try_init(&odd, &zero);
    if (both)
        *both += 1;
    seen.update(&offset, &thread);
    hist.increment(bpf_log2l(offset + 1));
""",
}

# The kernel's stack is had from a raw tracepoint: the registers that older kernels hand to a system call's
# tracepoint are the process's.
_STACKS = {
    "libbpf": """
#include <bpf/bpf_core_read.h>
SEC("raw_tp/sys_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    if (PT_REGS_PARM3_CORE_SYSCALL((struct pt_regs *)ctx->args[0]) != MARK || (int)ctx->args[1] != -9)
        return 0;
    u64 one = 1;
    int place = bpf_get_stackid(ctx, &stacks, 0);
    u64 *times = LOOKUP(places, &place);
    if (times)
        *times += 1;
    else
        UPDATE(places, &place, &one);
    return 0;
}
""",
    "bcc": """
RAW_TRACEPOINT_PROBE(sys_exit)
{
    struct pt_regs regs;
    bpf_probe_read_kernel(&regs, sizeof(regs), (void *)ctx->args[0]);
    if (PT_REGS_PARM3(&regs) != MARK || (int)ctx->args[1] != -9)
        return 0;
    int place = stacks.get_stackid(ctx, 0);
    places.increment(place);
    return 0;
}
""",
}


@pytest.fixture(scope="module")
def runs() -> dict[str, dict[str, pd.DataFrame]]:
    """The maps of one run for each backend: compiled once for all tests here."""
    return {}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where these runs are recorded."""
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture
def maps(
    backend: str, seek: Path, runs: dict[str, dict[str, pd.DataFrame]], recordings: Path
) -> dict[str, pd.DataFrame]:
    """The maps as they are at the end of a run."""
    if backend not in runs:
        text = on_seek(backend, _BODY[backend], _DECLARATIONS[backend]) + _STACKS[backend]
        file = recordings / f"{backend}.zip"
        runs[backend] = dict(ebpf_lab.trace(text, command=[str(seek), str(CALLS)], record=file).maps)
    return runs[backend]


@each_backend
def test_recorded_maps_are_the_same(maps: dict[str, pd.DataFrame], backend: str, recordings: Path) -> None:
    """Those of stacks, too: functions have the names that they had."""
    replayed = ebpf_lab.replay(recordings / f"{backend}.zip").maps
    assert list(replayed) == list(maps)
    for name, frame in maps.items():
        pd.testing.assert_frame_equal(replayed[name], frame, check_exact=True)


@each_backend
def test_hash(maps: dict[str, pd.DataFrame]) -> None:
    frame = maps["counts"]
    assert frame["key"].tolist() == [0, 1, 2, 3, 4]
    assert frame["value"].tolist() == [5, 5, 5, 4, 4]
    assert str(frame["value"].dtype) == "uint64"


@each_backend
def test_array_of_structs(maps: dict[str, pd.DataFrame]) -> None:
    frame = maps["slots"]
    assert frame["key"].tolist() == [0, 1, 2, 3]
    assert frame["calls"].tolist() == [6, 6, 6, 5]
    assert frame["last"].tolist() == [-20, -21, -22, -19]


@each_backend
def test_array_with_a_value_for_each_cpu(maps: dict[str, pd.DataFrame]) -> None:
    """The calls go round the CPUs, so that each has its share."""
    (row,) = maps["per_cpu"].to_dict("records")
    cpus = sorted(os.sched_getaffinity(0))
    assert row["value"] == CALLS
    assert [row[f"cpu{cpu}"] for cpu in cpus] == [len(range(at, CALLS, len(cpus))) for at in range(len(cpus))]


@each_backend
def test_hash_with_a_value_for_each_cpu(maps: dict[str, pd.DataFrame]) -> None:
    frame = maps["parity"]
    assert frame["key"].tolist() == [-1, 0]
    assert frame["value"].tolist() == [11, 12]


@each_backend
def test_lru_hash(maps: dict[str, pd.DataFrame]) -> None:
    frame = maps["seen"]
    assert frame["key"].tolist() == list(range(CALLS))
    assert frame["value"].nunique() == 1


@each_backend
def test_histogram(maps: dict[str, pd.DataFrame]) -> None:
    frame = maps["hist"]
    assert frame["count"].tolist() == [1, 2, 4, 8, 8]
    assert frame["low"].tolist() == [0, 2, 4, 8, 16]
    assert frame["high"].tolist() == [1, 3, 7, 15, 31]


@each_backend
def test_stack_traces(maps: dict[str, pd.DataFrame]) -> None:
    """All calls came the same way, through the kernel's entry of system calls."""
    (place,) = maps["places"].to_dict("records")
    assert place["value"] == CALLS
    stack = maps["stacks"]
    assert set(stack["stack_id"]) == {place["key"]}
    assert stack["depth"].tolist() == list(range(len(stack)))
    assert any(re.match(r"(entry_SYSCALL_64|el0_svc|do_syscall_64)", name) for name in stack["symbol"])


@LIBBPF
def test_first_map_is_the_frame_of_a_text_without_streams(seek: Path) -> None:
    declarations = (
        "struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);"
        ' __type(key, u32); __type(value, u64); } total SEC(".maps");'
    )
    body = (
        "u32 first = 0;\n u64 *n = bpf_map_lookup_elem(&total, &first);\n if (n) __sync_fetch_and_add(n, 1);"
    )
    trace = ebpf_lab.trace(on_seek("libbpf", body, declarations), command=[str(seek), str(CALLS)])
    assert trace.frame["value"].tolist() == [CALLS]


@LIBBPF
def test_map_is_read_while_the_trace_runs(seek: Path) -> None:
    text = on_seek("libbpf", _BODY["libbpf"], _DECLARATIONS["libbpf"])
    with ebpf_lab.trace(text) as trace:
        for calls in (CALLS, 2 * CALLS):
            subprocess.run([seek, str(CALLS)], check=True)
            assert trace.maps["per_cpu"]["value"].tolist() == [calls]
