"""Each snippet does what its header says: one case a file, read from the file."""

from __future__ import annotations

import pytest
from support.shown import shown

from ebpf_lab.source import snippets
from ebpf_lab.source.snippets import Snippet


def cases(folder: str = "") -> list[object]:
    """A test case for each snippet, which needs what its header says."""
    read = [snippets.load(name) for name in snippets.names(folder)]
    return [pytest.param(each, id=each.name, marks=pytest.mark.needs(*each.needs)) for each in read]


@pytest.mark.parametrize("snippet", cases())
def test_snippet(snippet: Snippet) -> None:
    trace = shown(snippet.name)
    assert trace.status == 0
    assert not trace.lost
    columns = [column.name for column in snippet.emits]
    assert [name for name in trace.frame.columns if name in columns] == columns
    rows = trace.frame.to_dict("records")
    assert [failure for each in snippet.expect if (failure := each.failure(rows))] == []
