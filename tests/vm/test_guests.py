"""The tests that load programs, under kernels that can do what the one here may not: one boot a kernel."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.machine import ROOT

from ebpf_lab.vm import Machine
from ebpf_lab.vm.machine import TimeLimit

TIME_LIMIT, FULL_TIME_LIMIT = 1200.0, 5400.0
"""Seconds for one kernel's tests; programs compile about twenty times slower in there."""

TEST_LIMIT = 300.0
"""Seconds after which a test that hangs says where, and ends the run."""


@dataclass(frozen=True)
class Suite:
    """What to run under a kernel: pytest's arguments."""

    kernel: str
    arguments: tuple[str, ...]


PROGRAMS = ("tests/snippets", "tests/kernel/test_probes.py", "tests/kernel/test_streams.py")
"""Each snippet, each kind of probe and each kind of stream, in both dialects."""

QUICK = (
    Suite("6.1", PROGRAMS),
    Suite("6.12", PROGRAMS),
    # Debian 12's bcc is too old for this kernel but for small programs.
    Suite("7.2", (*PROGRAMS, "-k", "not bcc")),
)
FULL = (
    Suite("6.1", ("tests/kernel", "tests/snippets", "tests/notebooks")),
    Suite("6.12", ("tests/kernel", "tests/snippets", "tests/notebooks")),
    Suite("7.2", ("tests/kernel", "tests/snippets", "-k", "not bcc")),
)
"""Everything that loads programs: an hour and more under emulation."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "suite" in metafunc.fixturenames:
        suites = FULL if metafunc.config.getoption("full") else QUICK
        metafunc.parametrize("suite", suites, ids=[suite.kernel for suite in suites])


class Lines:
    """A sink that passes on whole lines."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def write(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace"))

    def flush(self) -> None:
        pass


def test_suite_passes_under_kernel(
    suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    limit = FULL_TIME_LIMIT if pytestconfig.getoption("full") else TIME_LIMIT
    last: list[str] = []

    def tell(line: str) -> None:
        last.append(line)
        del last[:-60]
        # A guest's tests take minutes: what they are at shows at once, whatever pytest captures.
        with capsys.disabled():
            print(f"\n{suite.kernel} | {line}", end="", flush=True)

    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short", "--color=no"]
    command += ["-o", f"faulthandler_timeout={TEST_LIMIT}", "-o", "faulthandler_exit_on_timeout=true"]

    # The lists of expected skips are held to be exact in there, by the same plugin as here.
    def run() -> int:
        return Machine(kernel=suite.kernel, memory="3G", progress=tell).run(
            [*command, f"--junitxml={tmp_path}/report.xml", *suite.arguments],
            timeout=limit,
            stdout=Lines(tell),
            stderr=Lines(tell),
            cwd=ROOT,
            env={"EBPF_LAB_IN_VM": suite.kernel},
            writable=[tmp_path],
        )

    try:
        status = run()
    except TimeLimit:
        # A test that hangs ends the run by itself: here the emulated machine as a whole stood still, which
        # one in seven did while kprobes were being set. No test that failed is run again.
        tell("the machine does not answer: booting another")
        status = run()
    assert status == 0, "\n".join(last)
    (report,) = ElementTree.parse(tmp_path / "report.xml").getroot().iter("testsuite")
    ran = int(report.attrib["tests"]) - int(report.attrib["skipped"])
    assert ran > 0
    # An exit status of 0 with none of these would mean that the kernel's own report was misread.
    assert report.attrib["errors"] == report.attrib["failures"] == "0"
