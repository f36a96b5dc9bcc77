"""Probe names: read, written, and refused with the wrong part marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.errors import UsageProblem
from ebpf_lab.source.probe import Probe, from_section, section_kind


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        ("kprobe:do_unlinkat", Probe("kprobe", "do_unlinkat")),
        ("k:do_unlinkat+0x10", Probe("kprobe", "do_unlinkat", offset=16)),
        ("kprobe:vmlinux:do_unlinkat+8", Probe("kprobe", "do_unlinkat", offset=8)),
        ("kprobe:sys_clone", Probe("kprobe", "sys_clone")),
        ("kprobe:vfs_read.isra.0", Probe("kprobe", "vfs_read.isra.0")),
        ("kr:do_unlinkat", Probe("kretprobe", "do_unlinkat")),
        ("ksyscall:clone", Probe("ksyscall", "clone")),
        ("ksyscall:sys_clone", Probe("ksyscall", "clone")),
        ("kretsyscall:__x64_sys_newfstatat", Probe("kretsyscall", "newfstatat")),
        ("ksyscall:__ia32_compat_sys_openat", Probe("ksyscall", "openat")),
        ("t:syscalls:sys_enter_openat", Probe("tracepoint", "sys_enter_openat", group="syscalls")),
        ("rt:sys_enter", Probe("rawtracepoint", "sys_enter")),
        ("rawtracepoint:vmlinux:sys_enter", Probe("rawtracepoint", "sys_enter")),
        ("raw_tp:sys_enter", Probe("rawtracepoint", "sys_enter")),
        ("tp_btf:sched_switch", Probe("tp_btf", "sched_switch")),
        ("fentry:do_unlinkat", Probe("fentry", "do_unlinkat")),
        ("kfunc:vmlinux:do_unlinkat", Probe("fentry", "do_unlinkat")),
        ("fentry.s:do_unlinkat", Probe("fentry", "do_unlinkat", sleepable=True)),
        ("fr:do_unlinkat", Probe("fexit", "do_unlinkat")),
        ("lsm.s:file_open", Probe("lsm", "file_open", sleepable=True)),
        ("u:libc:printf", Probe("uprobe", "printf", binary="libc")),
        ("uprobe:/bin/a b:f+1", Probe("uprobe", "f", binary="/bin/a b", offset=1)),
        ("uprobe:/odd:path:f", Probe("uprobe", "f", binary="/odd:path")),
        ("uprobe:/bin/go:main.(*T).Run", Probe("uprobe", "main.(*T).Run", binary="/bin/go")),
        ("uprobe:/bin/x:0x4010", Probe("uprobe", "", binary="/bin/x", offset=0x4010)),
        ("uprobe.s:libc:printf", Probe("uprobe", "printf", binary="libc", sleepable=True)),
        ("ur:libc:printf", Probe("uretprobe", "printf", binary="libc")),
        ("U:libc:setjmp", Probe("usdt", "setjmp", binary="libc")),
        ("usdt:/bin/python3:python:line", Probe("usdt", "line", group="python", binary="/bin/python3")),
        ("p:hz:49", Probe("profile", "hz", rate=49)),
        (" profile:ms:10 ", Probe("profile", "ms", rate=10)),
        ("xdp:eth0.23", Probe("xdp", "eth0.23")),
        (
            "?tracepoint:syscalls:sys_enter_open",
            Probe("tracepoint", "sys_enter_open", group="syscalls", optional=True),
        ),
        ("?f.s:do_unlinkat", Probe("fentry", "do_unlinkat", sleepable=True, optional=True)),
    ],
)
def test_reads_and_writes(text: str, probe: Probe) -> None:
    assert Probe.parse(text) == probe
    assert Probe.parse(str(probe)) == probe


def test_canonical_text_spells_kinds_out() -> None:
    assert str(Probe.parse("u:libc:printf+16")) == "uprobe:libc:printf+0x10"
    assert str(Probe.parse("p:hz:099")) == "profile:hz:99"
    assert str(Probe.parse("U:/bin/x:p:n")) == "usdt:/bin/x:p:n"


@pytest.mark.parametrize(
    ("text", "marked", "words"),
    [
        ("", "", "a probe must be named"),
        ("kprob:x", "kprob", "did you mean kprobe?"),
        ("Kprobe:x", "Kprobe", "did you mean kprobe?"),
        ("kprobe", "kprobe", "not where"),
        ("kprobe:", "kprobe:", "FUNCTION[+OFFSET]"),
        ("kprobe:vfs_*", "*", "%bpf probes kprobe:vfs_*"),
        ("kprobe:a b", "a b", "not the name of a kprobe"),
        ("kprobe:ext4:ext4_open", "ext4:ext4_open", "not the name of a kprobe"),
        ("kprobe.s:do_unlinkat", "kprobe.s", "cannot sleep"),
        ("?kprobe.s:do_unlinkat", "kprobe.s", "cannot sleep"),
        ("?kprobe:vfs_*", "*", "not to a pattern"),
        ("kretprobe:do_unlinkat+4", "+4", "has no offset"),
        ("uretprobe:libc:printf+0x4", "+0x4", "has no offset"),
        ("tracepoint:sys_enter_openat", "sys_enter_openat", "CATEGORY:EVENT"),
        ("uprobe:printf", "printf", "BINARY:SYMBOL[+OFFSET]"),
        ("profile:hz:0", "0", "no possible rate"),
        ("profile:99", "99", "hz:RATE"),
        ("xdp:sixteen_letters_", "sixteen_letters_", "xdp:INTERFACE"),
        (f"kprobe:f+{2**63}", str(2**63), "no possible offset"),
        (f"kprobe:f+{'9' * 5000}", "9" * 5000, "no possible offset"),
    ],
)
def test_refusals_mark_the_wrong_part(text: str, marked: str, words: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        Probe.parse(text)
    shown = str(caught.value)
    assert words in shown
    for mark in caught.value.where:
        assert (mark.line, mark.text) == (0, text)
        assert text[mark.column - 1 : mark.column - 1 + mark.length] == marked
        assert "line 0" not in shown


def test_mark_is_drawn_under_the_word() -> None:
    with pytest.raises(UsageProblem) as caught:
        Probe.parse("tracepoint:openat")
    lines = caught.value.block().splitlines()
    assert lines[1:3] == ["  tracepoint:openat", "             ^~~~~~"]


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("kprobe/do_unlinkat", "kprobe:do_unlinkat"),
        ("?kprobe/do_unlinkat+0x4", "?kprobe:do_unlinkat+0x4"),
        ("kretprobe/do_unlinkat", "kretprobe:do_unlinkat"),
        ("ksyscall/openat", "ksyscall:openat"),
        ("kretsyscall/openat", "kretsyscall:openat"),
        ("tp/syscalls/sys_enter_openat", "tracepoint:syscalls:sys_enter_openat"),
        ("tracepoint/syscalls/sys_enter_openat", "tracepoint:syscalls:sys_enter_openat"),
        ("raw_tp/sys_enter", "rawtracepoint:sys_enter"),
        ("raw_tracepoint/sys_enter", "rawtracepoint:sys_enter"),
        ("raw_tp.w/sys_enter", "rawtracepoint:sys_enter"),
        ("tp_btf/sched_switch", "tp_btf:sched_switch"),
        ("fentry/do_unlinkat", "fentry:do_unlinkat"),
        ("fexit.s/do_unlinkat", "fexit.s:do_unlinkat"),
        ("lsm/file_open", "lsm:file_open"),
        ("uprobe/libc.so.6:printf+0x10", "uprobe:libc.so.6:printf+0x10"),
        ("uprobe//usr/bin/bash:readline", "uprobe:/usr/bin/bash:readline"),
        ("uprobe.s/libc:printf", "uprobe.s:libc:printf"),
        ("uretprobe.s/libc:printf", "uretprobe.s:libc:printf"),
        ("usdt//usr/bin/python3:python:line", "usdt:/usr/bin/python3:python:line"),
    ],
)
def test_section_names(section: str, text: str) -> None:
    assert str(from_section(section)) == text


@pytest.mark.parametrize(
    "section",
    ["", "kprobe", "kprobe/", "perf_event", "uprobe", "license", ".maps", "xdp", "tp/only", "kprobe/vfs_*"],
)
def test_sections_without_a_target(section: str) -> None:
    assert from_section(section) is None


def test_section_kind() -> None:
    assert section_kind("perf_event") == ("profile", False)
    assert section_kind("?uprobe.s") == ("uprobe", True)
    assert section_kind("kprobe.s/x") is None
    assert section_kind("license") is None


@given(st.text() | st.from_regex(r"\A(kprobe|uprobe|usdt|profile|t|ksyscall|lsm\.s):.*\Z"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        probe = Probe.parse(text)
    except UsageProblem as problem:
        shown = str(problem)
    else:
        shown = str(probe)
        assert Probe.parse(shown) == probe
    assert shown
