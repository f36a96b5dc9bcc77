"""Offsets in the running kernel's structs are those that its own description gives a compiler."""

from __future__ import annotations

import pytest
from support.backends import BCC, LIBBPF

import ebpf_lab
from ebpf_lab.errors import UsageProblem
from ebpf_lab.host.kernel_types import offset_of, size_of

MEMBERS = [
    ("task_struct", "pid"),
    ("task_struct", "se.vruntime"),
    ("task_struct", "thread_pid"),
    ("mm_struct", "arg_start"),  # within a struct without a name
    ("pid", "numbers"),
    ("sock", "__sk_common.skc_dport"),  # within unions without names
]

_READ = """
TRACEPOINT_PROBE(syscalls, sys_enter_lseek)
{
    u64 task = bpf_get_current_task(), name = task + BTF_OFFSET(task_struct, comm); // BTF_OFFSET(no, comment)
    char comm[16];
    bpf_probe_read_kernel_str(comm, sizeof(comm), (void *)name);
    bpf_trace_printk("%s BTF_SIZE(text) %d", comm, (int)BTF_SIZE(upid));
    return 0;
}
"""


@LIBBPF
def test_a_compiler_agrees() -> None:
    checks = "".join(
        f"_Static_assert(__builtin_offsetof(struct {struct}, {path}) == {offset_of(struct, path)}, {path!r});"
        for struct, path in MEMBERS
    ).replace("'", '"')
    text = f"""#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
{checks}
_Static_assert(sizeof(struct upid) == {size_of("upid")}, "size");
SEC("tracepoint/syscalls/sys_enter_lseek") int on_seek(void *ctx) {{ return 0; }}
"""
    ebpf_lab.trace(text, command=["true"])


@BCC
@pytest.mark.needs("tracepoint", "printk", "btf")
def test_bcc_reads_the_running_kernel() -> None:
    seek = "import os\nwith open('/etc/hostname') as file: [os.lseek(file.fileno(), 0, 0) for _ in range(23)]"
    frame = ebpf_lab.trace(_READ, command=["python3", "-c", seek], only=True).frame
    wanted = f"python3 BTF_SIZE(text) {size_of('upid')}"
    assert (frame["message"] == wanted).sum() >= 23


@BCC
@pytest.mark.needs("btf")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("BTF_OFFSET(task_struct, com)", "struct task_struct has no member com in this kernel"),
        ("BTF_OFFSET(tusk_struct, comm)", "this kernel has no struct tusk_struct"),
        ("BTF_SIZE(tusk_struct)", "this kernel has no struct tusk_struct"),
        ("BTF_OFFSET(task_struct, in_execve)", "in a bitfield"),
        ("BTF_OFFSET(task_struct, pid.nr)", "struct task_struct's pid has no member nr"),
    ],
)
def test_what_is_not_there_is_marked(call: str, words: str) -> None:
    text = _READ.replace("BTF_OFFSET(task_struct, comm)", call)
    with pytest.raises(UsageProblem, match=words) as caught:
        ebpf_lab.trace(text, command=["true"])
    (mark,) = caught.value.where
    assert mark.text[mark.column - 1 : mark.column - 1 + mark.length] == call
    assert mark.text == text.split("\n")[mark.line - 1]
