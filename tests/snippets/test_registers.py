"""Every register has a column, and those that hold the arguments are the ones that the convention names."""

from __future__ import annotations

import platform

import pytest
from support.backends import each_backend

import ebpf_lab
from ebpf_lab.source import snippets

REGISTERS = {"x86_64": 21, "aarch64": 34}[platform.machine()]


@each_backend
@pytest.mark.needs("uprobe", "ringbuf")
def test_arguments_by_the_convention(backend: str) -> None:
    snippet = snippets.load(f"pt_regs_view.{backend}")
    frame = ebpf_lab.trace(
        snippet.text, attach=snippet.attach, command=["sh", "-c", snippet.workload], only=True
    ).frame
    assert sum(name.startswith("regs.") for name in frame.columns) == REGISTERS
    (convention,) = set(frame["convention"])
    names = convention.partition("arguments in ")[2].partition(",")[0].split()
    values = [[int(each) for each in frame[f"regs.{name}"]] for name in names[1:6]]
    assert values == [[number] * 23 for number in (11, 13, 17, 19, 23)]
    assert [int(each) for each in frame[f"regs.{names[0]}"]] == [int(each) for each in frame["arg1"]]
