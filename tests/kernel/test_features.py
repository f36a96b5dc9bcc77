"""Features, targets, listings and symbols of the running kernel."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from support import kernel_objects
from support.nobody import as_nobody

from ebpf_lab.errors import AttachError, LabError, MissingFeature
from ebpf_lab.host import doctor, features
from ebpf_lab.host.answers import Answer
from ebpf_lab.host.symbols import KernelSymbols, user_symbols
from ebpf_lab.host.targets import KernelFunction, list_probes, resolve
from ebpf_lab.source.probe import Probe

ALWAYS = ["arch", "bpf", "btf", "tracefs", "tracepoint", "raw_tracepoint", "tp_btf", "uprobe", "usdt"]
ALWAYS += ["perf_event", "ringbuf", "perfbuf", "printk", "stats", "xdp", "libbpf", "clang"]
"""What every kernel that the lab is tested on can do."""


@pytest.mark.parametrize("name", ALWAYS)
def test_what_every_tested_kernel_has(name: str) -> None:
    feature = features.probe(name)
    assert feature.answer is Answer.YES, feature


@pytest.mark.parametrize("name", features.NAMES)
def test_a_no_has_a_reason_and_a_remedy(name: str) -> None:
    feature = features.probe(name)
    if feature.answer is not Answer.YES:
        assert feature.reason
    if feature.answer is Answer.NO:
        assert feature.remedy
        with pytest.raises(MissingFeature):
            features.require(name)


def test_kprobes_are_there_exactly_if_the_kernel_was_built_with_them() -> None:
    built = Path("/sys/kernel/tracing/kprobe_events").exists()
    assert (features.probe("kprobe").answer is Answer.YES) == built


def test_trying_everything_leaves_nothing() -> None:
    before = kernel_objects.Snapshot()
    assert len(features.probe_all()) == len(features.NAMES)
    assert kernel_objects.leaks(before) == []


def test_the_report_has_a_line_for_each() -> None:
    text = doctor.text(doctor.report())
    for name in features.NAMES:
        assert sum(line.startswith(f"{name} ") for line in text.splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["bpf", "raw_tracepoint", "tracepoint", "tracefs", "uprobe", "ringbuf", "stats"]
)
def test_without_rights_the_answer_is_unknown(name: str) -> None:
    def try_it() -> str:
        features._known.clear()
        feature = features.probe(name)
        try:
            features.require(name)
        except LabError as error:
            return f"{feature.answer} {type(error).__name__} {feature.reason}"
        return f"{feature.answer} nothing raised"

    answer = as_nobody(try_it)
    assert answer.startswith("unknown MissingPrivilege this process lacks CAP_")


class TestResolve:
    @staticmethod
    def refused(probe: str) -> LabError:
        with pytest.raises(LabError) as caught:
            resolve(Probe.parse(probe))
        return caught.value

    @pytest.mark.parametrize(
        ("probe", "near"),
        [
            ("tracepoint:syscalls:sys_enter_opanat", "syscalls:sys_enter_openat"),
            ("tracepoint:syscall:sys_enter_openat", "did you mean syscalls:sys_enter_openat?"),
            ("rawtracepoint:sched_swich", "sched_switch"),
            ("rawtracepoint:sys_enter_openat", "tracepoint:syscalls:sys_enter_openat"),
            ("tp_btf:sched_swich", "sched_switch"),
            ("uprobe:libc:prnitf", "printf"),
            ("profile:hz:100000000", "profile:hz:99"),
            ("profile:us:1", "profile:us:10"),
        ],
    )
    def test_a_wrong_name_gets_the_nearest(self, probe: str, near: str) -> None:
        error = self.refused(probe)
        assert isinstance(error, AttachError)
        assert near in error.hint

    @pytest.mark.parametrize(
        ("probe", "hint"),
        [
            ("tracepoint:syscalls:sys_enter_uname", "tracepoint:syscalls:sys_enter_newuname"),
            ("tracepoint:syscalls:sys_exit_umount2", "tracepoint:syscalls:sys_exit_umount"),
        ],
    )
    def test_a_system_call_that_the_kernel_calls_otherwise(self, probe: str, hint: str) -> None:
        error = self.refused(probe)
        assert re.fullmatch(r"inside the kernel (\w+) is called (\w+)", error.why)
        assert error.hint == hint
        assert resolve(Probe.parse(hint))

    @pytest.mark.needs("kprobe")
    @pytest.mark.parametrize(
        ("probe", "near"),
        [
            ("kprobe:prepare_kernel_creds", "prepare_kernel_cred"),
            ("kprobe:vfs_raed", "vfs_read"),
            ("ksyscall:clon", "did you mean clone"),
            ("kretprobe:sys_opennat", "did you mean sys_openat"),
        ],
    )
    def test_a_wrong_function_gets_the_nearest(self, probe: str, near: str) -> None:
        error = self.refused(probe)
        assert isinstance(error, AttachError)
        assert near in error.hint

    @pytest.mark.needs("kprobe")
    def test_an_offset_must_be_within_the_function(self) -> None:
        """The kernel itself does not check that, and would probe another function."""
        assert resolve(Probe.parse("kprobe:vfs_read+0x10")) == KernelFunction("vfs_read", 0x10)
        assert "vfs_read+0xffff is behind the end" in self.refused("kprobe:vfs_read+0xffff").what

    @pytest.mark.needs("!kprobe")
    @pytest.mark.parametrize(
        ("probe", "instead"),
        [
            ("kprobe:sys_clone", "tracepoint:syscalls:sys_enter_clone shows"),
            ("kretprobe:__x64_sys_openat", "tracepoint:syscalls:sys_exit_openat shows"),
            ("ksyscall:execve", "tracepoint:syscalls:sys_enter_execve shows"),
            ("kprobe:do_sys_openat2", "tracepoint:syscalls:sys_enter_openat shows"),
            ("kprobe:prepare_kernel_cred", "no tracepoint shows prepare_kernel_cred"),
        ],
    )
    def test_without_kprobes_the_tracepoint_is_named(self, probe: str, instead: str) -> None:
        error = self.refused(probe)
        assert isinstance(error, MissingFeature)
        assert error.what == "this kernel has no kprobes"
        assert instead in error.hint

    @pytest.mark.needs("fentry")
    def test_a_wrong_name_for_fentry_gets_the_nearest(self) -> None:
        assert "vfs_read" in self.refused("fentry:vfs_raed").hint

    @pytest.mark.needs("lsm")
    def test_a_wrong_hook_gets_the_nearest(self) -> None:
        assert "file_open" in self.refused("lsm:file_opn").hint


class TestListing:
    @pytest.mark.parametrize("kind", ["tracepoint", "t"])
    def test_tracepoints(self, kind: str) -> None:
        found = list_probes(f"{kind}:syscalls:sys_*_openat")
        assert found == [
            ("tracepoint", "syscalls:sys_enter_openat"),
            ("tracepoint", "syscalls:sys_exit_openat"),
        ]

    def test_a_word_is_looked_for_in_the_whole_kernel(self) -> None:
        found = list_probes("sched_switch")
        assert ("tracepoint", "sched:sched_switch") in found
        assert ("rawtracepoint", "sched_switch") in found
        assert all("sched_switch" in name for _, name in found)

    @pytest.mark.needs("kprobe")
    def test_functions(self) -> None:
        assert ("kprobe", "vfs_read") in list_probes("kprobe:vfs_*")
        assert ("ksyscall", "openat") in list_probes("ksyscall:open*")

    @pytest.mark.needs("!kprobe")
    def test_functions_without_kprobes(self) -> None:
        with pytest.raises(MissingFeature):
            list_probes("kprobe:vfs_*")

    def test_user_functions_and_usdt(self, say: Path) -> None:
        assert list_probes(f"uprobe:{say}:double*") == [("uprobe", f"{say}:double_it")]
        assert list_probes(f"usdt:{say}:*") == [("usdt", f"{say}:lab:step")]
        assert ("uprobe", "libc:printf") in list_probes("uprobe:libc:print*")

    def test_what_is_listed_can_be_resolved(self, say: Path) -> None:
        patterns = ["tracepoint:sched:*", "rawtracepoint:sched_*", f"uprobe:{say}:*", f"usdt:{say}:*"]
        for pattern in patterns:
            found = list_probes(pattern)
            assert found
            for kind, name in found:
                resolve(Probe.parse(f"{kind}:{name}"))


class TestSymbols:
    def test_the_kernels_own(self) -> None:
        import numpy as np

        lines = Path("/proc/kallsyms").read_text().splitlines()
        (address,) = (int(line.split()[0], 16) for line in lines if line.endswith(" T vfs_read"))
        found = KernelSymbols.of_running_kernel().lookup(np.array([address, address + 9], np.uint64))
        assert found == ["vfs_read", "vfs_read+0x9"]

    def test_a_process(self) -> None:
        import ctypes

        address = ctypes.cast(ctypes.CDLL(None).printf, ctypes.c_void_p).value
        assert address
        found = user_symbols(os.getpid(), [address, address + 4, 1])
        assert found == ["printf [libc.so.6]", "printf+0x4 [libc.so.6]", "0x1"]

    def test_a_process_that_has_ended(self) -> None:
        assert user_symbols(2**22 - 1, [4096]) == ["0x1000"]
