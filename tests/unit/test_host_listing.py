"""Patterns of probes, over a kernel made up."""

import random
import time
from pathlib import Path

import pytest
from support import elf_image
from support.elf_image import CODE_ADDRESS, Sym, note

from ebpf_lab.errors import UsageProblem
from ebpf_lab.host import features, kallsyms, perf_events, system_calls, tracefs
from ebpf_lab.host.kallsyms import Names
from ebpf_lab.host.targets import list_probes

EVENTS = {"syscalls": ["sys_enter_openat", "sys_exit_openat", "sys_enter_read"], "sched": ["sched_switch"]}
SYMBOLS = b"""\
0000000000001000 T do_sys_openat2
0000000000002000 T __x64_sys_openat
0000000000003000 T bpf_lsm_file_open
0000000000004000 T __traceiter_sched_switch
0000000000005000 t __pfx_do_sys_openat2
"""


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of few symbols, with kprobes."""
    monkeypatch.setattr(tracefs, "events", lambda: EVENTS)
    monkeypatch.setattr(tracefs, "PLACES", ())
    monkeypatch.setattr(kallsyms, "names", lambda: Names(SYMBOLS))
    monkeypatch.setattr(features, "require", lambda name: None)
    monkeypatch.setattr(perf_events, "device_type", lambda name: 6)
    monkeypatch.setattr(system_calls.kernel, "architecture", lambda: "x86_64")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("tracepoint:syscalls:sys_enter_*", ["syscalls:sys_enter_openat", "syscalls:sys_enter_read"]),
        ("tracepoint:*openat", ["syscalls:sys_enter_openat", "syscalls:sys_exit_openat"]),
        ("t:sched:sched_switc?", ["sched:sched_switch"]),
        ("tracepoint:syscalls:sys_e[x]it_*", ["syscalls:sys_exit_openat"]),
        ("tracepoint:nothing:*", []),
        ("rawtracepoint:*", ["sched_switch"]),
        ("tp_btf:sched*", ["sched_switch"]),
        ("kprobe:*openat*", ["__x64_sys_openat", "do_sys_openat2"]),
        ("kr:do_sys_openat2", ["do_sys_openat2"]),
        ("fentry:do_*", ["do_sys_openat2"]),
        ("ksyscall:open*", ["openat"]),
        ("lsm:*", ["file_open"]),
    ],
)
def test_one_kind(pattern: str, expected: list[str]) -> None:
    assert [name for _, name in list_probes(pattern)] == expected


def test_a_word_alone_is_looked_for_everywhere_in_the_kernel() -> None:
    assert list_probes("openat") == list_probes("*openat*") == list_probes("*:*openat*") == [
        ("kprobe", "__x64_sys_openat"),
        ("kprobe", "do_sys_openat2"),
        ("ksyscall", "openat"),
        ("tracepoint", "syscalls:sys_enter_openat"),
        ("tracepoint", "syscalls:sys_exit_openat"),
    ]  # fmt: skip


def test_a_pattern_of_kinds_leaves_out_what_the_kernel_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_events, "device_type", lambda name: None)
    assert {kind for kind, _ in list_probes("*:*")} == {"tracepoint", "rawtracepoint"}


def test_ftrace_knows_better_than_kallsyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracefs, "PLACES", (tmp_path,))
    (tmp_path / "available_filter_functions").write_text(
        "vfs_read\next4_open [ext4]\n__ftrace_invalid_address___64\n"
    )
    assert [name for _, name in list_probes("kprobe:*")] == ["ext4_open", "vfs_read"]


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("kprob:x", r"did you mean kprobe\?"),
        ("profile:hz:*", "no kind of probe that can be listed"),
        ("uprobe:printf", "names no program"),
        ("usdt:*:step", "names no program"),
        ("usdt:a:b:c:d", "names no program"),
    ],
)
def test_patterns_that_mean_nothing(pattern: str, what: str) -> None:
    with pytest.raises(UsageProblem, match=what):
        list_probes(pattern)


def test_programs_and_their_own_probes(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(
        elf_image.build(
            static=[Sym("main", CODE_ADDRESS), Sym("helper", CODE_ADDRESS + 32)],
            notes=note(CODE_ADDRESS, 0, 0, "app", "step", "")
            + note(CODE_ADDRESS + 8, 0, 0, "app", "step", ""),
        )
    )
    assert list_probes(f"uprobe:{path}:m*") == [("uprobe", f"{path}:main")]
    assert list_probes(f"ur:{path}:") == [("uretprobe", f"{path}:helper"), ("uretprobe", f"{path}:main")]
    for pattern in (f"usdt:{path}", f"usdt:{path}:*", f"U:{path}:app:st*", f"usdt:{path}:step"):
        assert list_probes(pattern) == [("usdt", f"{path}:app:step")], pattern


def test_a_hundred_thousand_functions_are_listed_without_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz_"
    lines = (f"ffffffff81000000 t {''.join(generator.choices(letters, k=18))}{n}\n" for n in range(100_000))
    names = Names("".join(lines).encode())
    monkeypatch.setattr(kallsyms, "names", lambda: names)
    start = time.process_time()
    assert len(list_probes("kprobe:*")) == 100_000
    assert time.process_time() - start < 2
