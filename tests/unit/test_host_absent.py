"""What is said of a kernel function that is not there: from lists of symbols as kernels have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ebpf_lab.host import absent, kallsyms, kernel, system_calls, tracefs
from ebpf_lab.host.kallsyms import Names
from ebpf_lab.source.probe import Probe

KALLSYMS = b"""\
ffffffff81000110 T vfs_read
ffffffff81000200 T kernel_clone
ffffffff81000300 t finish_task_switch.isra.0
ffffffff81000380 t finish_task_switch.isra.0.cold
ffffffff81000400 t __blk_account_io_done
ffffffff81000500 T __arm64_sys_openat
ffffffff81000600 T __arm64_sys_clone
ffffffff82000000 D jiffies
"""


@pytest.fixture(autouse=True)
def a_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kallsyms, "names", lambda: Names(KALLSYMS))
    monkeypatch.setattr(kernel, "architecture", lambda: "aarch64")
    monkeypatch.setattr(kernel, "headers", lambda: None)
    monkeypatch.setattr(tracefs, "exists", lambda group, name: name == "sched_process_exec")
    absent._inlined_by.cache_clear()
    yield
    absent._inlined_by.cache_clear()


@pytest.mark.parametrize(
    ("probe", "why", "fix"),
    [
        ("kprobe:jiffies", "jiffies is a variable", "probe a function that reads or writes it"),
        (
            "kprobe:finish_task_switch",
            "the compiler made finish_task_switch.isra.0 of it, which may take other arguments",
            "kprobe:finish_task_switch.isra.0",
        ),
        ("kprobe:_do_fork", "other kernel versions have it by that name", "kprobe:kernel_clone"),
        (
            "kretprobe:blk_account_io_done",
            "other kernel versions have it by that name",
            "kretprobe:__blk_account_io_done",
        ),
        (
            "kprobe:begin_new_exec",
            "other kernel versions have it",
            "tracepoint:sched:sched_process_exec shows the same",
        ),
        ("kprobe:vfs_raed", "", "did you mean vfs_read?"),
        (
            "fentry:no_such_thing",
            "",
            "it may be compiled into its callers, or be of another kernel version: probe one that calls it",
        ),
    ],
)
def test_function(probe: str, why: str, fix: str) -> None:
    parsed = Probe.parse(probe)
    error = absent.function(parsed)
    lines = [f"AttachError: this kernel has no function {parsed.name}"]
    lines += [f"  why   {why}"] * bool(why)
    assert error.block() == "\n".join([*lines, f"  fix   {fix}"])


def test_inline_function_is_found_in_the_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    header = tmp_path / "build/include/linux/fs.h"
    header.parent.mkdir(parents=True)
    header.write_text("static inline struct inode *\nfile_inode(const struct file *f)\n{\n}\n")
    monkeypatch.setattr(kernel, "headers", lambda: kernel.Headers(tmp_path / "build", "6.12.0"))
    assert absent.function(Probe.parse("kprobe:file_inode")).block() == (
        "AttachError: this kernel has no function file_inode\n"
        "  why   it is compiled into each of its callers (static inline in <linux/fs.h>)\n"
        "  fix   probe a function that calls it"
    )


def test_function_of_a_module_that_is_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / kernel.release()).mkdir()
    (tmp_path / kernel.release() / "modules.dep").write_text(
        "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz\n"
    )
    monkeypatch.setattr(absent, "_MODULES", tmp_path)
    monkeypatch.setattr(kallsyms, "modules", lambda: frozenset({"jbd2"}))
    assert absent.function(Probe.parse("kprobe:ext4_file_open")).block() == (
        "AttachError: this kernel has no function ext4_file_open\n"
        "  why   the module ext4 is not loaded\n"
        "  fix   sudo modprobe ext4"
    )
    monkeypatch.setattr(kallsyms, "modules", lambda: frozenset({"ext4"}))
    assert absent.function(Probe.parse("kprobe:ext4_file_open")).why == ""


@pytest.mark.parametrize(
    ("probe", "why", "fix"),
    [
        ("ksyscall:open", "aarch64 has none of that name: programs make openat there", "ksyscall:openat"),
        (
            "kretprobe:sys_fork",
            "aarch64 has none of that name: programs make clone there",
            "kretprobe:sys_clone",
        ),
        ("ksyscall:openatt", "", "did you mean openat?"),
        ("kprobe:sys_openatt", "", "did you mean sys_openat?"),
    ],
)
def test_system_call(probe: str, why: str, fix: str) -> None:
    parsed = Probe.parse(probe)
    name = parsed.name.removeprefix("sys_")
    error = absent.system_call(parsed, name)
    assert (error.what, error.why, error.hint) == (f"this kernel has no system call {name}", why, fix)


@pytest.mark.parametrize(
    ("name", "known", "instead"),
    [
        ("stat", [b"newstat", b"newfstatat"], ("newstat", "inside the kernel stat is called newstat")),
        (
            "stat",
            [b"newfstatat"],
            ("newfstatat", "aarch64 has none of that name: programs make newfstatat there"),
        ),
        ("stat", [], ("", "")),
        ("openn", [b"open"], ("", "")),
    ],
)
def test_call_instead(name: str, known: list[bytes], instead: tuple[str, str]) -> None:
    assert absent.call_instead(name, known) == instead


def test_the_calls_named_instead_are_calls() -> None:
    assert all(system_calls.plain_name(f"sys_{call}") == call for call in absent._CALLS_INSTEAD.values())


class TestUntraceable:
    def test_a_function_in_the_blacklist(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        listed = tmp_path / "blacklist"
        listed.write_text("0xffffffff81000110-0xffffffff81000200\tvfs_read\n")
        monkeypatch.setattr(absent, "_BLACKLIST", listed)
        assert "its own probing may run through vfs_read" in absent.why_untraceable("vfs_read")

    def test_a_function_that_ftrace_leaves_alone(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "available_filter_functions").write_text("vfs_read\nvfs_write [vfs]\n")
        monkeypatch.setattr(absent, "_BLACKLIST", tmp_path / "none")
        monkeypatch.setattr(tracefs, "PLACES", (tmp_path / "none", tmp_path))
        assert absent.why_untraceable("kernel_clone").startswith("kernel_clone is marked notrace")
        assert absent.why_untraceable("vfs_read") == absent.why_untraceable("vfs_write") == ""
