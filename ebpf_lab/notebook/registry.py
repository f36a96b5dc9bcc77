"""Traces that run while other cells are at work (``--bg``), by the cell that started them."""

from __future__ import annotations

from dataclasses import dataclass

from ebpf_lab.session import Trace


@dataclass(frozen=True, slots=True)
class Background:
    """A background trace: the cell it belongs to and the name it was given with ``-o`` ("" for none)."""

    cell: str
    name: str
    trace: Trace


class Registry:
    """The notebook's background traces.

    A cell has one trace at a time, and so has a name: starting another ends the one before, so that a cell
    that is run again never leaves its first programs attached.
    """

    def __init__(self) -> None:
        self._entries: list[Background] = []

    def replace(self, cell: str, name: str) -> None:
        """End the trace that this cell or this name holds, if it still runs."""
        for entry in list(self._entries):
            if entry.cell == cell or (name and entry.name == name):
                self._entries.remove(entry)
                entry.trace.end()
                entry.trace.join()

    def add(self, entry: Background) -> None:
        """Remember a trace that was started."""
        self._entries.append(entry)

    def running(self) -> list[Background]:
        """Traces that still run, oldest first."""
        return [entry for entry in self._entries if entry.trace.running]

    def take(self, name: str) -> list[Background]:
        """Forget and return the trace called ``name``, or all of them when it is empty; ended ones too."""
        taken = [entry for entry in self._entries if not name or entry.name == name]
        self._entries = [entry for entry in self._entries if entry not in taken]
        return taken

    def names(self) -> list[str]:
        """Names given with ``-o``."""
        return [entry.name for entry in self._entries if entry.name]
