"""Reads once what Tab asks the kernel and the reference for."""

from __future__ import annotations

from ebpf_lab.host import kernel_names
from ebpf_lab.notebook import reference
from ebpf_lab.notebook.completion import places
from ebpf_lab.notebook.completion.cell import Cell
from ebpf_lab.notebook.completion.code import complete

_SAMPLE = 'SEC("xdp") int f(struct xdp_md *ctx) { struct task_struct *task; task->'


def warm() -> None:
    """Read it; what this machine does not have is missed where it is asked for."""
    kernel_names.warm()
    reference.names()
    for kind in ("kprobe", "rawtracepoint", "ksyscall"):
        places.named(kind)
    places.libc()
    complete(Cell("", _SAMPLE, 0), len(_SAMPLE))
