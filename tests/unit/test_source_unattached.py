"""Programs of which nothing says where they run."""

from __future__ import annotations

import pytest

from ebpf_lab.source.spec import Program
from ebpf_lab.source.unattached import unattached

ANY = "--attach p=PROBE, such as tracepoint:syscalls:sys_enter_openat"


@pytest.mark.parametrize(
    ("section", "why", "fix"),
    [
        (
            "tracepont/sched/sched_switch",
            'SEC("tracepont/sched/sched_switch") names no kind of program',
            'did you mean SEC("tracepoint/sched/sched_switch")?',
        ),
        (
            "tracepoint/sched_switch",
            'SEC("tracepoint/sched_switch") is not of the form SEC("tracepoint/CATEGORY/EVENT")',
            'SEC("tracepoint/syscalls/sys_enter_openat"), for instance; or --attach '
            "p=tracepoint:syscalls:sys_enter_openat",
        ),
        (
            "uprobe",
            'SEC("uprobe") is not of the form SEC("uprobe/BINARY:SYMBOL[+OFFSET]")',
            'SEC("uprobe/libc:printf"), for instance; or --attach p=uprobe:libc:printf',
        ),
        ("xdp", 'SEC("xdp") says what kind of program it is, not where it runs', "--attach p=xdp:INTERFACE"),
        (
            "perf_event",
            'SEC("perf_event") says what kind of program it is, not where it runs',
            "--attach p=profile:hz:49",
        ),
        (
            "iter/task",
            'a program in SEC("iter") is an iterator, which runs when a file is read: the lab attaches '
            "tracing programs and XDP",
            "",
        ),
        ("nothing_like_it", "its name and section name no probe", ANY),
        ("", "its name and section name no probe", ANY),
    ],
)
def test_why_nothing_says_where(section: str, why: str, fix: str) -> None:
    text = f'// "{section}"\nSEC("{section}")\nint p(void *ctx)\n{{\n    return 0;\n}}\n'
    error = unattached(Program("p", 3, section), text)
    assert error.what == "p: nothing says where to attach it"
    assert (error.why, error.hint) == (why, fix)
    (mark,) = error.where
    assert mark.line == (2 if section else 3)
    if section:
        assert mark.text[mark.column - 1 :][: mark.length] == f'"{section}"'
