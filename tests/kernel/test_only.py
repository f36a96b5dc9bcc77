"""``only``: the command's own events, whatever form they come in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.texts import LIBBPF_HEAD

import ebpf_lab

CUT_SHORT = (
    LIBBPF_HEAD
    + """
struct event { u32 pid; u32 length; char text[64]; };
struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, 4);
    __uint(value_size, 4);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int seeks(struct trace_event_raw_sys_enter *ctx)
{
    struct event event = {.pid = bpf_get_current_pid_tgid() >> 32, .length = ctx->args[1] & 31};
    if (ctx->args[2] == MARK)
        bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, 8 + event.length);
    return 0;
}
"""
)
NO_PID = CUT_SHORT.replace("u32 pid;", "u32 process;").replace(".pid =", ".process =")


@pytest.mark.needs("tracepoint", "perfbuf", "libbpf", "clang", "btf")
def test_events_of_varying_size_are_told_apart(seek: Path) -> None:
    script = f"{seek} 23 & wait; {seek} 29"
    other = subprocess.Popen(["sh", "-c", f"while :; do {seek} 7; done"])
    try:
        trace = ebpf_lab.trace(CUT_SHORT, command=["sh", "-c", script], only=True, event={"events": "event"})
    finally:
        other.kill()
        other.wait()
    assert len(trace.frame) == 23 + 29
    assert trace.frame["pid"].nunique() == 2


@pytest.mark.needs("tracepoint", "perfbuf", "libbpf", "clang", "btf")
def test_events_that_do_not_say_whose_they_are() -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="do not say whose"):
        ebpf_lab.trace(NO_PID, command=["true"], only=True, event={"events": "event"})
