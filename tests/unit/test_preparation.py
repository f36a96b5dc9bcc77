"""Setup and cleanup run around the body, and the cleanup runs whatever happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ebpf_lab.errors import CommandFailed
from ebpf_lab.preparation import prepared
from ebpf_lab.source.snippets import Snippet, parse

HEADER = """// SPDX-License-Identifier: GPL-2.0
// title: one
// teaches: one thing
// attach: tracepoint:task:task_rename
// needs: tracepoint
// workload: true
// emits: pid u32
// expect: rows == 1
// limits: none
"""


@pytest.fixture
def snippet(tmp_path: Path) -> Callable[[str, str], Snippet]:
    """Make a snippet whose commands add to a file what they are."""

    def make(setup: str = "", cleanup: str = "") -> Snippet:
        text = HEADER
        for key, commands in (("setup", setup), ("cleanup", cleanup)):
            text += f"// {key}: echo {key} >>{tmp_path}/log\n//     {commands or 'true'}\n"
        return parse(text, "it")

    return make


@pytest.fixture
def log(tmp_path: Path) -> Callable[[], list[str]]:
    return lambda: (tmp_path / "log").read_text().split()


def test_around_the_body(snippet: Callable[..., Snippet], log: Callable[[], list[str]]) -> None:
    with prepared(snippet()):
        assert log() == ["setup"]
    assert log() == ["setup", "cleanup"]


def test_the_cleanup_runs_when_the_body_fails_and_hides_no_error(
    snippet: Callable[..., Snippet], log: Callable[[], list[str]]
) -> None:
    with pytest.raises(KeyboardInterrupt), prepared(snippet(cleanup="false")):
        raise KeyboardInterrupt
    assert log() == ["setup", "cleanup"]


def test_a_setup_that_fails_is_cleaned_up_and_says_why(
    snippet: Callable[..., Snippet], log: Callable[[], list[str]]
) -> None:
    with pytest.raises(CommandFailed) as caught, prepared(snippet(setup="echo no room; false; echo on")):
        pytest.fail("the body must not run")
    assert caught.value.what == "the setup of it failed (status 1)"
    assert caught.value.why == "no room"
    assert log() == ["setup", "cleanup"]


def test_a_cleanup_that_fails_is_an_error(snippet: Callable[..., Snippet]) -> None:
    with pytest.raises(CommandFailed, match="the cleanup of it failed"), prepared(snippet(cleanup="false")):
        pass


def test_without_either_nothing_runs() -> None:
    with prepared(parse(HEADER, "it")):
        pass
