"""Each kind of probe attaches to what it names, in both dialects, and sees each call there."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from support.backends import BCC, LIBBPF, each_backend
from support.texts import BCC_HEAD, LIBBPF_HEAD

import ebpf_lab
from ebpf_lab.source import snippets

EVENTS = 23
LSEEK = {"x86_64": 8, "aarch64": 62}[platform.machine()]
WRAPPER = {"x86_64": "__x64_sys_", "aarch64": "__arm64_sys_"}[platform.machine()]

# send(WHERE, value): one event that says which program saw which value.
_EVENT = """
struct event {
    u64 ts;
    s64 value;
    u32 pid;
    char where[8];
    char comm[16];
};
"""
_SEND = """
static __always_inline int send(const char *where, int length, s64 value)
{
    struct event *event = %s;
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->value = value;
    event->pid = bpf_get_current_pid_tgid() >> 32;
    __builtin_memset(event->where, 0, sizeof(event->where));
    __builtin_memcpy(event->where, where, length);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    %s;
    return 0;
}
#define SEND(where, value) send(where, sizeof(where), value)
"""
"""What both dialects share; bcc rewrites calls on maps only where they are written out in a function."""

HEAD = {
    "libbpf": LIBBPF_HEAD
    + _EVENT
    + 'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } events SEC(".maps");'
    + _SEND % ("bpf_ringbuf_reserve(&events, sizeof(*event), 0)", "bpf_ringbuf_submit(event, 0)"),
    "bcc": BCC_HEAD
    + _EVENT
    + "BPF_RINGBUF_OUTPUT(events, 16);"
    + _SEND % ("events.ringbuf_reserve(sizeof(struct event))", "events.ringbuf_submit(event, 0)"),
}

USER = {
    "libbpf": """
SEC("uprobe")
int BPF_KPROBE(on_enter, int number) { return SEND("enter", number); }
SEC("uretprobe")
int BPF_KRETPROBE(on_return, int number) { return SEND("return", number); }
""",
    "bcc": """
int on_enter(struct pt_regs *ctx) { return SEND("enter", (int)PT_REGS_PARM1(ctx)); }
int on_return(struct pt_regs *ctx) { return SEND("return", (int)PT_REGS_RC(ctx)); }
""",
}


def values(frame: pd.DataFrame, where: str) -> list[int]:
    """What one of the programs saw, in order."""
    return frame.sort_values("ts").loc[lambda rows: rows["where"] == where, "value"].tolist()


@pytest.mark.needs("uprobe", "ringbuf")
@each_backend
def test_function_of_a_program_and_its_result(backend: str, say: Path) -> None:
    trace = ebpf_lab.trace(
        HEAD[backend] + USER[backend],
        attach={"on_enter": f"uprobe:{say}:double_it", "on_return": f"uretprobe:{say}:double_it"},
        command=[str(say), str(EVENTS)],
    )
    assert values(trace.frame, "enter") == list(range(EVENTS))
    assert values(trace.frame, "return") == [2 * number for number in range(EVENTS)]
    assert set(trace.frame["comm"]) == {"say"}


@LIBBPF
@pytest.mark.needs("uprobe", "ringbuf")
def test_offset_into_a_function(say: Path) -> None:
    listing = subprocess.run(
        ["objdump", "-d", "--disassemble=double_it", say], capture_output=True, text=True, check=True
    )
    start, second, *_ = (int(place, 16) for place in re.findall(r"^ +([0-9a-f]+):\t", listing.stdout, re.M))
    text = HEAD["libbpf"] + 'SEC("uprobe")\nint inside(void *ctx) { return SEND("inside", 1); }\n'
    trace = ebpf_lab.trace(
        text, attach={"inside": f"uprobe:{say}:double_it+{second - start}"}, command=[str(say), str(EVENTS)]
    )
    assert len(trace.frame) == EVENTS


@LIBBPF
@pytest.mark.needs("uprobe", "ringbuf")
@pytest.mark.parametrize("library", ["libc", "libc.so.6"])
def test_library_by_name(library: str, say: Path) -> None:
    body = f"""
