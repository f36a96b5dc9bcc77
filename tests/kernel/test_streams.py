"""23 events happen and 23 typed rows come, through every kind of stream and from both backends."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from support.backends import LIBBPF, each_backend
from support.machine import ROOT
from support.texts import EVENT, LIBBPF_HEAD, on_seek, seek_stream

import ebpf_lab

EVENTS = 23
"""A prime number, so that no rounding or batching gives it by chance."""

each_kind = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("ringbuf", "perfbuf", "printk")]
)

DTYPES = {
    "ts": "timedelta64[ns]",
    "offset": "int64",
    "pid": "uint32",
    "cpu": "uint32",
    "small": "uint16",
    "negative": "int8",
    "parity": "category",
    "place.row": "uint16",
    "place.cells": "object",
    "low": "uint32",
    "high": "uint32",
    "where": "hex",
    "comm": "category",
}


def assert_typed(frame: pd.DataFrame) -> None:
    """Each column has its type, and holds what ``fill`` in the C text wrote."""
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES
    assert (frame["ts"] >= pd.Timedelta(0)).all()
    assert (frame["ts"] < pd.Timedelta(minutes=10)).all()
    assert list(frame["parity"].cat.categories) == ["EVEN", "ODD"]
    in_order = frame.sort_values("offset")
    for number, (_, row) in enumerate(in_order.iterrows()):
        assert row["offset"] == number
        assert row["small"] == 65535 - number
        assert row["negative"] == -number
        assert row["parity"] == ("ODD" if number % 2 else "EVEN")
        assert row["place.row"] == number + 1
        assert row["place.cells"] == bytes([0, 0, number + 2])
        assert row["low"] == number % 8
        assert row["high"] == number % 32
        assert row["where"] == 0xFFFF_0000_0000_0000 + number
    assert in_order["ts"].is_monotonic_increasing


@each_backend
@each_kind
def test_every_event_is_a_row(kind: str, backend: str, seek: Path) -> None:
    trace = ebpf_lab.trace(seek_stream(backend, kind), command=[str(seek), str(EVENTS)])
    (stats,) = trace.stats.streams.values()
    assert (stats.delivered, stats.dropped, stats.undecoded, stats.not_kept) == (EVENTS, 0, 0, 0)
    frame = trace.frame
    assert len(frame) == EVENTS
    assert set(frame["cpu"]) == os.sched_getaffinity(0)
    assert frame["pid"].nunique() == 1
    assert frame["comm"].tolist() == ["seek"] * EVENTS
    if kind == "printk":
        assert isinstance(frame["comm"].dtype, pd.CategoricalDtype)
        assert set(frame["message"]) == {f"offset {number}" for number in range(EVENTS)}
    else:
        assert_typed(frame)
    (program,) = trace.stats.programs.values()
    assert program.runs >= EVENTS
    assert f"{EVENTS} events" in trace.header
    assert "0 lost" in trace.header


@each_backend
@each_kind
def test_stops_after_as_many_events_as_asked_for(kind: str, backend: str, seek: Path) -> None:
    command = ["sh", "-c", f"while :; do {seek} 5; done"]
    assert len(ebpf_lab.trace(seek_stream(backend, kind), events=EVENTS, command=command).frame) == EVENTS


@LIBBPF
@pytest.mark.needs("ringbuf")
def test_only_the_events_of_the_command_and_its_children(seek: Path) -> None:
    text = seek_stream("libbpf", "ringbuf")
    # Apart: a kernel that may preempt programs skips the runs that meet a preempted one on their processor.
    cpus = sorted(os.sched_getaffinity(0))
    busy = subprocess.Popen(["taskset", "-c", str(cpus[0]), "sh", "-c", f"while :; do {seek} 5; done"])
    try:
        command = ["taskset", "-c", str(cpus[-1]), "sh", "-c", f"{seek} 11; {seek} 12"]
        trace = ebpf_lab.trace(text, command=command, only=True)
    finally:
        busy.kill()
        busy.wait()
    assert sorted(trace.frame["offset"]) == sorted([*range(11), *range(12)])
    assert trace.frame["pid"].nunique() == 2


@LIBBPF
@pytest.mark.needs("printk")
def test_lines_from_before_the_trace_do_not_appear(seek: Path) -> None:
    """Another program's lines stay in the kernel's trace buffer when nobody reads them."""
    text = seek_stream("libbpf", "printk")
    with ebpf_lab.trace(text):
        subprocess.run([seek, "5"], check=True)
    assert len(ebpf_lab.trace(text, command=[str(seek), str(EVENTS)]).frame) == EVENTS


@LIBBPF
@pytest.mark.needs("ringbuf")
def test_full_ring_buffer_counts_what_it_loses(seek: Path) -> None:
    """One call writes four times what the smallest buffer holds: the reader cannot come in between."""
    text = on_seek(
        "libbpf",
        """for (int i = 0; i < 400; i++) {
        struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
        if (!event)
            continue;
        fill(event, i);
        bpf_ringbuf_submit(event, 0);
    }""",
        EVENT
        + 'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");',
    )
    trace = ebpf_lab.trace(text, command=[str(seek), "1"])
    stats = trace.stats.streams["events"]
    assert stats.dropped > 0
    assert stats.delivered + stats.dropped == 400
    assert f"{stats.dropped} lost" in trace.header


@LIBBPF
@pytest.mark.needs("ringbuf")
def test_two_streams_and_two_structs(seek: Path) -> None:
    """Events of one stream are told apart by their size; each struct has a frame."""
    text = f"""{LIBBPF_HEAD}
