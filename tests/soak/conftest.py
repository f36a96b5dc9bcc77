"""The soak: how long each part may take, and what it counted, as a table and as ``build/soak.json``.

``./lab soak`` runs it; without ``--soak MINUTES`` nothing here is collected.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from support.machine import ROOT
from support.soak import Counts, Turns

REPORT = ROOT / "build/soak.json"
_COUNTS = pytest.StashKey[dict[str, Counts]]()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave all of it out of ordinary runs."""
    return True if config.getoption("soak") is None else None


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = {}


@pytest.fixture
def turns(request: pytest.FixtureRequest) -> Turns:
    """Numbers from 0 to so many less one, as long as there is time; at least one of them."""
    parts = sum("turns" in getattr(item, "fixturenames", ()) for item in request.session.items)
    seconds = request.config.getoption("soak") * 60 / parts

    def numbers(most: int) -> Iterator[int]:
        end = time.monotonic() + seconds
        for number in range(most):
            if number and time.monotonic() > end:
                return
            yield number

    return numbers


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Iterator[Counts]:
    """What the part counted, by its name in words."""
    counts: Counts = {}
    began = time.monotonic()
    yield counts
    if counts:
        counts["seconds"] = round(time.monotonic() - began, 1)
        request.config.stash[_COUNTS][request.node.name] = counts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was counted, and keep it."""
    parts = config.stash[_COUNTS]
    if not parts:
        return
    terminalreporter.section("soak")
    for name, counts in parts.items():
        terminalreporter.write_line(name)
        for what, count in counts.items():
            terminalreporter.write_line(
                f"    {what}: {count:,}" if isinstance(count, (int, float)) else f"    {what}: {count}"
            )
    made = {"when": f"{date.today()}", "kernel": platform.release(), "machine": platform.machine()}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({**made, "parts": parts}, indent=1) + "\n")