SEC("uretprobe/{library}:printf")
int BPF_KRETPROBE(printed, int length) {{ return SEND("return", length); }}
"""
    trace = ebpf_lab.trace(HEAD["libbpf"] + body, command=[str(say), str(EVENTS)], only=True)
    assert values(trace.frame, "return") == [len(f"line {n} of {EVENTS}\n") for n in range(EVENTS)]


@pytest.mark.needs("uprobe", "ringbuf")
@each_backend
def test_first_format_string_is_there(backend: str, say: Path) -> None:
    """Its page is not in memory yet when the first printf() is entered."""
    snippet = snippets.load(f"printf_probe.{backend}")
    frame = ebpf_lab.trace(
        snippet.text, command=[str(say), str(EVENTS)], attach=snippet.attach, only=True
    ).frame.sort_values("ts")
    assert frame["format"].tolist() == ["line %d of %d\n"] * EVENTS
    assert frame["length"].tolist() == [len(f"line {n} of {EVENTS}\n") for n in range(EVENTS)]


@pytest.mark.needs("usdt", "ringbuf")
@each_backend
def test_static_probe_of_a_program(backend: str, say: Path) -> None:
    """The program skips the probe unless its semaphore is raised, so that events prove that it was."""
    text = {
        "libbpf": """
#include <bpf/usdt.bpf.h>
SEC("usdt")
int BPF_USDT(on_step, long number) { return SEND("step", number); }
""",
        "bcc": """
int on_step(struct pt_regs *ctx)
{
    long number = 0;
    bpf_usdt_readarg(1, ctx, &number);
    return SEND("step", number);
}
""",
    }[backend]
    trace = ebpf_lab.trace(
        HEAD[backend] + text, attach={"on_step": f"usdt:{say}:lab:step"}, command=[str(say), str(EVENTS)]
    )
    assert values(trace.frame, "step") == list(range(EVENTS))


BUSY = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass"


@pytest.mark.needs("perf_event", "ringbuf")
@each_backend
def test_profile(backend: str) -> None:
    text = {
        "libbpf": 'SEC("perf_event")\nint on_tick(void *ctx) { return SEND("tick", 1); }\n',
        "bcc": 'int on_tick(struct bpf_perf_event_data *ctx) { return SEND("tick", 1); }\n',
    }[backend]
    trace = ebpf_lab.trace(
        HEAD[backend] + text, attach={"on_tick": "profile:hz:99"}, command=["python3", "-c", BUSY], only=True
    )
    # One CPU at 99 Hz, for as long as the command took; other processes get their share of the machine, too.
    assert 10 <= len(trace.frame) <= 99 * trace.results().seconds + 1


RAW = {
    "libbpf": """
#include <bpf/bpf_core_read.h>
SEC("raw_tp/sys_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
    if (PT_REGS_PARM3_CORE_SYSCALL(regs) != MARK || (int)ctx->args[1] != -9)
        return 0;
    return SEND("exit", PT_REGS_PARM2_CORE_SYSCALL(regs));
}
""",
    "bcc": """
RAW_TRACEPOINT_PROBE(sys_exit)
{
    struct pt_regs regs;
    bpf_probe_read_kernel(&regs, sizeof(regs), (void *)ctx->args[0]);
    if (PT_REGS_PARM3(&regs) != MARK || (int)ctx->args[1] != -9)
        return 0;
    return SEND("exit", PT_REGS_PARM2(&regs));
}
""",
}


@pytest.mark.needs("raw_tracepoint", "ringbuf")
@each_backend
def test_raw_tracepoint(backend: str, seek: Path) -> None:
    trace = ebpf_lab.trace(HEAD[backend] + RAW[backend], command=[str(seek), str(EVENTS)])
    assert values(trace.frame, "exit") == list(range(EVENTS))


@LIBBPF
@pytest.mark.needs("tp_btf", "ringbuf")
def test_typed_tracepoint(seek: Path) -> None:
    body = f"""
SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *regs, long id)
{{
    if (id != {LSEEK} || PT_REGS_PARM3_SYSCALL(regs) != MARK)
        return 0;
    return SEND("enter", PT_REGS_PARM2_SYSCALL(regs));
}}
"""
    trace = ebpf_lab.trace(HEAD["libbpf"] + body, command=[str(seek), str(EVENTS)])
    assert values(trace.frame, "enter") == list(range(EVENTS))


KERNEL = {
    "libbpf": """
#include <bpf/bpf_core_read.h>
SEC("ksyscall/lseek")
int BPF_KSYSCALL(on_enter, unsigned int fd, long offset, unsigned int whence)
{
    return whence == MARK ? SEND("enter", offset) : 0;
}
SEC("kretsyscall/lseek")
int BPF_KRETPROBE(on_return, int ret) { return ret == -9 ? SEND("return", ret) : 0; }
""",
    "bcc": """
