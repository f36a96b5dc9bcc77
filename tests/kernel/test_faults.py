"""What goes wrong around a trace: it ends in one error of ours, or goes on, and leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import kernel_objects
from support.backends import LIBBPF, each_backend
from support.machine import ROOT
from support.texts import GOOD, LIBBPF_HEAD, seek_stream

import ebpf_lab
from ebpf_lab.errors import UsageProblem

FEW_FILES = """
import json, os, resource, sys
import ebpf_lab
text = json.loads(sys.stdin.read())
ebpf_lab.trace(text, command=["true"])  # modules and what was compiled stay
def held():
    with os.scandir("/proc/self/fd") as found:
        paths = {each.name: os.readlink(each.path) for each in found}
    return {name: path for name, path in paths.items() if not path.endswith("/fd")}
before = held()
came = []
for more in range(24):
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + more, 4096))
    try:
        ebpf_lab.trace(text, command=["true"])
        came.append("")
    except ebpf_lab.LabError as error:
        came.append(error.why or error.what)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    assert held() == before, (more, came, held(), before)
print(json.dumps(came))
"""


@each_backend
def test_with_few_files_to_open(backend: str) -> None:
    """From none at all up to enough."""
    done = subprocess.run(
        [sys.executable, "-c", FEW_FILES],
        cwd=ROOT,
        input=json.dumps(seek_stream(backend, "perfbuf")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout)
    assert came[-1] == ""
    failures = came[: came.index("")]
    assert len(failures) > 5
    assert [each for each in failures if "oo many " not in each] == []


@LIBBPF
@pytest.mark.parametrize("size", ["1 << 30", "1u << 31"])
def test_a_map_that_memory_cannot_hold(size: str) -> None:
    text = (
        LIBBPF_HEAD
        + f"""
struct {{
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, {size});
    __type(key, u64);
    __type(value, u64[64]);
}} big SEC(".maps");
"""
        + GOOD.removeprefix(LIBBPF_HEAD)
    )
    before = kernel_objects.Snapshot()
    with pytest.raises(UsageProblem, match="map big: the kernel refused to create it"):
        ebpf_lab.trace(text, seconds=60)
    assert kernel_objects.leaks(before) == []


FULL_DISK = """
import os, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", sys.argv[1]], check=True)
import ebpf_lab
from ebpf_lab.backends import cache
text = sys.stdin.read()
with open(sys.argv[1] + "/fill", "wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 4096)
    except OSError:
        pass
for arguments, place in (({"record": sys.argv[1] + "/trace.zip"}, ""), ({}, sys.argv[1])):
    os.environ["XDG_CACHE_HOME"] = place or os.environ.get("XDG_CACHE_HOME", "")
    cache.root.cache_clear()
    try:
        ebpf_lab.trace(text, command=["true"], **arguments)
        print("no error")
    except ebpf_lab.LabError as error:
        print(type(error).__name__, error.why)
"""


@LIBBPF
def test_a_full_disk(tmp_path: Path) -> None:
    """Of the recording, and of what was compiled."""
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", FULL_DISK, tmp_path],
        cwd=ROOT,
        input=GOOD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    recorded, compiled = done.stdout.splitlines()
    assert recorded == "UsageProblem No space left on device"
    assert compiled.startswith("MissingFeature [Errno 28] No space left on device")


NO_TRACEFS = """
import subprocess, sys
import ebpf_lab
with ebpf_lab.trace(sys.stdin.read()) as trace:
    subprocess.run([sys.argv[1], "11"], check=True)
    subprocess.run(["umount", "-l", "/sys/kernel/tracing"], check=True)
    subprocess.run([sys.argv[1], "12"], check=True)
print(len(trace.frame))
"""


@LIBBPF
def test_tracefs_that_is_unmounted_meanwhile(seek: Path) -> None:
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", NO_TRACEFS, seek],
        cwd=ROOT,
        input=GOOD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "23\n"), done.stderr


@pytest.mark.needs("uprobe", "ringbuf", "libbpf", "clang", "btf")
def test_a_program_that_is_replaced_while_it_is_traced(say: Path, seek: Path, tmp_path: Path) -> None:
    """The probe is in the file that was there, whatever has its name afterwards."""
    program, other = tmp_path / "program", tmp_path / "other"
    shutil.copy(say, program)
    shutil.copy(say, other)
    text = (
        LIBBPF_HEAD
        + f"""
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); }} events SEC(".maps");
struct event {{ u32 pid; }};
SEC("uprobe/{program}:main")
int begins(void *ctx)
{{
    struct event event = {{ bpf_get_current_pid_tgid() >> 32 }};
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}}
"""
    )
    with ebpf_lab.trace(text) as trace:
        first = _started(program, 3)
        os.replace(other, program)
        _started(program, 5)
        program.unlink()
    assert trace.frame["pid"].tolist() == first
    assert "0 lost" in trace.header


def _started(program: Path, times: int) -> list[int]:
    """Run a program so often, and give its processes' numbers."""
    pids = []
    for _ in range(times):
        with subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            pids.append(process.pid)
    return pids
