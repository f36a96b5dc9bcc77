"""What Shift-Tab shows is true of this machine: its examples compile, its names are the kernel's."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.backends import BCC, LIBBPF

from ebpf_lab.backends import bcc_compile, bcc_package, clang
from ebpf_lab.backends.additions import additions
from ebpf_lab.host import kernel_names, tracefs
from ebpf_lab.notebook import reference
from ebpf_lab.notebook.reference import kernel
from ebpf_lab.notebook.reference.sections import Section
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.spec import Dialect

# What the examples that are lines of a function find around them.
LIBBPF_AROUND = """
#pragma clang diagnostic error "-Wimplicit-function-declaration"
#pragma clang diagnostic error "-Wint-conversion"
#pragma clang diagnostic error "-Wincompatible-pointer-types"
struct event { u64 ts; u32 pid; char comm[16]; char file[64]; };
struct locked { struct bpf_spin_lock lock; u64 count; };
struct wake_up { struct bpf_timer timer; };
#define A_MAP(name, kind, key_type, value_type, flags) \\
    struct { __uint(type, BPF_MAP_TYPE_##kind); __uint(max_entries, 16); __uint(map_flags, flags); \\
             __type(key, key_type); __type(value, value_type); } name SEC(".maps")
A_MAP(counts, HASH, u32, u64, 0);
A_MAP(starts, HASH, u32, u64, 0);
A_MAP(percpu, PERCPU_ARRAY, u32, u64, 0);
A_MAP(locks, ARRAY, u32, struct locked, 0);
A_MAP(alarms, ARRAY, u32, struct wake_up, 0);
A_MAP(per_task, TASK_STORAGE, int, u64, BPF_F_NO_PREALLOC);
A_MAP(groups, CGROUP_ARRAY, u32, u32, 0);
A_MAP(programs, PROG_ARRAY, u32, u32, 0);
A_MAP(ports, DEVMAP, u32, u32, 0);
A_MAP(perf_events, PERF_EVENT_ARRAY, u32, u32, 0);
A_MAP(counters, PERF_EVENT_ARRAY, u32, u32, 0);
struct { __uint(type, BPF_MAP_TYPE_QUEUE); __uint(max_entries, 16);
         __type(value, u64); } waiting SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 16); __uint(key_size, 4);
         __uint(value_size, 127 * sizeof(u64)); } stacks SEC(".maps");
static struct xdp_md *xdp;
static struct __sk_buff *skb;
static struct task_struct *task;
static struct event *e;
static struct pt_regs *regs;
"""
_DEFINED = (
    r"^int (?:BPF_\w+\()?(\w+)",
    r"^} (\w+) SEC",
    r"^static .*?(\w+)\(",
    r"^struct (\w+) \{",
    r"^BPF_\w+\((?:\"\w+\", \w+, \w+, )?(\w+)",
)


def examples(dialect: Dialect) -> Iterator[tuple[str, Section]]:
    """The examples in a dialect, each once, with one of its names."""
    seen = set()
    for kind in reference.FILES:
        for name, section in reference.written(kind).items():
            written = section.fields.get("dialect", Dialect.LIBBPF)
            types = re.findall(r"BPF_MAP_TYPE_\w+", section.example)
            if any(each not in kernel_names.constants() for each in types):
                continue  # a type of map that came after this kernel
            if section.example and written == dialect and section.example not in seen:
                seen.add(section.example)
                yield name, section


def together(dialect: Dialect, head: str) -> str:
    """All examples as one text: each in a function of its own, or with names of its own."""
    parts = []
    for number, (name, section) in enumerate(examples(dialect)):
        text = section.example
        if section.within == "program":
            defined = {each for form in _DEFINED for each in re.findall(form, text, re.MULTILINE)}
            for each in defined - {"tracepoint"}:
                text = re.sub(rf"\b{each}\b(?!\")", f"{each}_{number}", text)
            parts.append(f"// {name}\n{text}\n")
        else:
            parts.append(
                f"// {name}\n{head} int example_{number}(void *ctx)\n{{\n{text}\n    return 0;\n}}\n"
            )
    return "\n".join(parts)


@LIBBPF
def test_libbpf_examples_compile() -> None:
    text = LIBBPF_AROUND + together(Dialect.LIBBPF, "static __attribute__((unused))")
    assert text.count("\n// ") > 120
    spec = analyse(text)
    clang.object_of(text, additions(spec), use_cache=False, reason=spec.dialect_reason)


@BCC
@pytest.mark.needs("btf")
def test_bcc_examples_compile() -> None:
    text = together(Dialect.BCC, "static inline")
    assert text.count("// ") > 15
    bcc_compile.compile_text(analyse(text, dialect="bcc"), bcc_package.find()).close()


@pytest.mark.needs("btf")
def test_kernel_types_are_shown_with_their_members() -> None:
    task = kernel.look_up("task_struct")
    assert task is not None
    assert {("tgid", "pid_t"), ("mm", "struct mm_struct *"), ("comm", "char[16]")} <= set(task.members)
    assert dict(kernel.look_up("enum pid_type").members)["PIDTYPE_TGID"] == "1"  # type: ignore[union-attr]
    assert "typedef" in str(kernel.look_up("pid_t"))
    assert kernel.look_up("IPPROTO_TCP").signature == "IPPROTO_TCP = 6"  # type: ignore[union-attr]
    assert kernel.look_up("struct no_such_struct") is None
    assert kernel.look_up("no_such_name") is None


@pytest.mark.needs("btf")
def test_every_kfunc_can_be_declared() -> None:
    names = kernel_names.kfuncs().beginning("bpf_")
    assert len(names) > 10
    for name in names:
        found = kernel.look_up(name)
        assert found is not None
        assert found.signature.count("(") >= 1, name
        assert name in found.example


@pytest.mark.needs("tracepoint")
def test_a_tracepoint_is_shown_as_tracefs_describes_it() -> None:
    for name in ("tracepoint:sched:sched_process_exec", "tracepoint/sched/sched_process_exec"):
        found = kernel.look_up(name)
        assert found is not None
        assert ("filename", "__data_loc char[]") in found.members
        assert ("pid", "pid_t") in found.members
        assert "common_pid" not in dict(found.members)
    assert tracefs.fields("sched", "no_such_event") == []


@LIBBPF
@pytest.mark.needs("tracepoint")
def test_examples_of_tracepoints_compile() -> None:
    names = ("sched_process_exec", "sched_switch", "sched_wakeup", "signal_generate", "sys_enter_openat")
    names = (*names, "sys_exit_openat", "sys_enter", "block_rq_issue", "inet_sock_set_state", "mm_page_alloc")
    groups = {name: group for group, events in tracefs.events().items() for name in events}
    found = [kernel.look_up(f"tracepoint:{groups[name]}:{name}") for name in names if name in groups]
    text = "\n\n".join(each.example for each in found if each is not None)
    assert text.count("ctx->") >= len(found) - 1
    spec = analyse(text)
    clang.object_of(text, additions(spec), use_cache=False, reason=spec.dialect_reason)
