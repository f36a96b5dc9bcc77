"""The traced command: found first, started, ended, and its output passed on."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from ebpf_lab.command import Command
from ebpf_lab.errors import CommandFailed


def _run(*argv: str, stop_after: float | None = None) -> tuple[Command, bytes]:
    chunks: list[bytes] = []
    ended = threading.Event()
    command = Command(argv, chunks.append)
    command.start(ended.set)
    if stop_after is None:
        assert ended.wait(10)
    else:
        assert not ended.wait(stop_after)
    command.stop()
    return command, b"".join(chunks)


def test_output_and_status_come_back() -> None:
    command, output = _run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert output == b"out\nerr\n"
    assert command.status == 7


def test_a_large_output_is_whole() -> None:
    _, output = _run("sh", "-c", "seq 100000")
    assert output.count(b"\n") == 100_000


def test_a_command_that_does_not_exist_is_refused_before_anything_starts() -> None:
    with pytest.raises(CommandFailed, match="no-such-command: command not found"):
        Command(["no-such-command"])


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("not a program")
    with pytest.raises(CommandFailed, match="not a program"):
        Command([str(path)])


def test_stop_ends_a_command_and_its_children_at_once() -> None:
    began = time.monotonic()
    command, output = _run("sh", "-c", "sleep 1000 & echo $!; wait", stop_after=0.3)
    assert time.monotonic() - began < 60  # of the 1000 that its child would sleep
    assert command.status == -signal.SIGTERM
    _wait_until_gone(int(output))


def test_a_command_that_ignores_sigterm_is_killed() -> None:
    command, _ = _run("sh", "-c", "trap '' TERM; while :; do sleep 1000; done", stop_after=1)
    assert command.status == -signal.SIGKILL


def test_a_daemon_neither_holds_the_trace_nor_is_killed() -> None:
    began = time.monotonic()
    command, output = _run("sh", "-c", "sleep 1000 & echo $!")
    daemon = int(output)
    try:
        assert time.monotonic() - began < 5
        assert command.status == 0
        os.kill(daemon, 0)
    finally:
        os.kill(daemon, signal.SIGKILL)


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        # An orphan stays a zombie until whoever adopted it asks: that is as good as gone.
        with open(f"/proc/{pid}/stat") as file:
            if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} is still there")
