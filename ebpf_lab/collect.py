"""Drain the readers while the trace runs, so that the kernel's buffers never wait for the learner."""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.readers.batch import Batch
from ebpf_lab.watching import Watch

_DRAIN_BYTES = 16 << 20
"""Most bytes of one drain: bounds the time until Stop is seen under a flood."""
_POLL_SECONDS = 0.05
"""Longest time between drains; events that wake nobody (BPF_RB_NO_WAKEUP) wait no longer than this."""
_PAUSE_SECONDS = 0.002
"""Least time between drains that found little, so that single events do not cost a wake-up each."""
_BUSY_BYTES = 64 << 10
"""A drain of more than this is followed by the next without a pause."""

_LAST_SECONDS = 5.0
"""Longest last drain: other people's bpf_printk lines may never stop."""


class Reader(Protocol):
    """What the collector needs of a reader."""

    @property
    def fds(self) -> Sequence[int]:
        """Descriptors that become readable when there are events."""

    @property
    def lost(self) -> int:
        """Events that the kernel counted as lost, so far."""

    def drain(self, limit: int) -> list[Batch]:
        """Take at most about ``limit`` bytes of events."""

    def close(self) -> None:
        """Unmap and close."""


@dataclass(slots=True)
class Collected:
    """What came of one stream; read under the collector's lock only.

    ``accept`` marks the events that belong to the trace, and ``note`` is shown those that are kept.
    """

    name: str
    reader: Reader
    accept: Callable[[Batch], NDArray[np.bool_] | None] | None = None
    note: Callable[[Batch], None] | None = None
    batches: list[Batch] = field(default_factory=list)
    delivered: int = 0
    kept: int = 0


class Collector:
    """A background thread that drains readers into memory.

    Parameters
    ----------
    streams : sequence of Collected
        The first is the main stream.
    keep : int
        Bytes of events to keep over all streams; what comes beyond that is counted, not kept.
    enough : int or None
        Call ``on_enough`` once the main stream has this many events; no more are kept or counted.
    on_enough : callable
        Called from the collector's thread, also when draining failed.
    alongside : callable, optional
        Called from the collector's thread with each drain: what else must not wait long.
    watches : sequence of Watch
        Told of every event, kept or not; those that are appended later, from then on.
    """

    def __init__(
        self,
        streams: Sequence[Collected],
        *,
        keep: int,
        enough: int | None,
        on_enough: Callable[[], None],
        alongside: Callable[[], None] = lambda: None,
        watches: Sequence[Watch] = (),
    ) -> None:
        self.streams = tuple(streams)
        self.lock = threading.Lock()
        self.error: Exception | None = None
        self._keep = self._room = keep
        self._enough = enough
        self._on_enough = on_enough
        self._alongside = alongside
        self._watches = watches
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ebpf-lab-collector", daemon=True)

    def start(self) -> None:
        """Begin draining."""
        self._thread.start()

    def stop(self) -> None:
        """Drain what is left (the programs must be detached already) and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def take(self) -> list[list[Batch]]:
        """Hand out the batches of each stream, which makes room for more events; the caller has the lock."""
        taken = [stream.batches for stream in self.streams]
        for stream in self.streams:
            stream.batches = []
        self._room = self._keep
        return taken

    def _run(self) -> None:
        try:
            with self._waiting() as wait:
                while not self._stop.is_set():
                    ready = wait()
                    self._alongside()
                    while self._drain() > _BUSY_BYTES and not self._stop.is_set():
                        pass
                    if ready:  # also when nothing came: a record still being written stays readable
                        self._stop.wait(_PAUSE_SECONDS)
                deadline = time.monotonic() + _LAST_SECONDS
                while self._drain() and time.monotonic() < deadline:
                    pass
        except Exception as error:  # noqa: BLE001  # kept for Trace.stop(), which raises it
            self.error = error
            self._on_enough()

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[Callable[[], object]]:
        """What waits for events, at most so long, and says whether there are any."""
        fds = [fd for stream in self.streams for fd in stream.reader.fds]
        if not fds:  # recorded events: there is no epoll where these are read, too
            yield lambda: self._stop.wait(_POLL_SECONDS)
            return
        with select.epoll() as epoll:
            for fd in fds:
                epoll.register(fd, select.EPOLLIN)
            yield lambda: epoll.poll(_POLL_SECONDS)

    def _drain(self) -> int:
        taken = 0
        for place, stream in enumerate(self.streams):
            for batch in stream.reader.drain(_DRAIN_BYTES):
                taken += batch.nbytes
                with self.lock:
                    self._store(stream, batch, place)
        return taken

    def _store(self, stream: Collected, batch: Batch, place: int) -> None:
        if stream.accept is not None and (mask := stream.accept(batch)) is not None:
            batch = _select(batch, mask)
        if place == 0 and self._enough is not None:
            missing = self._enough - stream.delivered
            if len(batch) >= missing:
                batch = batch.first(missing)
                self._on_enough()
        stream.delivered += len(batch)
        if len(batch):
            for watch in self._watches:
                watch.add(place, batch)
        if batch.nbytes > self._room:
            batch = batch.first(self._room // max(batch.record_size, 1))
            self._room = 0
        if len(batch):
            self._room = max(self._room - batch.nbytes, 0)
            stream.kept += len(batch)
            stream.batches.append(batch)
            if stream.note is not None:
                stream.note(batch)


def _select(batch: Batch, mask: NDArray[np.bool_]) -> Batch:
    if mask.all():
        return batch
    return Batch(batch.record_size, batch.data[mask], batch.order, batch.positions()[mask], batch.padded)
