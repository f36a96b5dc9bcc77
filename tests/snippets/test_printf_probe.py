"""A printf's beginning and end are brought together by thread."""

from __future__ import annotations

import pytest
from support.backends import each_backend

import ebpf_lab
from ebpf_lab.source import snippets

_THREADS = """
import ctypes, threading
printf = ctypes.CDLL(None).printf
def work(letter):
    for length in range(1, 24): printf(letter * length)
threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"a", b"b", b"c", b"d", b"e")]
[each.start() for each in threads]
[each.join() for each in threads]
printf(b"x" * 255), printf(b"y" * 256)
"""


@each_backend
@pytest.mark.needs("uprobe", "ringbuf")
def test_threads_are_kept_apart(backend: str) -> None:
    snippet = snippets.load(f"printf_probe.{backend}")
    frame = ebpf_lab.trace(
        snippet.text, attach=snippet.attach, command=["python3", "-c", _THREADS], only=True
    ).frame
    *whole, last = frame.to_dict("records")
    assert len(whole) == 5 * 23 + 1
    assert [row for row in whole if len(row["format"]) != row["length"] or row["cut"]] == []
    assert (last["format"], last["length"], last["cut"]) == ("y" * 255, 256, True)
