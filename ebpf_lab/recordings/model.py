"""What a recording holds, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ebpf_lab.backends.loaded import LoadedStream
from ebpf_lab.errors import LabError, Mark
from ebpf_lab.inside.program import ProgramCode
from ebpf_lab.readers.batch import Batch
from ebpf_lab.results import Account


@dataclass(frozen=True, slots=True)
class Made:
    """Where and when: the kernel's release, ``uname -m``, UTC as "2026-11-21 20:15", the lab's version."""

    kernel: str
    machine: str
    when: str
    lab: str

    def __str__(self) -> str:
        return f"REPLAYED from Linux {self.kernel} {self.machine}, {self.when} UTC"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options that decide what a trace brings; when it ends, and what is kept of it, may differ."""

    command: tuple[str, ...] | None = None
    events: int | None = None
    only: bool = False
    attach: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    stream_types: Mapping[str, str] = field(default_factory=dict)
    backend: str = ""

    def key(self, text: str) -> str:
        """What a program and its options are found by: equal for equal ones, and for no others."""
        said = json.dumps([normal(text), asdict(self)], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


def normal(text: str) -> str:
    """A program's text as programs are compared: without white space at the end of lines and of the text."""
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n"))


@dataclass(frozen=True, slots=True)
class RecordedStream:
    """One stream.

    Attributes
    ----------
    stream : LoadedStream
    batches : tuple of Batch
        The events that were kept.
    arrivals : tuple of int
        When each batch came, in nanoseconds since the programs were attached.
    delivered, dropped : int
        As in :class:`~ebpf_lab.stats.StreamStats`.
    """

    stream: LoadedStream
    batches: tuple[Batch, ...]
    arrivals: tuple[int, ...]
    delivered: int
    dropped: int

    @property
    def events(self) -> int:
        """How many there are."""
        return sum(map(len, self.batches))


@dataclass(slots=True)
class Book:
    """The names that decoding asked for, as they were where the recording was made."""

    kernel: dict[int, str] = field(default_factory=dict)
    processes: dict[int, dict[int, str]] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    forbidden: set[int] = field(default_factory=set)
    no_kernel: str = ""

    def __len__(self) -> int:
        return len(self.kernel) + len(self.users) + sum(map(len, self.processes.values()))


@dataclass(frozen=True, slots=True)
class Programs:
    """What the programs became in the kernel.

    ``logs`` is what the verifier said of each, at ``level``.  ``absent`` says why something was not recorded:
    ``bytecode``, ``native`` or ``verifier``.
    """

    codes: tuple[ProgramCode, ...] = ()
    call_base: int = 0
    logs: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, LabError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trace brought.

    ``functions`` are the programs that were attached; ``inherited`` and ``directory`` are what the command
    was started with, ``warnings`` what the compiler warned of.
    """

    account: Account
    functions: tuple[str, ...]
    streams: tuple[RecordedStream, ...]
    inherited: Mapping[int, str]
    directory: str
    names: Book
    programs: Programs
    warnings: tuple[Mark, ...] = ()
    output: bytes | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A trace that was recorded: it has an outcome or an error."""

    made: Made
    text: str
    dialect: str
    asked: Asked
    outcome: Outcome | None = None
    error: LabError | None = None

    @property
    def key(self) -> str:
        """What it is found by."""
        return self.asked.key(self.text)