int syscall__lseek(struct pt_regs *ctx, unsigned int fd, long offset, unsigned int whence)
{
    return whence == MARK ? SEND("enter", offset) : 0;
}
int kretprobe__sys_lseek(struct pt_regs *ctx)
{
    int ret = PT_REGS_RC(ctx);
    return ret == -9 ? SEND("return", ret) : 0;
}
""",
}


@pytest.mark.needs("kprobe", "ringbuf")
@each_backend
def test_kernel_function_and_its_result(backend: str, seek: Path) -> None:
    trace = ebpf_lab.trace(HEAD[backend] + KERNEL[backend], command=[str(seek), str(EVENTS)], only=True)
    assert values(trace.frame, "enter") == list(range(EVENTS))
    assert values(trace.frame, "return") == [-9] * EVENTS


@LIBBPF
@pytest.mark.needs("kprobe", "ringbuf")
@pytest.mark.parametrize(
    "probe", ["kprobe:sys_lseek", f"kprobe:{WRAPPER}lseek", "ksyscall:lseek", "k:sys_lseek"]
)
def test_system_call_by_any_of_its_names(probe: str, seek: Path) -> None:
    text = HEAD["libbpf"] + 'SEC("kprobe")\nint on_enter(void *ctx) { return SEND("enter", 1); }\n'
    trace = ebpf_lab.trace(text, attach={"on_enter": probe}, command=[str(seek), str(EVENTS)], only=True)
    assert len(trace.frame[trace.frame["comm"] == "seek"]) == EVENTS


FENTRY = {
    "libbpf": f"""
SEC("fentry/{WRAPPER}lseek")
int BPF_PROG(on_enter, const struct pt_regs *regs)
{{
    return PT_REGS_PARM3_SYSCALL(regs) == MARK ? SEND("enter", PT_REGS_PARM2_SYSCALL(regs)) : 0;
}}
SEC("fexit/{WRAPPER}lseek")
int BPF_PROG(on_return, const struct pt_regs *regs, long ret)
{{
    return PT_REGS_PARM3_SYSCALL(regs) == MARK ? SEND("return", ret) : 0;
}}
""",
    "bcc": f"""
KFUNC_PROBE({WRAPPER}lseek, const struct pt_regs *regs)
{{
    return PT_REGS_PARM3(regs) == MARK ? SEND("enter", PT_REGS_PARM2(regs)) : 0;
}}
KRETFUNC_PROBE({WRAPPER}lseek, const struct pt_regs *regs, long ret)
{{
    return PT_REGS_PARM3(regs) == MARK ? SEND("return", ret) : 0;
}}
""",
}


@pytest.mark.needs("fentry", "ringbuf")
@each_backend
def test_fentry_and_fexit(backend: str, seek: Path) -> None:
    trace = ebpf_lab.trace(HEAD[backend] + FENTRY[backend], command=[str(seek), str(EVENTS)])
    assert values(trace.frame, "enter") == list(range(EVENTS))
    assert values(trace.frame, "return") == [-9] * EVENTS


REFUSE = """
SEC("lsm/file_open")
int BPF_PROG(may_open, struct file *file)
{
    char name[8];
    bpf_probe_read_kernel_str(name, sizeof(name), file->f_path.dentry->d_name.name);
    if (bpf_strncmp(name, sizeof(name), "secret"))
        return 0;
    SEND("open", file->f_flags & 3);
    return -13;
}
"""
"""EACCES, which root gets from nobody else."""


@LIBBPF
@pytest.mark.needs("lsm", "ringbuf")
def test_security_hook_refuses_while_it_is_attached(tmp_path: Path) -> None:
    secret, open_to_all, said = tmp_path / "secret", tmp_path / "secrets", tmp_path / "said"
    secret.touch()
    open_to_all.touch()
    files = [str(secret), str(open_to_all)] * EVENTS
    trace = ebpf_lab.trace(
        HEAD["libbpf"] + REFUSE,
        command=["sh", "-c", 'exec cat "$@" 2>"$0"', str(said), *files],
        only=True,
    )
    assert said.read_text() == f"cat: {secret}: Permission denied\n" * EVENTS
    assert values(trace.frame, "open") == [0] * EVENTS
    assert set(trace.frame["comm"]) == {"cat"}
    assert secret.read_text() == ""


@BCC
@pytest.mark.needs("tracepoint", "ringbuf")
def test_attach_option_goes_over_the_name(seek: Path) -> None:
    """The function's name asks for another tracepoint."""
    function = "tracepoint__syscalls__sys_enter_getpriority"
    trace = ebpf_lab.trace(
        HEAD["bcc"] + f'int {function}(void *ctx) {{ return SEND("exit", 1); }}\n',
        attach={function: "tracepoint:syscalls:sys_exit_lseek"},
        command=[str(seek), str(EVENTS)],
        only=True,
    )
    assert len(trace.frame[trace.frame["comm"] == "seek"]) == EVENTS
