"""Each program that must be rejected is, with the words and at the line it says; repaired, it is accepted."""

from __future__ import annotations

import platform

import pytest

from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.errors import LabError
from ebpf_lab.source import snippets
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.snippets import Snippet


def cases() -> list[object]:
    """A test case for each program, which needs what its header says."""
    read = [snippets.load(name) for name in snippets.names("rejected")]
    return [
        pytest.param(each, id=each.name.removeprefix("rejected/"), marks=pytest.mark.needs(*each.needs))
        for each in read
    ]


def load(text: str, snippet: Snippet) -> LabError | None:
    """Compile and load, but attach nothing; what went wrong."""
    spec = analyse(text, dialect=snippet.backend, attach=snippet.attach)
    try:
        compiled = backend_for(spec.dialect)(spec, BuildOptions())
        try:
            compiled.load({}).close()
        finally:
            compiled.close()
    except LabError as error:
        return error
    return None


@pytest.mark.parametrize("snippet", cases())
def test_rejected(snippet: Snippet) -> None:
    assert snippet.rejection is not None
    assert snippet.rejection.failure(load(snippet.text, snippet), platform.release()) == ""
    refused = load(snippet.fixed, snippet)
    assert not refused, refused
