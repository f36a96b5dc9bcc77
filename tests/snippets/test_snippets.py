"""Each snippet does what its header says: one case a file, read from the file."""

from __future__ import annotations

import pytest

import ebpf_lab
from ebpf_lab.preparation import prepared
from ebpf_lab.source import snippets
from ebpf_lab.source.snippets import Snippet


def cases(folder: str = "") -> list[object]:
    """A test case for each snippet, which needs what its header says."""
    read = [snippets.load(name) for name in snippets.names(folder)]
    return [pytest.param(each, id=each.name, marks=pytest.mark.needs(*each.needs)) for each in read]


@pytest.mark.parametrize("snippet", cases())
def test_snippet(snippet: Snippet) -> None:
    with prepared(snippet):
        trace = ebpf_lab.trace(
            snippet.text,
            command=["sh", "-c", snippet.workload],
            attach=snippet.attach,
            backend=snippet.backend,
            only=not snippet.whole_system,
        )
        frame = {**trace.frames, **trace.maps}[snippet.source] if snippet.source else trace.frame
    assert trace.command_status == 0
    lost = {name: stats.dropped for name, stats in trace.stats.streams.items() if stats.dropped}
    assert not lost
    columns = [column.name for column in snippet.emits]
    assert [name for name in frame.columns if name in columns] == columns
    rows = frame.to_dict("records")
    assert [failure for each in snippet.expect if (failure := each.failure(rows))] == []
