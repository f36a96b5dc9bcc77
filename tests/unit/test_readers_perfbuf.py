"""The perf buffer reader against a plain model, over memory laid out by hand."""

import mmap
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.perf import PerfRing
from ebpf_lab.readers.perfbuf import PerfBuffer

SIZE = 4096
LOST, THROTTLE, SAMPLE = 2, 5, 9


class Ring:
    """The kernel's side of one CPU's ring, in ordinary memory."""

    def __init__(self, position: int) -> None:
        self.reader = PerfRing.__new__(PerfRing)
        self.reader._size = SIZE
        self.reader._data = np.full(SIZE // 8, 0xA5A5, np.uint64)
        self.reader._ends = np.array([position, position], np.uint64)
        self.reader._announced = 0

    def put(self, kind: int, body: bytes, misc: int = 0) -> bool:
        record = struct.pack("<IHH", kind, misc, 8 + len(body)) + body
        assert len(record) % 8 == 0
        head, tail = self.reader._ends.tolist()
        if head + len(record) - tail > SIZE:
            return False
        memory = self.reader._data.view(np.uint8)
        memory[np.arange(head, head + len(record)) % SIZE] = np.frombuffer(record, np.uint8)
        self.reader._ends[0] = head + len(record)
        return True

    def sample(self, time: int, payload: bytes, misc: int = 0) -> bool:
        padded = payload + bytes(-(len(payload) + 4) % 8)
        return self.put(SAMPLE, struct.pack("<QI", time, len(padded)) + padded, misc)


def buffer_of(rings: list[Ring]) -> PerfBuffer:
    reader = PerfBuffer.__new__(PerfBuffer)
    reader._rings = {cpu: ring.reader for cpu, ring in enumerate(rings)}
    reader._order = 0
    return reader


def in_order(batches: list[Batch]) -> list[bytes]:
    found = {}
    for batch in batches:
        assert batch.padded
        assert batch.data.flags.c_contiguous
        assert batch.order == batch.positions()[0]
        found |= dict(zip(batch.positions().tolist(), (row.tobytes() for row in batch.data), strict=True))
    assert sorted(found) == list(range(len(found)))
    return [found[position] for position in sorted(found)]


events = st.lists(
    st.tuples(
        st.integers(0, 2),  # CPU
        st.sampled_from(["sample", "sample", "sample", "lost", "other"]),
        st.integers(0, 60),  # bytes
        st.sampled_from([0, 1, 2]),  # who was running
        st.integers(1, 40),  # how many alike
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(events, st.tuples(*[st.integers(0, 600).map(lambda n: n * 8 + (1 << 33))] * 3), st.booleans())
def test_delivers_what_the_model_delivers(wanted, positions, in_two_drains):
    rings = [Ring(position) for position in positions]
    reader = buffer_of(rings)
    expected, announced, now = [], 0, 1
    batches: list[Batch] = []
    for turn, (cpu, kind, size, misc, count) in enumerate(wanted):
        for _ in range(count):
            now += 1
            if kind == "sample":
                payload = now.to_bytes(8, "little") + bytes(size)
                if rings[cpu].sample(now, payload, misc):
                    expected.append(payload + bytes(-(len(payload) + 4) % 8))
            elif kind == "lost":
                announced += 7 * rings[cpu].put(LOST, struct.pack("<QQ", 1, 7))
            else:
                rings[cpu].put(THROTTLE, bytes(24))
        if in_two_drains and turn == len(wanted) // 2:
            batches += reader.drain()
    batches += reader.drain()
    assert in_order(batches) == expected
    assert sum(ring.reader._announced for ring in rings) == announced
    assert all(ring.reader.available == 0 for ring in rings)


def test_what_is_later_than_the_drain_is_left_for_the_next(monkeypatch):
    rings = [Ring(0), Ring(SIZE - 8)]
    reader = buffer_of(rings)
    rings[0].sample(100, b"a...")
    rings[0].sample(300, b"c...")
    rings[0].put(LOST, struct.pack("<QQ", 1, 5))
    rings[1].sample(200, b"b...")
    monkeypatch.setattr("time.monotonic_ns", lambda: 250)
    first = reader.drain()
    assert in_order(first) == [b"a...", b"b..."]
    assert rings[0].reader._announced == 0
    monkeypatch.setattr("time.monotonic_ns", lambda: 400)
    assert in_order(first + reader.drain()) == [b"a...", b"b...", b"c..."]
    assert rings[0].reader._announced == 5


def test_a_ring_cut_short_holds_back_the_later_events_of_the_others(monkeypatch):
    monkeypatch.setattr("ebpf_lab.readers.perf._LEAST_SHARE", 64)
    rings = [Ring(0), Ring(0)]
    reader = buffer_of(rings)
    for time in (1, 3, 5, 7, 9):
        rings[0].sample(time, bytes([time]) * 4)
    rings[1].sample(8, bytes([8]) * 4)
    batches = []
    drains = []
    while more := reader.drain(limit=1):
        drains.append(len(in_order([Batch(b.record_size, b.data, 0, None, True) for b in more])))
        batches += more
    assert drains == [2, 2, 2]
    assert [payload[0] for payload in in_order(batches)] == [1, 3, 5, 7, 8, 9]


@pytest.mark.parametrize("wrap", range(8, 64, 8))
def test_a_record_that_wraps_around_is_put_together(wrap):
    ring = Ring(SIZE - wrap)
    payload = bytes(range(44))
    assert ring.sample(1, payload)
    (batch,) = buffer_of([ring]).drain()
    assert batch.data.tobytes() == payload


def test_a_whole_ring_at_once():
    ring = Ring(mmap.PAGESIZE * 3 + 16)
    count = 0
    while ring.sample(count + 1, struct.pack("<QI", count, 0)):
        count += 1
    (batch,) = buffer_of([ring]).drain()
    assert len(batch) == count == SIZE // 32
    assert batch.data[:, :8].copy().view(np.uint64)[:, 0].tolist() == list(range(count))
