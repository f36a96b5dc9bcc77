"""What a backend hands over: file descriptors and plain data, nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from ebpf_lab.errors import Mark
from ebpf_lab.host.targets import UserSite
from ebpf_lab.inside.program import ProgramCode
from ebpf_lab.source.ctype import CType
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.spec import StreamKind


@dataclass(frozen=True, slots=True)
class LoadedProgram:
    """A program in the kernel.

    ``sites`` is filled for USDT probes, which only the backend can resolve; ``code`` is what the kernel made
    of it, None for a program that no backend loaded.
    """

    function: str
    fd: int
    program_type: int
    probe: Probe | None
    sites: tuple[UserSite, ...] = ()
    line: int = 0
    code: ProgramCode | None = None


@dataclass(frozen=True, slots=True)
class LoadedMap:
    """A map in the kernel; ``type`` is the kernel's BPF_MAP_TYPE number, sizes in bytes."""

    name: str
    fd: int
    type: int
    key_size: int
    value_size: int
    max_entries: int
    key: CType | None = None
    value: CType | None = None
    histogram: bool = False


@dataclass(frozen=True, slots=True)
class LoadedStream:
    """A source of events.

    ``map`` is the ring buffer or perf event array, None for ``bpf_printk``.  Events are one of ``types``,
    told apart by their size; with no type, ``why`` says why the frame will hold raw bytes.
    """

    name: str
    kind: StreamKind
    map: LoadedMap | None
    types: tuple[CType, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class LossCounter:
    """Where a stream's failed reserves are counted: a u64 in a map's value.

    The count of ``stream`` is the sum of the u64 at byte ``offset`` of the value under ``key``, over all
    CPUs where the map is per-CPU.
    """

    stream: str
    map: LoadedMap
    key: int
    offset: int


@dataclass(slots=True)
class Loaded:
    """Programs and maps in the kernel, owned through their descriptors.

    Attributes
    ----------
    backend : str
        "bcc" or "libbpf".
    programs, maps, streams, losses : tuple
        ``maps`` holds the learner's maps; internal ones (loss counters) are only in ``losses``.
    compile_seconds, load_seconds : float
    cached : bool
        The object came from the cache.
    warnings : tuple of Mark
        Places in the learner's text that the compiler warned of.
    logs : dict of str
        What the verifier said of each function, in the learner's lines; empty unless asked for.
    fds : list of int
        Every descriptor to close, those above included.
    """

    backend: str
    programs: tuple[LoadedProgram, ...]
    maps: tuple[LoadedMap, ...]
    streams: tuple[LoadedStream, ...]
    losses: tuple[LossCounter, ...] = ()
    compile_seconds: float = 0.0
    load_seconds: float = 0.0
    cached: bool = False
    warnings: tuple[Mark, ...] = ()
    logs: dict[str, str] = field(default_factory=dict)
    fds: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close every descriptor; the kernel frees what nothing else holds."""
        close_all(self.fds)


def close_all(fds: list[int]) -> None:
    """Close and forget every descriptor in ``fds``."""
    while fds:
        os.close(fds.pop())


def adopt(fds: Iterable[int]) -> list[int]:
    """Duplicate descriptors (close-on-exec), so that their first owner may close its own."""
    return [os.dup(fd) for fd in fds]
