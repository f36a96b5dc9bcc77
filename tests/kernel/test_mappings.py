"""Names for the stacks of processes that have ended, from mappings noted while they ran."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.backends import LIBBPF

import ebpf_lab
from ebpf_lab.host.elf import open_elf
from ebpf_lab.host.maps import Mapping
from ebpf_lab.host.symbols import user_symbols
from ebpf_lab.readers import mappings
from ebpf_lab.readers.mappings import MappingRecorder

pytestmark = pytest.mark.needs("perfbuf")

N = 23


def ran(program: Path) -> int:
    """Run the program to its end and return what its process id was."""
    process = subprocess.Popen([str(program), "1"], stdout=subprocess.DEVNULL)
    process.wait()
    return process.pid


def place(noted: tuple[Mapping, ...], program: Path, function: str) -> int:
    """Where a function of a program was in a process."""
    elf = open_elf(str(program))
    offset = elf.file_offset(elf.functions(function)[0].address)
    assert offset is not None
    (mapping,) = (each for each in noted if each.path == str(program))
    assert mapping.offset <= offset < mapping.offset + mapping.end - mapping.start
    return mapping.start + offset - mapping.offset


def test_a_process_that_has_ended(say: Path) -> None:
    with MappingRecorder() as recorder:
        pid = ran(say)
        noted = recorder.known()[pid]
        assert recorder.lost == 0
    address = place(noted, say, "double_it")
    assert user_symbols(pid, [address, address + 1], noted) == ["double_it [say]", "double_it+0x1 [say]"]
    assert user_symbols(pid, [address]) == [f"{address:#x}"]
    assert any(Path(each.path).name.startswith("libc.so") for each in noted)


def test_a_process_that_was_there_before() -> None:
    with MappingRecorder() as recorder:
        assert {each.path for each in recorder.known()[os.getpid()]} >= {"[vdso]"}


def test_a_child_has_the_mappings_of_its_parent_and_its_own() -> None:
    script = f"(for i in $(seq {N}); do (sh -c 'echo $PPID'); done)"
    with MappingRecorder() as recorder:
        # bash does not put the last command of a subshell in its place, as it waits for another's end.
        output = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
        noted = recorder.known()
    parents = {int(word) for word in output.split()}
    bash = os.path.realpath("/bin/bash")
    assert len(output.split()) == N
    assert all(bash in {each.path for each in noted[pid]} for pid in parents)


def test_draining_keeps_the_order(say: Path) -> None:
    """A record of one CPU may be seen before an earlier one of another, on which it depends."""
    with MappingRecorder() as recorder:
        pids = []
        for _ in range(N):
            pids.append(ran(say))
            recorder.drain()
        noted = recorder.known()
    assert all(user_symbols(pid, [place(noted[pid], say, "main")], noted[pid]) for pid in pids)


def test_a_file_that_was_replaced_names_nothing(say: Path, seek: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    shutil.copy(say, program)
    with MappingRecorder() as recorder:
        pid = ran(program)
        noted = recorder.known()[pid]
    address = place(noted, program, "double_it")
    (mapping,) = (each for each in noted if each.path == str(program))
    assert mapping.build_id == open_elf(str(say)).build_id != b""
    program.unlink()
    shutil.copy(seek, program)
    assert user_symbols(pid, [address], noted)[0].startswith("[program+0x")


def test_reports_that_found_no_room_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "_PAGES", 1)
    with MappingRecorder() as recorder:
        subprocess.run(["bash", "-c", "for i in $(seq 199); do (:); done"], check=True)
        recorder.drain()
        assert recorder.lost > 0


def test_processes_long_ended_are_forgotten(monkeypatch: pytest.MonkeyPatch, say: Path) -> None:
    monkeypatch.setattr(mappings, "_MOST_ENDED", 2)
    with MappingRecorder() as recorder:
        first = ran(say)
        assert first in recorder.known()
        for _ in range(3):
            last = ran(say)
        noted = recorder.known()
    assert first not in noted
    assert last in noted
    assert os.getpid() in noted


USER_STACK = """
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct call { u32 pid; s32 user_stack_id; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } events SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 1024);
    __type(key, u32);
    __uint(value_size, 127 * 8);
} stacks SEC(".maps");
SEC("uprobe")
int called(void *ctx)
{
    struct call *call = bpf_ringbuf_reserve(&events, sizeof(*call), 0);
    if (!call)
        return 0;
    call->pid = bpf_get_current_pid_tgid() >> 32;
    call->user_stack_id = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
    bpf_ringbuf_submit(call, 0);
    return 0;
}
"""


@pytest.mark.needs("uprobe", "ringbuf", *LIBBPF.args)
def test_a_trace_names_the_stacks_of_a_command_that_has_ended(say: Path) -> None:
    command = [str(say), str(N)]
    place = {"called": f"uprobe:{say}:double_it"}
    trace = ebpf_lab.trace(USER_STACK, attach=place, command=command, only=True, output=lambda _: None)
    frame = trace.frame
    assert len(frame) == N
    assert set(frame["user_stack"].str.rpartition(";")[2]) == {"double_it [say]"}
