"""Kernel functions that cannot be probed, and why: word for word, on kernels with kprobes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.backends import LIBBPF
from support.texts import LIBBPF_HEAD

import ebpf_lab
from ebpf_lab.host import kallsyms, tracefs

pytestmark = [LIBBPF, pytest.mark.needs("kprobe")]


def block_of(section: str) -> str:
    text = f'{LIBBPF_HEAD}\nSEC("{section}")\nint nothing(void *ctx)\n{{\n    return 0;\n}}\n'
    with pytest.raises(ebpf_lab.LabError) as caught:
        ebpf_lab.trace(text, seconds=0.1)
    error, name = caught.value, section.partition("/")[2]
    assert all(mark.text[mark.column - 1 :][: mark.length] == name for mark in error.where)
    error.where = ()
    return error.block()


def test_misspelt_function() -> None:
    block = block_of("kprobe/vfs_unlinkk")
    assert block.startswith(
        "AttachError: this kernel has no function vfs_unlinkk\n  fix   did you mean vfs_unlink"
    )


def test_function_of_which_the_compiler_made_another() -> None:
    known = kallsyms.names()
    made = re.findall(rb" t ([a-z]\w+)\.(?:isra|constprop)\.0\n", kallsyms.read())
    name = next(
        name for name in map(bytes.decode, made) if not known.count(name) and len(known.variants(name)) == 1
    )
    (variant,) = known.variants(name)
    assert block_of(f"kprobe/{name}") == (
        f"AttachError: this kernel has no function {name}\n"
        f"  why   the compiler made {variant} of it, which may take other arguments\n"
        f"  fix   kprobe:{variant}"
    )


def test_function_by_its_name_in_older_kernels() -> None:
    assert block_of("kprobe/_do_fork") == (
        "AttachError: this kernel has no function _do_fork\n"
        "  why   other kernel versions have it by that name\n"
        "  fix   kprobe:kernel_clone"
    )


def test_function_that_probing_itself_runs_through() -> None:
    listed = Path("/sys/kernel/debug/kprobes/blacklist").read_text().split()
    name = next(name for name in ("kprobe_dispatcher", "get_kprobe", "notify_die") if name in listed)
    assert block_of(f"kprobe/{name}") == (
        f"AttachError: cannot attach nothing to kprobe:{name} (EINVAL)\n"
        f"  why   its own probing may run through {name}, which is in /sys/kernel/debug/kprobes/blacklist\n"
        "  fix   probe a function that calls it"
    )


def test_function_that_is_marked_notrace() -> None:
    traced = set((tracefs.root() / "available_filter_functions").read_text().split())
    listed = Path("/sys/kernel/debug/kprobes/blacklist").read_text().split()
    names = ("ftrace_ops_list_func", "sched_clock", "trace_clock_local", "ring_buffer_lock_reserve")
    name = next(
        name for name in names if kallsyms.names().count(name) and name not in traced and name not in listed
    )
    assert block_of(f"kprobe/{name}") == (
        f"AttachError: cannot attach nothing to kprobe:{name} (EINVAL)\n"
        f"  why   {name} is marked notrace, and is not in {tracefs.root()}/available_filter_functions\n"
        "  fix   probe a function that calls it"
    )


@pytest.mark.needs("fentry")
def test_function_that_btf_does_not_describe() -> None:
    # It is written in assembler.
    assert block_of(
        "fentry/ret_from_fork_asm"
        if kallsyms.names().count("ret_from_fork_asm")
        else "fentry/entry_SYSCALL_64"
    ).endswith("needs no BTF")
