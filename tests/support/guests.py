"""Virtual machines that run the lab's own tests: one boot each, beside the tests that run here."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ebpf_lab.source import snippets
from ebpf_lab.vm.machine import DEFAULT_KERNEL

from .machine import ROOT
from .skips import LISTS, parse

TIME_LIMIT, FULL_TIME_LIMIT = 2400, 7200
"""Seconds for one guest's tests; programs compile about twenty times slower in there."""

NICENESS = 5
"""What is tested here goes first: some of it must be done in time, and most of it waits much."""

TEST_LIMIT = 900
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
    """One guest's tests, in a process that begins when there is a turn for it."""

    def __init__(self, name: str, directory: Path, full: bool, turns: Turns) -> None:
        self._report, self._output = directory / "report.xml", directory / "output.txt"
        kernel = name if name in KERNELS else DEFAULT_KERNEL
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
                "tests/notebooks" if full else "tests/notebooks/test_exercises.py",
            ]
        limit = (FULL_TIME_LIMIT if full else TIME_LIMIT) * (2 if guest else 1)
        tests = [python, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short", "--color=no"]
        tests += ["-o", f"faulthandler_timeout={TEST_LIMIT}", "-o", "faulthandler_exit_on_timeout=true"]
        machine = [sys.executable, "-m", "ebpf_lab.vm", *guest, "--kernel", kernel, "--memory", "3G"]
        machine += ["--timeout", str(limit), "--writable", str(directory)]
        # The lists of expected skips are held to be exact in there, by the same plugin as here.
        environment = os.environ | {"EBPF_LAB_IN_VM": kernel, "PYTHONUNBUFFERED": "1"}
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                turns.taking([*machine, "--", *tests, f"--junitxml={self._report}", *chosen]),
                cwd=ROOT,
                env=environment,
                pass_fds=turns.fds,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._shown = 0

    @property
    def status(self) -> int | None:
        """The tests' exit status, None before their end."""
        return self._process.poll()

    def news(self) -> list[str]:
        """The lines of output since the last time."""
        with self._output.open("rb") as output:
            output.seek(self._shown)
            new, newline, _ = output.read().rpartition(b"\n")
        self._shown += len(new + newline)
        return new.decode(errors="replace").splitlines()

    def end_of_output(self) -> str:
        return "\n".join(self._output.read_text(errors="replace").splitlines()[-60:])

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

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


class Turns:
    """As many guests run at once as there are processors: bytes in a pipe, which each takes and puts back."""

    def __init__(self) -> None:
        self.fds = os.pipe()
        os.write(self.fds[1], b"." * (os.cpu_count() or 1))

    def taking(self, command: list[str]) -> list[str]:
        """The command, run in its turn."""
        take, give = self.fds
        script = f'head -c 1 <&{take} >/dev/null; nice -n {NICENESS} "$@"; s=$?; printf . >&{give}; exit $s'
        return ["bash", "-c", script, "bash", *command]

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)


class Guests:
    """All guests of a session."""

    def __init__(self, names: Sequence[str], full: bool) -> None:
        self._directory = TemporaryDirectory(prefix="ebpf-lab-guests-")
        self._turns = Turns()
        self._runs: dict[str, Run] = {}
        for name in names:
            directory = Path(self._directory.name) / name
            directory.mkdir()
            self._runs[name] = Run(name, directory, full, self._turns)

    def passed(self, name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
        """Wait until one has passed, showing what all of them are at, and give the tests that ran in it."""
        status = None
        while status is None:
            status = self._runs[name].status
            # A guest's tests take minutes: what they are at shows at once, whatever pytest captures.
            with capsys.disabled():
                for guest, run in self._runs.items():
                    for line in run.news():
                        print(f"\n{guest} | {line}", end="", flush=True)
            time.sleep(0 if status is not None else 0.5)
        assert status == 0, self._runs[name].end_of_output()
        return self._runs[name].ran()

    def close(self) -> None:
        """Stop those that run, and with each its machine."""
        for run in self._runs.values():
            run.stop()
        self._turns.close()
        self._directory.cleanup()


def waited_for(item: pytest.Item) -> str | None:
    """The guest that a test waits for, which is its parameter ``guest``."""
    name = (
        item.callspec.params.get("guest")
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        else None
    )
    return name if isinstance(name, str) else None


def as_reported(test: str) -> str:
    """A test's id, or a pattern of such, in the words of pytest's XML report."""
    file, *classes, name = test.split("::")
    return ".".join([file.removesuffix(".py").replace("/", "."), *classes]) + f"::{name}"
