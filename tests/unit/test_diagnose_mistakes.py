"""Logs of learners' mistakes, recorded with several compilers: each gets its cause and its fix."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from support.mistakes import LOGS, Mistake, mistakes, shown, taught

from ebpf_lab.diagnose.clang import compile_error
from ebpf_lab.diagnose.known import Known
from ebpf_lab.source.analyse import analyse

RECORDED = sorted(LOGS.glob("*/*.log"))
CASES = {case.name: case for case in mistakes()}


class Recorded(Known):
    """What the machine of the recordings knew, as far as the cases ask."""

    def __init__(self, mistake: Mistake) -> None:
        self._mistake = mistake
        self.kernel_types = "<linux/bpf.h>" not in mistake.cell

    def helpers(self) -> Collection[str]:
        return {
            *("bpf_get_current_pid_tgid", "bpf_get_current_cgroup_id", "bpf_get_current_uid_gid"),
            "bpf_get_current_comm",
        }

    def types(self) -> Collection[str]:
        tasks = {"struct task_struct"}
        if self._mistake.dialect == "bcc":
            return tasks | {"struct fs_struct", "struct taskstats"}
        records = {f"struct trace_event_{kind}" for kind in ("raw_sys_enter", "raw_sys_exit")}
        records |= {"struct trace_event_data_offsets_sys_enter"}
        return tasks | records | {"struct tasklet_struct", "struct tss_struct"}

    def members(self, type_name: str) -> Collection[str]:
        return {"real_parent", "parent", "tgid"} if type_name == "struct task_struct" else ()

    def header_of(self, type_name: str) -> str:
        return {"struct task_struct": "linux/sched.h"}.get(type_name, "")

    def is_kernel_function(self, name: str) -> bool:
        return name == "kfree"

    def macro(self, name: str) -> str:
        return {"O_CREAT": "00000100"}.get(name, "")


def test_there_are_recordings_of_two_compilers() -> None:
    assert {path.parent.name for path in RECORDED} == {"clang-14", "clang-19"}


@pytest.mark.parametrize("log", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_recorded_log(log: Path) -> None:
    mistake = CASES[log.stem]
    error = compile_error(
        log.read_text(),
        mistake.cell,
        files=("cell.c", "./cell.c"),
        dialect=mistake.dialect,
        reason=analyse(mistake.cell).dialect_reason,
        known=Recorded(mistake),
    )
    assert error.where
    block = shown(error.block())
    if "BPF stack limit" in error.what:
        # How large each variable is, compiling once more says; and the fix is in each dialect's own words.
        assert taught(block)[0] == taught(mistake.error)[0]
    elif log.parent.name != "clang-14":
        assert taught(block) == taught(mistake.error)
    else:
        assert block == mistake.error
