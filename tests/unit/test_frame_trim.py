"""Memory is given back where the C library can, and nothing happens where it cannot."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

from ebpf_lab.frame import trim


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    trim._malloc_trim.cache_clear()
    yield
    trim._malloc_trim.cache_clear()


def test_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []

    class Library:
        def __init__(self, name: None) -> None:
            self.malloc_trim = kept.append

    monkeypatch.setattr(ctypes, "CDLL", Library)
    trim.trim()
    assert kept == [0]


def test_another_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    trim.trim()
