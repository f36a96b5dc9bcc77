"""The rejected programs' logs, as ``scripts/record_rejections.py`` recorded them on four kernels."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from ebpf_lab.diagnose.verifier import Place, is_complete, rejected
from ebpf_lab.source import snippets
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.rejection import ACCEPTED
from ebpf_lab.source.snippets import Snippet
from ebpf_lab.source.spec import Dialect

RECORDED = Path(__file__).parent.parent / "data" / "verifier"
LACKING = {"6.1": set(), "6.12": set(), "6.18": {"fentry", "lsm"}, "7.2": set()}
"""What the kernels lack, and so is not recorded."""

PROGRAMS = [snippets.load(name) for name in snippets.names("rejected")]
RECORDS = [
    pytest.param(kernel, each, id=f"{kernel}-{Path(each.name).name}")
    for kernel in LACKING
    for each in PROGRAMS
    if (RECORDED / kernel / f"{Path(each.name).name}.lines").exists()
]


def record(kernel: str, snippet: Snippet) -> tuple[str, list[Place]]:
    """The log of a program, and its line records."""
    stem = RECORDED / kernel / Path(snippet.name).name
    long = Path(f"{stem}.log.xz")
    log = lzma.decompress(long.read_bytes()).decode() if long.exists() else Path(f"{stem}.log").read_text()
    lines = snippet.text.splitlines()
    places = []
    for entry in Path(f"{stem}.lines").read_text().splitlines():
        instruction, line, column = map(int, entry.split())
        places.append(Place(instruction, line, column, lines[line - 1]))
    return log, places


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


@pytest.mark.parametrize(("kernel", "snippet"), RECORDS)
def test_recorded_rejection(kernel: str, snippet: Snippet) -> None:
    log, places = record(kernel, snippet)
    (program,) = analyse(snippet.text, attach=snippet.attach).programs
    error = rejected(
        log,
        function=program.function,
        text=snippet.text,
        files=("cell.c",),
        places=places,
        definition=program.line,
    )
    assert snippet.rejection is not None
    assert snippet.rejection.failure(error, kernel) == ""
    assert is_complete(log)


def test_there_is_a_gallery() -> None:
    dialects = [analyse(each.text, attach=each.attach).dialect for each in PROGRAMS]
    assert dialects.count(Dialect.LIBBPF) >= 40
    assert dialects.count(Dialect.BCC) >= 4