struct small {{ u64 ts; }};
struct large {{ u64 ts; u64 more[2]; }};
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); }} events SEC(".maps");
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); }} others SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int on_seek(struct trace_event_raw_sys_enter *ctx)
{{
    if (ctx->args[2] != MARK)
        return 0;
    if (ctx->args[1] % 2) {{
        struct small small = {{.ts = bpf_ktime_get_ns()}};
        bpf_ringbuf_output(&events, &small, sizeof(small), 0);
        bpf_ringbuf_output(&others, &small, sizeof(small), 0);
    }} else {{
        struct large large = {{.more = {{ctx->args[1], 1}}}};
        bpf_ringbuf_output(&events, &large, sizeof(large), 0);
    }}
    return 0;
}}
"""
    frames = ebpf_lab.trace(text, command=[str(seek), str(EVENTS)]).frames
    assert {name: len(frame) for name, frame in frames.items()} == {
        "events.small": 11,
        "events.large": 12,
        "others": 11,
    }
    assert frames["events.large"]["more[0]"].tolist() == list(range(0, EVENTS, 2))


@LIBBPF
@pytest.mark.needs("ringbuf")
def test_raw_bytes_when_the_type_is_not_known(seek: Path) -> None:
    declarations = (
        'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");'
    )
    body = """void *event = bpf_ringbuf_reserve(&events, 8, 0);
    if (!event)
        return 0;
    *(u64 *)event = offset;
    bpf_ringbuf_submit(event, 0);"""
    trace = ebpf_lab.trace(on_seek("libbpf", body, declarations), command=[str(seek), str(EVENTS)])
    assert trace.frame["data"].tolist() == [bytes([number, *[0] * 7]) for number in range(EVENTS)]
    assert trace.frame["size"].tolist() == [8] * EVENTS
    assert "events as raw bytes: " in trace.header


@LIBBPF
def test_a_setting_changes_a_constant(seek: Path) -> None:
    declarations = EVENT + (
        "const volatile s64 least = 0;\n"
        'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } events SEC(".maps");'
    )
    body = """if (offset < least)
        return 0;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    fill(event, offset);
    bpf_ringbuf_submit(event, 0);"""
    trace = ebpf_lab.trace(
        on_seek("libbpf", body, declarations), set={"least": 20}, command=[str(seek), str(EVENTS)]
    )
    assert trace.frame["offset"].tolist() == [20, 21, 22]


@LIBBPF
@pytest.mark.needs("tracepoint", "ringbuf")
def test_cat_opens_its_file_once() -> None:
    """The acceptance line of the openat monitor."""
    text = (ROOT / "bpf_snippets" / "open_monitor.libbpf.c").read_text()
    frame = ebpf_lab.trace(text, command=["cat", "/etc/hostname"]).frame
    (opened,) = frame[(frame["comm"] == "cat") & (frame["filename"] == "/etc/hostname")].to_dict("records")
    assert opened["flags_names"] == "O_RDONLY"
    assert opened["uid_name"] == pwd.getpwuid(os.getuid()).pw_name
