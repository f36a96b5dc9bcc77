"""Guests begin with the first test and are waited for last; more machines are made with ``--full`` only."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.guests import KERNELS, OTHER, Guests, waited_for

_FULL = {"test_hosts.py", "test_lima_machine.py"}
_GUESTS = pytest.StashKey[Guests]()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what makes further machines, unless all is asked for."""
    return True if collection_path.name in _FULL and not config.getoption("full") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: waited_for(item) is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    wanted = {waited_for(item) for item in session.items}
    names = [name for name in (*KERNELS, OTHER) if name in wanted]
    if names and not session.config.option.collectonly:
        session.stash[_GUESTS] = Guests(names, session.config.getoption("full"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _GUESTS in session.stash:
        session.stash[_GUESTS].close()


@pytest.fixture
def guests(request: pytest.FixtureRequest) -> Guests:
    """The guests that the chosen tests wait for."""
    return request.session.stash[_GUESTS]
