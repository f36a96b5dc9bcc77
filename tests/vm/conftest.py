"""Guests begin with the first test and are waited for last; a whole machine is made with ``--full`` only."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.guests import KERNELS, OTHER, Guests, waited_for

_GUESTS = pytest.StashKey[Guests]()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what provisions a whole machine, unless all is asked for."""
    full = config.getoption("full")
    return True if collection_path.name == "test_lima_machine.py" and not full else None


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
