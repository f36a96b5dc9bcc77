"""The cache: whole entries or none, and only the ones used last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebpf_lab.backends import cache
from ebpf_lab.errors import MissingFeature


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.root.cache_clear()
    yield tmp_path / "ebpf-lab"
    cache.root.cache_clear()


def test_what_is_stored_is_found_again(directory: Path) -> None:
    name = cache.digest("a", b"b")
    assert cache.load("objects", name) is None
    cache.store("objects", name, b"content")
    assert cache.load("objects", name) == b"content"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in (directory / "objects").iterdir()] == [name]


def test_parts_of_a_name_are_told_apart() -> None:
    assert cache.digest("ab", "c") != cache.digest("a", "bc") != cache.digest("abc")


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 32 + b"other content"])
def test_a_damaged_object_is_not_there(directory: Path, damage: bytes) -> None:
    cache.store("objects", "name", b"content")
    (directory / "objects" / "name").write_bytes(damage)
    assert cache.load("objects", "name") is None


def test_an_entry_is_made_once(directory: Path) -> None:
    made: list[Path] = []

    def make(place: Path) -> None:
        made.append(place)
        (place / "file").write_text("content")

    first = cache.entry("pch", "name", make)
    assert cache.entry("pch", "name", make) == first
    assert (first / "file").read_text() == "content"
    assert len(made) == 1
    assert [each.name for each in (directory / "pch").iterdir()] == ["name"]


def test_an_entry_that_another_process_made_meanwhile_will_do() -> None:
    def make(place: Path) -> None:
        other = place.parent / "name"
        other.mkdir()
        (other / "file").write_text("theirs")

    assert (cache.entry("pch", "name", make) / "file").read_text() == "theirs"


def test_a_failed_entry_leaves_nothing(directory: Path) -> None:
    def make(place: Path) -> None:
        (place / "half").write_text("content")
        raise OSError(28, "No space left on device")

    with pytest.raises(MissingFeature) as caught:
        cache.entry("pch", "name", make)
    assert "No space left" in caught.value.why
    assert list((directory / "pch").iterdir()) == []


def test_the_oldest_entries_go() -> None:
    for number in range(6):
        place = cache.entry("pch", f"{number}", lambda place: (place / "file").touch())
        os.utime(place, (number, number))
    cache.entry("pch", "last", lambda place: (place / "file").touch())
    assert sorted(each.name for each in place.parent.iterdir()) == ["3", "4", "5", "last"]


def test_without_a_place_to_write_a_temporary_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    cache.root.cache_clear()
    cache.store("objects", "name", b"content")
    assert cache.load("objects", "name") == b"content"
    assert not cache.root().is_relative_to("/proc")


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_place_that_others_may_write_is_not_used(directory: Path, mode: int) -> None:
    """They could put objects there, for the kernel to run with this user's rights."""
    directory.mkdir()
    directory.chmod(mode)
    assert cache.root() != directory
    cache.store("objects", "name", b"content")
    assert list(directory.iterdir()) == []


def test_a_place_of_somebody_else_is_not_used(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.mkdir(mode=0o755)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert cache.root() != directory
