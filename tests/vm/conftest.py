"""The guests of all files are one pool; a test that makes a whole machine is there with ``--full`` only."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.guests import guests as guests


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what provisions a whole machine, unless all is asked for."""
    full = config.getoption("full")
    return True if collection_path.name == "test_lima_machine.py" and not full else None
