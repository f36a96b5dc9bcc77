"""``ebpf-lab strace`` as a process: what it prints and when, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import kernel_objects, strace, targets

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "btf", "clang", "libbpf")

VERB = [sys.executable, "-c", "import sys; from ebpf_lab.cli import main; sys.exit(main())", "strace"]
LINE = re.compile(r"\[pid (\d+)\] (.*)")
PATIENCE = 120.0


def run(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Run the verb to its end."""
    return subprocess.run(
        [*VERB, *words], capture_output=True, text=True, timeout=PATIENCE, check=False, **more
    )  # type: ignore[call-overload,no-any-return]


def start(*words: str) -> subprocess.Popen[str]:
    """Start the verb, in a session of its own, as a terminal would."""
    return subprocess.Popen(
        [*VERB, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def calls(text: str) -> list[strace.Seen]:
    """The calls that the verb printed."""
    found = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        seen = strace.parse(int(match[1]), match[2])
        assert seen, line
        found.append(seen)
    return found


def test_ls_as_under_strace(tmp_path: Path) -> None:
    theirs = strace.strace(["ls", "/etc"], tmp_path / "log")
    done = run("-s", "127", "--", "ls", "/etc")
    ours = calls(done.stdout)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == f"ebpf-lab strace: {len(ours)} calls, 0 lost"
    assert "passwd" in done.stderr.splitlines()
    watched = ("openat", "newfstatat", "statx", "getdents64", "write")
    both = [[each for each in seen if each.name in watched] for seen in (theirs, ours)]
    assert {each.name for each in both[0]} >= {"openat", "getdents64", "write"}
    assert strace.by_thread(both[0]) == strace.by_thread(both[1])


@pytest.mark.parametrize(("script", "status"), [("exit 23", 23), ("kill -KILL $$", 128 + signal.SIGKILL)])
def test_the_command_s_status_is_passed_on(script: str, status: int) -> None:
    assert run("-e", "exit_group", "--", "sh", "-c", script).returncode == status


def test_calls_are_chosen_and_written_to_a_file(tmp_path: Path) -> None:
    done = run("-o", str(tmp_path / "calls"), "-e", "trace=%file,!", "--", "true")
    assert done.returncode == 2
    done = run("-o", str(tmp_path / "calls"), "-e", "open*,close", "--", "cat", "/etc/hostname")
    assert done.stdout == Path("/etc/hostname").read_text()
    seen = calls((tmp_path / "calls").read_text())
    assert {each.name for each in seen} == {"openat", "close"}
    assert sum('"/etc/hostname"' in each.arguments for each in seen) == 1


def test_lines_of_json() -> None:
    done = run("--json", "-e", "exit_group,openat", "--", "cat", "/etc/hostname")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    opened = [row for row in rows if row["path"] == "/etc/hostname"]
    assert [(row["nr_name"], row["ret"]) for row in opened] == [("openat", 3)]
    assert (rows[-1]["call"], rows[-1]["ret"]) == ("exit_group(0) = ?", None)


@pytest.mark.parametrize("words", [[], ["-e", "opn", "--", "true"], ["-s", "-1", "--", "true"]])
def test_wrong_usage(words: Sequence[str]) -> None:
    assert run(*words).returncode == 2


def test_calls_come_while_the_command_runs() -> None:
    verb = start("-e", "openat", "--", "sh", "-c", "cat /etc/hostname; read answer; exit $answer")
    assert verb.stdout is not None
    # The command waits for its input, which comes only when its first calls were seen.
    assert any("/etc/hostname" in line for line in verb.stdout)
    _, said = verb.communicate("29\n", timeout=PATIENCE)
    assert verb.returncode == 29
    assert "0 lost" in said


def test_interrupt_goes_to_the_command() -> None:
    verb = start("--", "sh", "-c", "trap 'exit 31' INT; echo ready >&2; while :; do sleep 1; done")
    assert verb.stdout is not None
    # Not before calls are printed: until then a signal ends the verb itself.
    assert any('"ready' in line for line in verb.stdout)
    verb.send_signal(signal.SIGINT)
    # Not by communicate(), which does not have what was read ahead here.
    *_, last = verb.stdout
    assert calls(last)[0].name == "exit_group"
    _, said = verb.communicate(timeout=PATIENCE)
    assert verb.returncode == 31
    assert "0 lost" in said


def test_a_closed_pipe_ends_it() -> None:
    verb = start("--", "sh", "-c", "echo $$ >&2; while :; do :; done")
    assert verb.stdout is not None
    assert verb.stderr is not None
    command = int(verb.stderr.readline())
    verb.stdout.readline()
    verb.stdout.close()
    assert verb.wait(PATIENCE) == 0
    verb.stderr.close()
    assert verb.stdin is not None
    verb.stdin.close()
    with pytest.raises(ProcessLookupError):
        os.kill(command, 0)


def test_killed_it_leaves_no_program() -> None:
    before = kernel_objects.Snapshot()
    verb = start("--", "sh", "-c", "echo $$ >&2; read nothing")
    assert verb.stderr is not None
    command = int(verb.stderr.readline())
    assert kernel_objects.leaks(before)
    verb.kill()
    verb.communicate(timeout=PATIENCE)  # which also ends the command's input, and so the command
    deadline = time.monotonic() + PATIENCE
    while kernel_objects.leaks(before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not kernel_objects.leaks(before)
    while Path(f"/proc/{command}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{command}").exists()


def test_a_thread_that_executes_goes_on_as_the_first() -> None:
    script = (
        "import os, threading; t = threading.Thread(target=os.execv, args=('/bin/true', ['true']));"
        "t.start(); t.join()"
    )
    seen = calls(run("--", "/usr/bin/python3", "-c", script).stdout)
    first, second = [at for at, each in enumerate(seen) if each.name == "execve"]
    assert seen[second].thread != seen[first].thread
    assert seen[second].result == "0"
    assert {each.thread for each in seen[second + 1 :]} == {seen[first].thread}


def test_every_call_of_a_threaded_program(tmp_path: Path) -> None:
    program = targets.build("threads", tmp_path)
    seen = calls(run("-e", "lseek,getppid,exit", "--", str(program), "7").stdout)
    per_thread = {each.thread: 0 for each in seen}
    for each in seen:
        per_thread[each.thread] += each.name == "lseek"
        if each.name == "lseek":
            assert "</dev/zero>" in each.arguments
    # exit() of the first thread is exit_group(), so only the seven others are here.
    assert sorted(per_thread.values()) == [23] * 7
