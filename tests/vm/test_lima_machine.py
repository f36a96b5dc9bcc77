"""The provisioning of ``lima/`` in a whole Debian: two boots, each with probes, examples, lessons."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections import Counter

import pytest
from support.machine import ROOT

from ebpf_lab.vm.arch import ARCHITECTURES

TIME_LIMIT = 7200
"""Seconds for a boot, of which the first installs all packages on an emulated processor (845 s were seen)."""

SHOWN = re.compile(r"(.+), (\S+): 23 of 23 as user 1000 ")
LESSON = re.compile(r"(\d\d_\w+\.ipynb): \d+ cells ")

KINDS = {"kprobe", "tracepoint", "uprobe", "ring buffer", "perf buffer"}


@pytest.mark.parametrize("arch", [each.machine for each in ARCHITECTURES])
def test_machine_is_provisioned_and_works_after_a_restart(
    arch: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "ebpf_lab.vm", "--image", "debian13", "--arch", arch]
    lines = []
    with subprocess.Popen(
        [*command, "--timeout", str(TIME_LIMIT)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                # It takes long: what it is at shows at once, whatever pytest captures.
                with capsys.disabled():
                    print(f"\n{arch} | {lines[-1]}", end="", flush=True)
        except BaseException:
            # The machine goes with it.
            process.kill()
            raise
    assert process.returncode == 0, "\n".join(lines[-60:])
    kernels = [match[1] for line in lines if (match := re.match(r"Linux \S+ (\w+), Python ", line))]
    assert kernels == [arch, arch]
    # In each of the two boots, as the user.
    shown = Counter(match.groups() for line in lines if (match := SHOWN.match(line)))
    assert {kind for kind, _ in shown} == KINDS
    assert set(shown.values()) == {2}, shown
    lessons = Counter(match[1] for line in lines if (match := LESSON.match(line)))
    course = [path.name for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    own = arch == platform.machine()
    assert lessons == Counter([*(course if own else course[:1]), course[0]])
