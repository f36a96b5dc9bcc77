"""The provisioning of ``lima/`` in a whole Debian: two boots, each with probes, examples and lessons."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest
from support.machine import ROOT

TIME_LIMIT = 3600
"""Seconds for a boot, of which the first installs all packages on an emulated processor (845 s were seen)."""

SHOWN = re.compile(r"(.+), (\S+): 23 of 23 as user 1000 ")
LESSON = re.compile(r"(\d\d_\w+\.ipynb): \d+ cells ")

KINDS = {"kprobe", "tracepoint", "uprobe", "ring buffer", "perf buffer"}


def test_machine_is_provisioned_and_works_after_a_restart(capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "ebpf_lab.vm", "--image", "debian13"]
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
                    print(f"\ndebian13 | {lines[-1]}", end="", flush=True)
        except BaseException:
            # The machine goes with it.
            process.kill()
            raise
    assert process.returncode == 0, "\n".join(lines[-60:])
    # In each of the two boots, as the user.
    shown = Counter(match.groups() for line in lines if (match := SHOWN.match(line)))
    assert {kind for kind, _ in shown} == KINDS
    assert set(shown.values()) == {2}, shown
    lessons = Counter(match[1] for line in lines if (match := LESSON.match(line)))
    assert lessons == dict.fromkeys(
        (path.name for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")), 2
    )
