"""What holds for every test: skipping by needs, the lists of expected skips, and the leak check."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import kernel_objects, needs, targets
from support.rights import home_for_anybody
from support.skips import ExpectedSkips

LEAK_CHECKED = {"hosts", "kernel", "snippets"}
"""Directories whose tests load programs."""


pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="load every program under every kernel")
    parser.addoption(
        "--soak", type=float, metavar="MINUTES", help="run the soak alone, so long or until it has done all"
    )


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell has what it starts in the background ignore it; tests that interrupt would wait for ever.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line(
        "markers", 'needs(*names): skip where the machine lacks a feature ("!name": where it has it)'
    )
    config.pluginmanager.register(ExpectedSkips(config), "expected-skips")


def pytest_runtest_setup(item: pytest.Item) -> None:
    needs.check(item)


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test of the kernel that leaves a program, map, link, descriptor, thread or child process."""
    if request.path.parent.name not in LEAK_CHECKED:
        yield
        return
    before = kernel_objects.Snapshot()
    yield
    left = kernel_objects.leaks(before)
    assert not left, "left behind: " + ", ".join(left)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """An ordinary user's, of ``rights.user_with``: what is compiled for one test serves the next."""
    with home_for_anybody() as path:
        yield path


@pytest.fixture(scope="session")
def say(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program to put user probes on (see its source)."""
    return targets.build("say", tmp_path_factory.mktemp("say"))


@pytest.fixture(scope="session")
def seek(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that makes system calls to count (see its source)."""
    return targets.build("seek", tmp_path_factory.mktemp("seek"))
