"""What the collector keeps, counts and cuts, on readers that hand out prepared batches."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from ebpf_lab.collect import Collected, Collector
from ebpf_lab.readers.batch import Batch


class Prepared:
    """A reader over a pipe that always has something to read."""

    lost = 0

    def __init__(self, *sizes: int, error: Exception | None = None) -> None:
        self._batches = []
        order = 0
        for size in sizes:
            self._batches.append(Batch(8, np.full((size, 8), order, np.uint8), order))
            order += size
        self._error = error
        read_end, self._write_end = os.pipe()
        os.write(self._write_end, b"x")
        self.fds = (read_end,)

    def drain(self, limit: int) -> list[Batch]:
        if self._error is not None:
            raise self._error
        return [self._batches.pop(0)] if self._batches else []

    def close(self) -> None:
        os.close(self._write_end)
        os.close(self.fds[0])


def _collect(*streams: Collected, keep: int = 1 << 20, enough: int | None = None) -> tuple[Collector, bool]:
    reached = threading.Event()
    collector = Collector(streams, keep=keep, enough=enough, on_enough=reached.set)
    collector.start()
    if enough is not None:
        assert reached.wait(10)
    collector.stop()
    for stream in streams:
        stream.reader.close()
    return collector, reached.is_set()


def test_everything_is_kept_and_counted() -> None:
    stream = Collected("events", Prepared(3, 5, 15))
    _collect(stream)
    assert (stream.delivered, stream.kept, sum(map(len, stream.batches))) == (23, 23, 23)


def test_exactly_enough_events_of_the_main_stream() -> None:
    main, other = Collected("a", Prepared(10, 10, 10)), Collected("b", Prepared(10, 10, 10))
    _, reached = _collect(main, other, enough=23)
    assert reached
    assert (main.delivered, sum(map(len, main.batches))) == (23, 23)
    assert other.delivered == 30


def test_memory_is_bounded_and_the_rest_counted() -> None:
    stream = Collected("events", Prepared(10, 10, 10))
    _collect(stream, keep=23 * 8)
    assert (stream.delivered, stream.kept, sum(map(len, stream.batches))) == (30, 23, 23)


def test_events_of_others_are_neither_kept_nor_counted() -> None:
    stream = Collected("events", Prepared(10, 13), accept=lambda batch: np.arange(len(batch)) % 2 == 0)
    _collect(stream)
    assert stream.delivered == 5 + 7
    assert [batch.positions().tolist() for batch in stream.batches] == [
        [0, 2, 4, 6, 8],
        [10, 12, 14, 16, 18, 20, 22],
    ]


def test_an_error_is_kept_and_ends_the_trace() -> None:
    stream = Collected("events", Prepared(error=OSError(5, "broken")))
    reached = threading.Event()
    collector = Collector([stream], keep=1, enough=None, on_enough=reached.set)
    collector.start()
    assert reached.wait(10)
    collector.stop()
    stream.reader.close()
    with pytest.raises(OSError, match="broken"):
        raise collector.error or AssertionError("no error was kept")
