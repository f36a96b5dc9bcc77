"""What a trace leaves for its recording while it runs: batches, names, what the command prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ebpf_lab.backends.loaded import LoadedStream
from ebpf_lab.names import Names
from ebpf_lab.readers.batch import Batch
from ebpf_lab.recordings import archive, limits, types
from ebpf_lab.recordings.model import Asked, Book
from ebpf_lab.recordings.names import NotedNames


@dataclass(slots=True)
class _Track:
    """A stream's batches, and how large they are once they are decoded."""

    longest: int
    columns: int
    batches: list[Batch] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    came: int = 0
    events: int = 0
    decoded: int = 0


class Tape:
    """Made before a trace starts, which then may be recorded.

    Parameters
    ----------
    path : Path
        Where the recording goes.
    asked : Asked

    Raises
    ------
    UsageProblem
        There can be no file there: better said before the trace than behind it.
    """

    def __init__(self, path: Path, asked: Asked) -> None:
        archive.check_place(path)
        self.path, self.asked = path, asked
        self.book = Book()
        self.printed = bytearray()
        self.heard = False
        self.inherited: Mapping[int, str] = {}
        self.directory = ""
        self._tracks: dict[str, _Track] = {}
        self._room = limits.EVENTS
        self._began = 0

    def begin(self) -> None:
        """The programs are about to be attached."""
        self._began = time.monotonic_ns()

    def noting(self, stream: LoadedStream) -> Callable[[Batch], None]:
        """What is to be shown each batch of a stream."""
        longest = max((each.size for each in stream.types), default=0)
        track = _Track(longest, sum(map(types.columns, stream.types)) or 1)
        self._tracks[stream.name] = track
        return lambda batch: self._note(track, batch)

    def _note(self, track: _Track, batch: Batch) -> None:
        track.came += len(batch)
        if track.events < track.came - len(batch):
            return  # it is the first events that are recorded
        size = max(batch.record_size, track.longest, 1)
        fitting = min(
            len(batch),
            self._room // max(batch.nbytes // len(batch), 1),
            (limits.DECODED - track.decoded) // size,
            limits.CELLS // track.columns - track.events,
        )
        if fitting <= 0:
            return
        kept = batch.first(fitting)
        self._room -= kept.nbytes
        track.events += fitting
        track.decoded += fitting * size
        track.batches.append(kept)
        track.arrivals.append(max(time.monotonic_ns() - self._began, 0))

    def batches(self, stream: str) -> tuple[tuple[Batch, ...], tuple[int, ...]]:
        """What was noted of a stream, and when it came, in nanoseconds."""
        track = self._tracks[stream]
        return tuple(track.batches), tuple(track.arrivals)

    def remarks(self) -> tuple[str, ...]:
        """What is not in the recording, a sentence each."""
        return tuple(
            f"{name}: the recording holds the first {track.events:,} of {track.came:,} events"
            for name, track in self._tracks.items()
            if track.events < track.came
        )

    def names(self, names: Names) -> Names:
        """The same names, which go into the recording when they are asked for."""
        return NotedNames(names, self.book)

    def hearing(self, output: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """The same receiver of what the command prints; that goes into the recording, too."""
        self.heard = True

        def both(data: bytes) -> None:
            self.printed += data[: limits.TEXT - len(self.printed)]
            output(data)

        return both
