"""What a program counts as its own failures is in the header line, the statistics and the map's frame."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from support.backends import LIBBPF, each_backend
from support.texts import FAILURES, on_seek

import ebpf_lab

# Really failing: nothing is mapped at these addresses, and the map has room for two keys.
_FAILING = {
    "libbpf": """
    char name[8];
    u32 key = offset;
    if (offset < 5 && bpf_probe_read_user_str(name, sizeof(name), (void *)8) < 0)
        count_failure(UNREADABLE_NAME);
    if (bpf_map_update_elem(&calls, &key, &key, BPF_ANY))
        count_failure(NO_ROOM_FOR_CALL);
""",
    "bcc": """
    char name[8];
    u32 key = offset;
    if (offset < 5 && bpf_probe_read_user_str(name, sizeof(name), (void *)8) < 0)
        count_failure(UNREADABLE_NAME);
    if (calls.update(&key, &key))
        count_failure(NO_ROOM_FOR_CALL);
""",
}
_CALLS = {
    "libbpf": """
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 6); __type(key, u32); __type(value, u32); }
    calls SEC(".maps");
""",
    "bcc": "BPF_HASH(calls, u32, u32, 6);\n",
}


@each_backend
def test_failures_are_counted_by_name(backend: str, seek: Path) -> None:
    text = on_seek(backend, _FAILING[backend], FAILURES[backend] + _CALLS[backend])
    trace = ebpf_lab.trace(text, command=[str(seek), "23"])
    assert " · 22 failed (5 unreadable name, 17 no room for call) · " in trace.header
    assert trace.stats.failures == {"unreadable name": 5, "no room for call": 17}
    assert "no room for call: 17 failed" in str(trace.stats)
    frame = trace.maps["failures"]
    assert dict(zip(frame["key"], frame["value"], strict=True)) == {
        "UNREADABLE_NAME": 5,
        "NO_ROOM_FOR_CALL": 17,
    }
    # The frame to look at is the one that the text is about.
    assert len(trace.frame) == 6


@each_backend
def test_no_failure_is_said_too(backend: str, seek: Path) -> None:
    text = on_seek(backend, "if (offset > 23) count_failure(UNREADABLE_NAME);", FAILURES[backend])
    trace = ebpf_lab.trace(text, command=[str(seek), "23"])
    assert " · 0 failed · " in trace.header


@pytest.mark.needs("tracepoint", "libbpf", "clang", "btf")
def test_a_text_that_counts_none_says_nothing(seek: Path) -> None:
    trace = ebpf_lab.trace(on_seek("libbpf", 'bpf_printk("here");'), command=[str(seek), "1"])
    assert trace.stats.failures is None
    assert "failed" not in trace.header


if platform.machine() == "x86_64":  # where a page fault of a program's own is a tracepoint

    @LIBBPF
    @pytest.mark.needs("raw_tracepoint")
    def test_runs_that_the_kernel_skipped_are_told(seek: Path) -> None:
        """The kernel never runs a raw tracepoint program inside itself, and each run asks for one."""
        fault = "char byte; bpf_probe_read_user(&byte, 1, (void *)8);"
        faulting = (
            f'SEC("raw_tp/page_fault_kernel")\nint on_fault(void *ctx)\n{{\n    {fault}\n    return 0;\n}}\n'
        )
        trace = ebpf_lab.trace(on_seek("libbpf", fault, faulting), command=[str(seek), "23"])
        program = trace.stats.programs["on_fault"]
        assert program.runs >= 23
        assert program.missed == program.runs
        words = f"on_fault: {program.missed:,} runs skipped by the kernel, which was inside it already"
        assert words in trace.results().notes
