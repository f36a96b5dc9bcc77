"""The lab under the other architecture (on a PC that of Apple's computers), in one boot."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from support.machine import ROOT

KERNEL = "6.12"

OTHER, WRAPPER = {"x86_64": ("aarch64", "__arm64_sys_"), "aarch64": ("x86_64", "__x64_sys_")}[
    platform.machine()
]

TIME_LIMIT, FULL_TIME_LIMIT = 1200, 6 * 3600
"""Seconds: programs compile about forty times slower in there."""

CHECKS = [
    # A kprobe on a system call, tracepoints, a probe in a library, and a ring buffer: 23 events each.
    *(
        f"tests/snippets/test_snippets.py::test_snippet[{name}.{dialect}]"
        for name in ("hello_clone", "open_monitor", "printf_probe", "exec_ring")
        for dialect in ("bcc", "libbpf")
    ),
    # The function behind a system call has that architecture's name.
    f"tests/kernel/test_probes.py::test_system_call_by_any_of_its_names[kprobe:{WRAPPER}lseek]",
]


def test_programs_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    full = request.config.getoption("full")
    report = tmp_path / "report.xml"
    machine = [sys.executable, "-m", "ebpf_lab.vm", "--arch", OTHER, "--kernel", KERNEL, "--memory", "3G"]
    machine += ["--timeout", str(FULL_TIME_LIMIT if full else TIME_LIMIT), "--writable", str(tmp_path)]
    tests = ["python3", "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short", "--color=no"]
    tests += [f"--junitxml={report}", *(["tests/kernel", "tests/snippets"] if full else CHECKS)]
    lines = []
    with subprocess.Popen(
        [*machine, "--", *tests],
        cwd=ROOT,
        # The lists of expected skips are held to be exact in there, by the same plugin as here.
        env=os.environ | {"EBPF_LAB_IN_VM": KERNEL, "PYTHONUNBUFFERED": "1"},
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
                # It takes minutes: what it is at shows at once, whatever pytest captures.
                with capsys.disabled():
                    print(f"\n{OTHER} | {lines[-1]}", end="", flush=True)
        except BaseException:
            # The machine goes with it.
            process.kill()
            raise
    assert process.returncode == 0, "\n".join(lines[-60:])
    passed = [
        f"{str(case.get('classname')).replace('.', '/')}.py::{case.get('name')}"
        for case in ElementTree.parse(report).iter("testcase")
        if not list(case)
    ]
    assert [check for check in CHECKS if check not in passed] == []
