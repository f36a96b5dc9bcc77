"""What is being done right now, for whoever waits for it: steps that may take seconds say when they begin."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def step(words: str) -> None:
    """Say what begins now ("compiling"), to whoever listens in this thread."""
    listener = _listener.get()
    if listener is not None:
        listener(words)


@contextlib.contextmanager
def told_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Have the steps of the body told to ``listener``, from the thread that makes them."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)
