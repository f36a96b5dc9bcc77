"""The tests expected to be skipped on this kernel are listed, and the list is held to be exact.

A skip that is not listed fails the run, and so does a listed test that ran, or an entry that matches no test.
Each line of a list is a test id, in which ``*`` stands for any characters behind the file's name, then two
spaces, ``#`` and the reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.globs import matches
from support.needs import SKIPPED

LISTS = Path(__file__).parent.parent / "expected_skips"


@dataclass(frozen=True)
class Entry:
    """One line of a list."""

    pattern: str
    reason: str


def parse(text: str, name: str) -> list[Entry]:
    """Parse a list; a line without a reason is an error."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, separator, reason = line.partition("  #")
        file = pattern.partition("::")[0]
        if not separator or not reason.strip() or " " in pattern.strip() or "*" in file:
            raise ValueError(f"{name}:{number}: not '<file>::<test>  # <reason>': {line}")
        entries.append(Entry(pattern.strip(), reason.strip()))
    return entries


def list_for_this_kernel() -> Path | None:
    """The list that holds here.

    Inside the virtual machine it is the one of its kernel.  Outside, it is the one for kernels without
    kprobes, where this is one.  Any other kernel has none, and must skip nothing.
    """
    if kernel := os.environ.get("EBPF_LAB_IN_VM"):
        return LISTS / f"vm-{kernel}.txt"
    from ebpf_lab.host.features import Answer, probe  # here, since the unit tests run on any system

    if probe("kprobe").answer is Answer.NO:
        return LISTS / "local.txt"
    return None


def problems(
    entries: Iterable[Entry], *, selected: set[str], skipped: set[str], ran: set[str], whole_files: set[str]
) -> list[str]:
    """Compare a list with what happened.

    Parameters
    ----------
    entries : iterable of Entry
    selected, skipped, ran : set of str
        Ids of the tests of this run, of those that were skipped and of those that ran.
    whole_files : set of str
        Test files, as they begin ids, of which every test was selected.

    Returns
    -------
    list of str
        One line for each difference.
    """
    found = []
    entries = list(entries)
    for test in sorted(skipped):
        if not any(matches(entry.pattern, test) for entry in entries):
            found.append(f"skipped, but not expected to be: {test}")
    for entry in entries:
        expected = {test for test in selected if matches(entry.pattern, test)}
        for test in sorted(expected & ran):
            found.append(f"expected to be skipped ({entry.reason}), but it ran: {test}")
        file = entry.pattern.partition("::")[0]
        if not expected and file in whole_files:
            found.append(f"expected to be skipped, but there is no such test: {entry.pattern}")
    return found


class ExpectedSkips:
    """Pytest plugin that compares the run with the list at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self.name = "no list for this kernel"
        self.entries: list[Entry] = []
        self.narrowed = any("::" in argument for argument in config.args)
        self.selected: set[str] = set()
        self.skipped: set[str] = set()
        self.ran: set[str] = set()
        self.problems: list[str] = []

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.narrowed = True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.selected = {item.nodeid for item in session.items}
        needing = any(item.get_closest_marker("needs") for item in session.items)
        if needing and (path := list_for_this_kernel()):
            self.name = path.name
            self.entries = parse(path.read_text(), path.name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]):
        report = yield
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.add(item.nodeid)
            if not item.stash.get(SKIPPED, False):
                self.problems.append(f"skipped, but not by its needs: {item.nodeid}")
        elif report.when == "call":
            self.ran.add(item.nodeid)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.problems.append(f"a whole file was skipped: {report.nodeid}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly or self.skipped | self.ran != self.selected:
            # Interrupted, stopped at the first failure, or failed in a fixture: there is nothing to compare.
            # None of these ends with exit status 0 in a run that ought to be compared.
            if not self.problems:
                return
        else:
            files = {test.partition("::")[0] for test in self.selected}
            self.problems += problems(
                self.entries,
                selected=self.selected,
                skipped=self.skipped,
                ran=self.ran,
                whole_files=set() if self.narrowed else files,
            )
        if self.problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.problems:
            terminalreporter.section(f"expected skips ({self.name})", red=True, bold=True)
            for line in self.problems:
                terminalreporter.line(line, red=True)
