"""The execve tracer: results and arguments of each attempt, and which of them were in a container."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from support.backends import each_backend

import ebpf_lab
from ebpf_lab.source import snippets

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "btf")

EXECS = 23


def traced(backend: str, *command: str, **options: object) -> pd.DataFrame:
    snippet = snippets.load(f"exec_snoop.{backend}")
    trace = ebpf_lab.trace(snippet.text, command=command, set=options, only=True)
    assert sum(trace.maps["failures"]["value"]) == 0
    return trace.frame


@each_backend
def test_attempts_that_failed_are_there(backend: str) -> None:
    script = f"for i in $(seq {EXECS}); do /bin/true; done; /no/such; true"
    frame = traced(backend, "sh", "-c", script)
    assert (frame["args"] == "/bin/true").sum() == EXECS
    assert frame["args"][0] == f"sh -c '{script}'"
    (failed,) = frame[(frame["ret_errno"] == "ENOENT") & (frame["file"] == "/no/such")].to_dict("records")
    shell = frame["pid"][0]
    assert (failed["ret"], failed["args"], failed["ppid"]) == (-2, "/no/such", shell)
    assert set(frame["ppid"][1:]) <= set(frame["pid"])


@each_backend
def test_a_pid_namespace_is_a_container(backend: str) -> None:
    script = "/bin/true; unshare --pid --fork sh -c '/bin/true; /no/such; true'"
    frame = traced(backend, "sh", "-c", script)
    runs = frame[frame["file"] == "/bin/true"]
    assert runs["ns_level"].diff().tolist()[1:] == [1]
    outside, inside = runs.to_dict("records")
    # The namespace's first process is the shell; these come after it.
    assert inside["ns_pid"] in (2, 3)
    assert inside["pid"] != inside["ns_pid"]
    if outside["ns_level"] == 0:
        assert outside["pid"] == outside["ns_pid"]

    filtered = traced(backend, "sh", "-c", script, containers_only=1)
    assert (filtered["ns_level"] > 0).all()
    if outside["ns_level"] == 0:
        assert (filtered["file"] == "/bin/true").sum() == 1
    assert (filtered["file"] == "/no/such").sum() == 1


@each_backend
def test_a_control_group_by_its_name(backend: str) -> None:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    groups = next(Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2")
    group = groups / "ebpf-lab-test-container"
    group.mkdir()
    try:
        number = group.stat().st_ino
        frame = traced(backend, "sh", "-c", f"echo $$ > {group}/cgroup.procs; exec /bin/true")
    finally:
        group.rmdir()
    (run,) = frame[frame["file"] == "/bin/true"].to_dict("records")
    assert (run["cgroup"], run["cgroup_id"]) == (group.name, number)
    assert frame["cgroup"][0] != group.name


@each_backend
def test_long_arguments_are_marked_as_cut(backend: str) -> None:
    script = """
import os, sys
for file in ("/bin/true", "/no/such"):
    for arguments in (["x" * 5000], ["y" * 4089], ["z" * 4090], ["a"] * 63, ["a"] * 64):
        if not os.fork():
            try: os.execv(file, ["true", *arguments])
            except OSError: os._exit(0)
        os.wait()
"""
    frame = traced(backend, sys.executable, "-c", script)
    for file, most in (("/bin/true", 64), ("/no/such", 63)):
        texts = frame[frame["file"] == file]["args"].tolist()
        assert texts[0] == f"true {'x' * 4091}…"
        assert texts[1] == f"true {'y' * 4089}"
        assert texts[2] == f"true {'z' * 4090}"
        assert texts[3] == f"true {' '.join('a' * 63)}"
        assert texts[4] == f"true {' '.join('a' * most)}" + ("…" if most == 63 else "")


@each_backend
def test_a_thread_takes_over_its_process(backend: str) -> None:
    script = """
import os, threading
threading.Thread(target=os.execv, args=("/bin/true", ["true", "in a thread"])).start()
threading.Event().wait()
"""
    frame = traced(backend, sys.executable, "-c", script)
    (run,) = frame[frame["file"] == "/bin/true"].to_dict("records")
    assert (run["ret"], run["args"], run["pid"]) == (0, "true 'in a thread'", frame["pid"][0])


@each_backend
def test_a_script_is_run_by_its_interpreter(backend: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n:\n")
    script.chmod(0o755)
    frame = traced(backend, str(script), "one two")
    (run,) = frame.to_dict("records")
    assert (run["file"], run["args"]) == (str(script), f"/bin/sh {script} 'one two'")
