"""Virtual machines that run the lab's own tests: one boot each, as many at once as there are processors."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from ebpf_lab.source import snippets
from ebpf_lab.vm.machine import DEFAULT_KERNEL

from .machine import ROOT
from .skips import LISTS, parse

TIME_LIMIT, FULL_TIME_LIMIT = 1500, 7200
"""Seconds for one guest's tests; programs compile about twenty times slower in there."""

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

OTHER, _WRAPPER = {"x86_64": ("aarch64", "__arm64_sys_"), "aarch64": ("x86_64", "__x64_sys_")}[
    platform.machine()
]
"""The other architecture: on a PC that of Apple's computers."""

OTHER_CHECKS = [
    # A kprobe on a system call, tracepoints, a probe in a library, and a ring buffer: 23 events each.
    *(
        f"tests/snippets/test_snippets.py::test_snippet[{name}.{dialect}]"
        for name in ("hello_clone", "open_monitor", "printf_probe", "exec_ring")
        for dialect in ("bcc", "libbpf")
    ),
    # The function behind a system call has that architecture's name.
    f"tests/kernel/test_probes.py::test_system_call_by_any_of_its_names[kprobe:{_WRAPPER}lseek]",
]
"""What runs under it, where programs compile about forty times slower."""


def keywords() -> str:
    """Which tests run under each kernel, in words for ``-k``.

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
    """One guest's tests."""

    def __init__(self, name: str, directory: Path, full: bool) -> None:
        self.name = name
        self.lines: list[str] = []
        self._report = directory / "report.xml"
        self._kernel = name if name in KERNELS else DEFAULT_KERNEL
        if name == OTHER:
            guest, python = ["--arch", OTHER], "python3"  # one of its own
            chosen = ["tests/kernel", "tests/snippets"] if full else OTHER_CHECKS
        else:
            guest, python = [], sys.executable
            chosen = [
                "-k",
                f"({'test' if full else keywords()}){KERNELS[name]}",
                "tests/kernel",
                "tests/snippets",
            ]
            chosen += ["tests/notebooks"] if full else []
        limit = (FULL_TIME_LIMIT if full else TIME_LIMIT) * (2 if guest else 1)
        tests = [python, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short", "--color=no"]
        tests += ["-o", f"faulthandler_timeout={TEST_LIMIT}", "-o", "faulthandler_exit_on_timeout=true"]
        machine = [sys.executable, "-m", "ebpf_lab.vm", *guest, "--kernel", self._kernel, "--memory", "3G"]
        machine += ["--timeout", str(limit), "--writable", str(directory)]
        self._command = [*machine, "--", *tests, f"--junitxml={self._report}", *chosen]
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def __call__(self, tell: SimpleQueue[str]) -> int:
        """Run them, telling what they are at; the exit status."""
        if self._stopped:
            return -1
        # The lists of expected skips are held to be exact in there, by the same plugin as here.
        environment = os.environ | {"EBPF_LAB_IN_VM": self._kernel, "PYTHONUNBUFFERED": "1"}
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
                tell.put(f"{self.name} | {self.lines[-1]}")
        return self._process.returncode

    def stop(self) -> None:
        self._stopped = True
        if self._process is not None:
            # The machine goes with it.
            self._process.kill()

    def ran(self) -> list[str]:
        """The tests that passed: ``tests.kernel.test_x.TestClass::test_name``."""
        cases = list(ElementTree.parse(self._report).iter("testcase"))
        # An exit status of 0 with one of these would mean that the machine's report was misread.
        assert not [
            case for case in cases if case.find("failure") is not None or case.find("error") is not None
        ]
        return [
            f"{case.get('classname')}::{case.get('name')}" for case in cases if case.find("skipped") is None
        ]


class Guests:
    """All guests of a session: a machine keeps one processor busy."""

    def __init__(self, runs: dict[str, Run], pool: ThreadPoolExecutor) -> None:
        self.runs = runs
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._results: dict[str, Future[int]] = {
            name: pool.submit(run, self._lines) for name, run in runs.items()
        }

    def passed(self, name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
        """Wait until one has passed, showing what all of them are at, and give the tests that ran in it."""
        result = self._results[name]
        while not (result.done() and self._lines.empty()):
            try:
                line = self._lines.get(timeout=1)
            except Empty:
                continue
            # A guest's tests take minutes: what they are at shows at once, whatever pytest captures.
            with capsys.disabled():
                print(f"\n{line}", end="", flush=True)
        assert result.result() == 0, "\n".join(self.runs[name].lines[-60:])
        return self.runs[name].ran()


@pytest.fixture(scope="session")
def guests(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Guests]:
    """The guests that the chosen tests wait for, which are those with a ``guest`` among their parameters."""
    wanted = {
        item.callspec.params.get("guest") for item in request.session.items if hasattr(item, "callspec")
    }
    full = request.config.getoption("full")
    runs = {
        name: Run(name, tmp_path_factory.mktemp(name), full) for name in (*KERNELS, OTHER) if name in wanted
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            yield Guests(runs, pool)
        finally:
            for run in runs.values():
                run.stop()


def as_reported(test: str) -> str:
    """A test's id, or a pattern of such, in the words of pytest's XML report."""
    file, *classes, name = test.split("::")
    return ".".join([file.removesuffix(".py").replace("/", "."), *classes]) + f"::{name}"
