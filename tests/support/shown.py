"""What a snippet shows over the workload that its header names, traced once for all tests that ask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pandas as pd

import ebpf_lab
from ebpf_lab.preparation import prepared
from ebpf_lab.source import snippets


@dataclass(frozen=True)
class Shown:
    """A trace that has ended.

    Attributes
    ----------
    frame : DataFrame
        Of the stream or map that the header is about.
    status : int or None
        The workload's exit status.
    lost : dict of str to int
        Events that were dropped, of streams that dropped some.
    """

    frame: pd.DataFrame
    status: int | None
    lost: dict[str, int]


@cache
def shown(name: str) -> Shown:
    """Trace a snippet, in an emulated machine for half a minute: whoever asks next gets the same."""
    snippet = snippets.load(name)
    with prepared(snippet):
        trace = ebpf_lab.trace(
            snippet.text,
            command=["sh", "-c", snippet.workload],
            attach=snippet.attach,
            backend=snippet.backend,
            only=not snippet.whole_system,
        )
        frame = {**trace.frames, **trace.maps}[snippet.source] if snippet.source else trace.frame
    lost = {stream: stats.dropped for stream, stats in trace.stats.streams.items() if stats.dropped}
    return Shown(frame, trace.command_status, lost)
