"""What a trace counted: events of each stream, runs of each program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fact:
    """A part of a trace's header line.

    Attributes
    ----------
    text : str
    bad : bool
        It says that something is missing or went wrong.
    minor : bool
        The reader knows it: the backend, and the probes that the text names.
    """

    text: str
    bad: bool = False
    minor: bool = False


@dataclass(frozen=True, slots=True)
class StreamStats:
    """Events of one stream.

    Attributes
    ----------
    delivered : int
        Events that reached user space and belong to the trace (with ``only``, the command's own).
    dropped : int
        Events that the kernel had no room for.
    undecoded : int
        Delivered events whose bytes do not fit the stream's type.
    not_kept : int
        Delivered events that are not in the frame because its memory limit was reached.
    taken : int
        Delivered events that are no longer in the frame because ``Trace.take`` handed them out.
    """

    delivered: int
    dropped: int
    undecoded: int
    not_kept: int
    taken: int = 0


@dataclass(frozen=True, slots=True)
class ProgramStats:
    """Runs of one program.

    Attributes
    ----------
    runs : int or None
        None when this process may not have the kernel count.
    ns_per_run : float or None
        None too when it never ran.
    missed : int
        Times the kernel skipped the program because it was inside it, on that CPU, already.
    """

    runs: int | None
    ns_per_run: float | None
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts by stream name and by program (C function) name.

    ``stats["events"]`` finds either.  ``failures`` is how often each thing failed, by what failed in words,
    and None when the text counts none (:mod:`ebpf_lab.failures`).  ``why`` says why run counts are missing,
    "" when they are not.
    """

    streams: Mapping[str, StreamStats] = field(default_factory=dict)
    programs: Mapping[str, ProgramStats] = field(default_factory=dict)
    failures: Mapping[str, int] | None = None
    why: str = ""

    def __getitem__(self, name: str) -> StreamStats | ProgramStats:
        if name in self.streams:
            return self.streams[name]
        return self.programs[name]

    def __str__(self) -> str:
        lines = [
            f"{name}: {s.delivered:,} delivered, {s.dropped:,} dropped, {s.undecoded:,} undecoded"
            + (f", {s.not_kept:,} not kept" if s.not_kept else "")
            + (f", {s.taken:,} taken" if s.taken else "")
            for name, s in self.streams.items()
        ]
        lines += [f"{name}: {self._runs(p)}" for name, p in self.programs.items()]
        lines += [f"{what}: {count:,} failed" for what, count in (self.failures or {}).items()]
        return "\n".join(lines)

    def _runs(self, program: ProgramStats) -> str:
        if program.runs is None:
            return f"runs unknown ({self.why})"
        each = "" if program.ns_per_run is None else f", {program.ns_per_run:,.0f} ns each"
        return f"{program.runs:,} runs{each}"

    @property
    def cost(self) -> float:
        """Nanoseconds spent in all programs, 0 when unknown."""
        return sum((p.runs or 0) * (p.ns_per_run or 0.0) for p in self.programs.values())
