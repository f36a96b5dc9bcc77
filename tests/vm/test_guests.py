"""The tests that load programs, under kernels that can do what the one here may not: one boot a kernel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest
from support.globs import matches
from support.machine import ROOT
from support.skips import LISTS, parse

from ebpf_lab.source import snippets

TIME_LIMIT, FULL_TIME_LIMIT = 1500, 7200
"""Seconds for one kernel's tests; programs compile about twenty times slower in there."""

TEST_LIMIT = 300
"""Seconds after which a test that hangs says where, and ends the run."""


SKIPPED_HERE = parse((LISTS / "local.txt").read_text(), "local.txt")
"""What a kernel without kprobes skips: each of these must run under every kernel below."""

KERNELS = {
    "6.1": "",
    "6.12": "",
    # Debian 12's bcc is too old for this kernel but for small programs.
    "7.2": " and not bcc",
}
"""Kernels, and what to leave out under them, as an end of pytest's ``-k``."""


def keywords() -> str:
    """Which tests run in there, in words for ``-k``.

    Each snippet, each kind of probe and of stream, what is skipped here, and the rejected programs of which
    kernels say different things; what they say of the others is recorded in ``tests/data/verifier``.
    """
    skipped = {" and ".join(re.findall(r"\w+", entry.pattern.partition("::")[2])) for entry in SKIPPED_HERE}
    rejected = {
        f"test_rejected and {Path(name).name.replace('.', ' and ')}"
        for name in snippets.names("rejected")
        if (rejection := snippets.load(name).rejection) and any(each.kernel for each in rejection.words)
    }
    chosen = sorted(skipped | rejected)
    return " or ".join(["test_snippets", "test_probes", "test_streams", *(f"({words})" for words in chosen)])


class Run:
    """One kernel's tests, in a machine of their own."""

    def __init__(self, kernel: str, directory: Path, full: bool) -> None:
        self.kernel = kernel
        self.report = directory / "report.xml"
        self.lines: list[str] = []
        tests = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short", "--color=no"]
        tests += ["-o", f"faulthandler_timeout={TEST_LIMIT}", "-o", "faulthandler_exit_on_timeout=true"]
        tests += ["-k", f"({'test' if full else keywords()}){KERNELS[kernel]}", f"--junitxml={self.report}"]
        tests += ["tests/kernel", "tests/snippets", *(["tests/notebooks"] if full else [])]
        machine = [sys.executable, "-m", "ebpf_lab.vm", "--kernel", kernel, "--memory", "3G"]
        machine += ["--timeout", str(FULL_TIME_LIMIT if full else TIME_LIMIT), "--writable", str(directory)]
        self._command = [*machine, "--", *tests]
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def __call__(self, tell: SimpleQueue[str]) -> int:
        if self._stopped:
            return -1
        # The lists of expected skips are held to be exact in there, by the same plugin as here.
        environment = os.environ | {"EBPF_LAB_IN_VM": self.kernel, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as self._process:
            assert self._process.stdout is not None
            for line in self._process.stdout:
                self.lines.append(line.rstrip("\n"))
                tell.put(f"{self.kernel} | {self.lines[-1]}")
        return self._process.returncode

    def stop(self) -> None:
        self._stopped = True
        if self._process is not None:
            # The machine goes with it.
            self._process.kill()


class Guests:
    """All kernels' tests, as many at once as there are processors: a machine keeps one busy."""

    def __init__(self, runs: dict[str, Run], pool: ThreadPoolExecutor) -> None:
        self.runs = runs
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._results: dict[str, Future[int]] = {
            kernel: pool.submit(run, self._lines) for kernel, run in runs.items()
        }

    def wait(self, kernel: str, capsys: pytest.CaptureFixture[str]) -> int:
        """Wait for one kernel's exit status, showing what all of them are at."""
        result = self._results[kernel]
        while not (result.done() and self._lines.empty()):
            try:
                line = self._lines.get(timeout=1)
            except Empty:
                continue
            # A guest's tests take minutes: what they are at shows at once, whatever pytest captures.
            with capsys.disabled():
                print(f"\n{line}", end="", flush=True)
        return result.result()


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Guests]:
    chosen = [item.name for item in request.session.items if item.path == request.path]
    runs = {
        kernel: Run(kernel, tmp_path_factory.mktemp(kernel), request.config.getoption("full"))
        for kernel in KERNELS
        if any(f"[{kernel}]" in name for name in chosen)
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            yield Guests(runs, pool)
        finally:
            for run in runs.values():
                run.stop()


@pytest.mark.parametrize("kernel", KERNELS)
def test_suite_passes_under_kernel(kernel: str, guests: Guests, capsys: pytest.CaptureFixture[str]) -> None:
    status, run = guests.wait(kernel, capsys), guests.runs[kernel]
    assert status == 0, "\n".join(run.lines[-60:])
    cases = list(ElementTree.parse(run.report).iter("testcase"))
    # An exit status of 0 with one of these would mean that the machine's report was misread.
    assert not [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    ran = [f"{case.get('classname')}::{case.get('name')}" for case in cases if case.find("skipped") is None]
    missed = [
        entry.pattern
        for entry in SKIPPED_HERE
        if not any(matches(as_reported(entry.pattern), test) for test in ran)
        and not (KERNELS[kernel] and "bcc" in entry.pattern)
    ]
    assert not missed


def as_reported(pattern: str) -> str:
    """A test id in the words of pytest's XML report: ``tests.kernel.test_x.TestClass::test_name``."""
    file, *classes, name = pattern.split("::")
    return ".".join([file.removesuffix(".py").replace("/", "."), *classes]) + f"::{name}"
