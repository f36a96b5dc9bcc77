"""What travels between a notebook and its hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ebpf_lab.errors import LabError, Mark
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.stats import Fact, Stats

STAGES = ("preparing", "loaded", "attached", "running", "ended")
"""In this order a trace goes through them; in ``loaded`` and ``attached`` it waits to be told to go on."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where an engine runs; ``boot`` is the same where two share one kernel."""

    name: str
    kernel: str
    architecture: str
    boot: str
    pid: int
    python: str
    pandas: str
    lab: str


@dataclass(frozen=True, slots=True)
class Look:
    """How far a trace is.

    Attributes
    ----------
    stage : str
        The last of :data:`STAGES` that it has reached.
    pieces : int
        Pieces of its result, 0 as long as there is none.
    error : LabError or None
        What it failed with; its stage is ``"ended"`` then.
    """

    stage: str
    pieces: int
    error: LabError | None


@dataclass(frozen=True, slots=True)
class HostResult:
    """What a trace brought on one host.

    Attributes
    ----------
    frames, maps : dict of DataFrame
        As of a :class:`~ebpf_lab.session.Trace`.
    main : str
        The name of the one to show.
    seconds : float
        How long the programs were attached.
    header : str
    facts : tuple of Fact
        Its parts.
    notes : tuple of str
    stats : Stats
    clock : TraceClock
        When it began, by the host's clocks.
    delivered, dropped : int
        Events of all streams.
    status : int or None
        The command's exit status.
    output : bytes
        What the command printed.
    warnings : tuple of Mark
        What the compiler warned of.
    """

    frames: Mapping[str, pd.DataFrame]
    maps: Mapping[str, pd.DataFrame]
    main: str
    seconds: float
    header: str
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    stats: Stats
    clock: TraceClock
    delivered: int
    dropped: int
    status: int | None
    output: bytes
    warnings: tuple[Mark, ...]
