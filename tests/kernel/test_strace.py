"""The lab's strace against strace itself, on real commands: same calls, same order per thread, same results.

Each command runs twice, once under each, so what a command does differently from run to run differs here,
too.  That is bounded where it exists, call by call; everything else must be equal.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from support import strace, targets

import ebpf_lab
from ebpf_lab.source import snippets

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "btf", "clang", "libbpf")


@dataclass(frozen=True)
class Case:
    """A command.

    ``may_differ`` is a pattern of calls that depend on which thread or process is first, and ``most`` how
    many lines of such may differ.
    """

    name: str
    command: tuple[str, ...]
    may_differ: str = r"(?!)"
    most: int = 0


RACES = r"(futex|rt_sigprocmask|rt_sigreturn|wait4|rt_sigsuspend|sigaltstack) .*|\w+ = \? ERESTART\w+"

CASES = [
    Case("ls", ("ls", "/etc")),
    Case("python", ("/usr/bin/python3", "-I", "-c", "import json; print(json.dumps({'a': 1}))")),
    Case("gcc", ("gcc", "-c", "{work}/small.c", "-o", "{work}/small.o")),
    Case("find", ("find", "/usr/include/asm-generic", "-name", "*.h")),
    Case("pipeline", ("sh", "-c", "ls /etc | sort | wc -l"), RACES, 24),
    Case("threads", ("{work}/threads", "5"), RACES + "|mmap .*|munmap .*|mprotect .*|madvise .*", 60),
    Case("missing", ("cat", "/no/such/file")),
    Case("exec", ("env", "A=1", "sh", "-c", "exec true")),
    Case("forks", ("sh", "-c", "for i in 1 2 3 4 5 6 7; do /bin/true; done; (cd /; pwd)"), RACES, 24),
    Case("sleep", ("sleep", "0.1")),
    Case("trap", ("sh", "-c", "trap 'echo got' USR1; kill -USR1 $$; echo done")),
    Case("killed", ("timeout", "--foreground", "0.2", "sleep", "5"), RACES, 8),
]


def of_frame(frame: pd.DataFrame) -> list[strace.Seen]:
    """The frame's calls in the form that strace's are read into."""
    found = [strace.parse(tid, call) for tid, call in zip(frame["tid"], frame["call"], strict=True)]
    assert None not in found
    return [each for each in found if each is not None]


def make_anew(work: Path) -> None:
    """Make the directory that a command works in: the second run must find what the first one found."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (work / "small.c").write_text("int twice(int n) { return 2 * n; }\n")
    targets.build("threads", work)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_same_calls_as_strace(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = tmp_path / "work"
    command = [word.replace("{work}", str(work)) for word in case.command]
    make_anew(work)
    theirs = strace.by_thread(strace.strace(command, tmp_path / "log"))
    make_anew(work)
    trace = ebpf_lab.trace(
        snippets.load("syscall_trace.libbpf").text,
        command=command,
        output=lambda chunk: None,
        set={"data_size": 127},
    )
    ours = strace.by_thread(of_frame(trace.frame))
    assert sum(stream.dropped for stream in trace.stats.streams.values()) == 0
    assert trace.stats.failures is not None
    assert sum(trace.stats.failures.values()) == 0
    found = strace.differences(theirs, ours)
    free = [line for line in found if re.fullmatch(rf"[-+] \[[\d/]*\] ({case.may_differ})", line)]
    with capsys.disabled():
        total = sum(map(len, theirs.values()))
        print(f"\n{case.name}: {total} calls of {len(theirs)} threads, {len(found)} lines differ")
        print("".join(f"    {line}\n" for line in found), end="")
    assert total > 20
    assert [line for line in found if line not in free] == []
    assert len(free) <= case.most


def test_without_a_command_nobody_is_followed() -> None:
    with ebpf_lab.trace(snippets.load("syscall_trace.libbpf").text) as trace:
        subprocess.run(["true"], check=True)
    assert len(trace.frame) == 0
    assert "followed: this text follows a command, and none was given" in trace.results().notes


def test_calls_that_find_no_room_are_counted() -> None:
    text = snippets.load("syscall_trace.libbpf").text
    small = text.replace("32 * 1024 * 1024", "4096")
    assert small != text
    # A read and a write for each byte: far more than a page holds until the next drain.
    command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20011"]
    trace = ebpf_lab.trace(small, command=command, output=lambda chunk: None)
    dropped = trace.stats.streams["events"].dropped
    assert dropped > 0
    assert len(trace.frame) + dropped >= 2 * 20011
    assert f"{dropped:,} lost" in trace.header
