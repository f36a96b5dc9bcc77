"""Which of the tests here run only with ``--full``."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what fetches whole distributions, unless all is asked for."""
    return True if collection_path.name == "test_fresh.py" and not config.getoption("full") else None
