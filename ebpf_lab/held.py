"""The events that a collector holds, as results are made of: a copy of them, or they themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ebpf_lab.backends.loaded import LoadedStream
from ebpf_lab.collect import Collector
from ebpf_lab.readers.batch import Batch
from ebpf_lab.results import StreamBytes, Taken
from ebpf_lab.stats import StreamStats


class Held:
    """What came of each stream.

    Parameters
    ----------
    streams : sequence of LoadedStream
        As the collector's.
    collector : Collector
    losses : callable
        Losses by stream that no reader knows of.

    Attributes
    ----------
    taken : dict
        What was handed out of each stream, by its name.
    """

    def __init__(
        self,
        streams: Sequence[LoadedStream],
        collector: Collector,
        losses: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._streams = tuple(streams)
        self._collector = collector
        self._losses = losses
        self.taken: dict[str, Taken] = {}

    def copy(self) -> list[StreamBytes]:
        """What came so far, which is also kept."""
        with self._collector.lock:
            return self._bytes([list(each.batches) for each in self._collector.streams])

    def hand_out(self) -> list[StreamBytes]:
        """What came so far, which is kept no longer."""
        with self._collector.lock:
            return self._bytes(self._collector.take())

    def counts(self) -> tuple[tuple[LoadedStream, StreamStats], ...]:
        """How much came of each stream."""
        with self._collector.lock:
            return tuple((each.stream, each.stats) for each in self._bytes([[] for _ in self._streams]))

    def _bytes(self, batches: Sequence[list[Batch]]) -> list[StreamBytes]:
        losses = self._losses()
        return [
            StreamBytes(
                stream=stream,
                batches=own,
                stats=StreamStats(
                    delivered=collected.delivered,
                    dropped=collected.reader.lost + losses.get(stream.name, 0),
                    undecoded=0,
                    not_kept=collected.delivered - collected.kept,
                ),
                taken=self.taken.get(stream.name, Taken()),
            )
            for stream, collected, own in zip(self._streams, self._collector.streams, batches, strict=True)
        ]
