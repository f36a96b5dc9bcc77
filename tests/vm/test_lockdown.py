"""A kernel that is locked down, as under Secure Boot: nothing unlocks it again but another boot."""

from __future__ import annotations

import io
import json
import re
import sys

from support.machine import ROOT

from ebpf_lab.vm import Machine

TRY = """
import json
import sys
from pathlib import Path
import ebpf_lab
texts = {
    "plain": 'SEC("raw_tp/sched_switch") int p(void *ctx) { return 0; }',
    "reads": '''SEC("raw_tp/sched_switch") int p(u64 *ctx)
                {
                    struct task_struct *next = (struct task_struct *)ctx[2];
                    return BPF_CORE_READ(next, pid) == 1;
                }''',
    "tracepoint": 'SEC("tracepoint/sched/sched_switch") int p(void *ctx) { return 0; }',
    "kprobe": 'SEC("kprobe/vfs_read") int p(void *ctx) { return 0; }',
}
for state in ("integrity", "confidentiality"):
    Path("/sys/kernel/security/lockdown").write_text(state)
    said = {}
    for name, text in texts.items():
        try:
            ebpf_lab.trace(text, seconds=0.01)
            said[name] = "worked"
        except ebpf_lab.LabError as error:
            said[name] = error.block()
    print(json.dumps(said))
"""

WHY = "the kernel is locked down (confidentiality), as it may be under Secure Boot"
FIX = "use a virtual machine (./lab vm), or turn off Secure Boot"


def test_kernel_that_is_locked_down() -> None:
    out, err = io.BytesIO(), io.BytesIO()
    status = Machine(kernel="6.12").run(
        [sys.executable, "-c", TRY],
        stdout=out,
        stderr=err,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert status == 0, err.getvalue().decode()
    free, locked = map(json.loads, out.getvalue().splitlines())
    assert free == dict.fromkeys(free, "worked")
    assert {name: re.sub(r"\n  \(\d+ log .*", "", block) for name, block in locked.items()} == {
        "plain": "worked",
        "reads": "MissingPrivilege: may not call bpf_probe_read_kernel: Operation not permitted\n"
        "  line 4:  return BPF_CORE_READ(next, pid) == 1;\n"
        "                  ^~~~~~~~~~~~~~~~~~~~~~~~\n"
        f"  why   {WHY}: no program may read the kernel's memory\n"
        f"  fix   {FIX}",
        "tracepoint": "worked",
        "kprobe": "MissingPrivilege: may not attach p to kprobe:vfs_read: Operation not permitted\n"
        '  line 1:  SEC("kprobe/vfs_read") int p(void *ctx) { return 0; }\n'
        "                       ^~~~~~~~\n"
        f"  why   {WHY}\n"
        f"  fix   {FIX}",
    }
