"""The rejected programs' logs: ``scripts/record_rejections.py`` recorded all of them, on four kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpf_lab.source import snippets
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.rejection import ACCEPTED
from ebpf_lab.source.spec import Dialect

RECORDED = Path(__file__).parent.parent / "data" / "verifier"
LACKING = {"6.1": set(), "6.12": set(), "6.18": {"fentry", "lsm"}, "7.2": set()}
"""What the kernels lack, and so is not recorded."""

PROGRAMS = [snippets.load(name) for name in snippets.names("rejected")]


@pytest.mark.parametrize("kernel", LACKING)
def test_what_a_kernel_rejects_is_recorded(kernel: str) -> None:
    expected = {
        Path(each.name).name
        for each in PROGRAMS
        if each.rejection
        and ACCEPTED not in each.rejection.on(kernel)
        and not LACKING[kernel] & {*each.needs}
    }
    assert len(expected) > 40
    recorded = {path.name.removesuffix(".lines") for path in (RECORDED / kernel).glob("*.lines")}
    assert recorded == expected


def test_there_is_a_gallery() -> None:
    dialects = [analyse(each.text, attach=each.attach).dialect for each in PROGRAMS]
    assert dialects.count(Dialect.LIBBPF) >= 40
    assert dialects.count(Dialect.BCC) >= 4
