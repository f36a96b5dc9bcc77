"""Tracepoints as tracefs lists them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ebpf_lab.errors import MissingFeature, MissingPrivilege
from ebpf_lab.host import privileges

PLACES = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
MOUNT = "sudo mount -t tracefs tracefs /sys/kernel/tracing"


def root() -> Path:
    """Where tracefs is mounted.

    Raises
    ------
    MissingFeature
        It is not mounted, or the kernel has none.
    MissingPrivilege
        It is, but this process may not look.
    """
    for place in PLACES:
        try:
            # Reading the directory is what takes the right; its presence alone says nothing.
            if any((place / "events").iterdir()):
                return place
        except PermissionError:
            raise _forbidden() from None
        except (FileNotFoundError, NotADirectoryError):
            continue
    raise MissingFeature(
        "tracefs is not mounted",
        why="the kernel lists its tracepoints there, with the number that each is attached by",
        hint=MOUNT,
    )


def events() -> dict[str, list[str]]:
    """All tracepoints: event names by category.  Raises as :func:`root`."""
    listed: dict[str, list[str]] = {}
    with _reading():
        for line in (root() / "available_events").read_text().splitlines():
            group, _, name = line.partition(":")
            listed.setdefault(group, []).append(name)
    return listed


def tracepoint_id(group: str, name: str) -> int | None:
    """The number that perf_event_open(2) knows the tracepoint by, None for none.  Raises as :func:`root`."""
    with _reading():
        try:
            return int((root() / "events" / group / name / "id").read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None


def fields(group: str, name: str) -> list[tuple[str, str]]:
    """Types and names of what a tracepoint records, without what all of them do; none when there is no such.

    Raises as :func:`root`.
    """
    with _reading():
        try:
            text = (root() / "events" / group / name / "format").read_text()
        except (FileNotFoundError, NotADirectoryError):
            return []
    found = re.findall(r"^\tfield:(.*?) *\b(\w+)(\[\w*\])?;", text, re.MULTILINE)
    return [(made + length, name) for made, name, length in found if not name.startswith("common_")]


def exists(group: str, name: str) -> bool:
    """Whether the tracepoint exists; False also where tracefs cannot be asked."""
    return any((place / "events" / group / name).exists() for place in PLACES)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise _forbidden() from None


def _forbidden() -> MissingPrivilege:
    return privileges.explain_eperm("read tracefs", privileges.TRACEFS)
