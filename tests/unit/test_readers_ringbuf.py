"""The ring buffer decoder against a plain model, over memory laid out by hand."""

import struct
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpf_lab.readers import records
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.ringbuf import RingBuffer, decode

BUSY, DISCARD = 1 << 31, 1 << 30


@dataclass(frozen=True)
class Record:
    payload: bytes
    flags: int = 0

    @property
    def stride(self) -> int:
        return (len(self.payload) + 8 + 7) // 8 * 8


class Ring:
    """The kernel's side of a ring buffer, in ordinary memory."""

    def __init__(self, size: int, position: int = 0) -> None:
        self.size = size
        self.data = bytearray(b"\xa5" * size)
        self.producer = self.consumer = position

    def put(self, record: Record) -> bool:
        if self.producer + record.stride - self.consumer > self.size:
            return False
        blob = struct.pack("<II", len(record.payload) | record.flags, 0xDEAD) + record.payload
        for i, byte in enumerate(blob):
            self.data[(self.producer + i) % self.size] = byte
        self.producer += record.stride
        return True

    def words(self) -> np.ndarray:
        return np.frombuffer(bytes(self.data) * 2, np.uint64)

    def reader(self) -> RingBuffer:
        """A real reader over this memory instead of a map."""
        reader = RingBuffer.__new__(RingBuffer)
        reader._mask = self.size - 1
        reader._order = 0
        reader._consumer = np.array([self.consumer], np.uint64)
        reader._producer = np.array([self.producer], np.uint64)
        reader._words = self.words()
        return reader


def in_order(batches: list[Batch]) -> list[bytes]:
    """Every payload of the batches, in arrival order; the order numbers must have no gap."""
    found = {}
    for batch in batches:
        assert batch.data.shape == (len(batch), batch.record_size)
        assert batch.data.flags.c_contiguous
        assert batch.order == batch.positions()[0]
        for position, row in zip(batch.positions().tolist(), batch.data, strict=True):
            assert position not in found
            found[position] = row.tobytes()
    assert sorted(found) == list(range(min(found, default=0), min(found, default=0) + len(found)))
    return [found[position] for position in sorted(found)]


def expected(written: list[Record]) -> tuple[list[bytes], int]:
    """What a reader must deliver of these records, and how far it must come."""
    payloads, consumed = [], 0
    for record in written:
        if record.flags & BUSY:
            break
        consumed += record.stride
        if not record.flags & DISCARD:
            payloads.append(record.payload)
    return payloads, consumed


sizes = st.one_of(st.sampled_from([0, 1, 8, 20, 32, 33]), st.integers(0, 120))
one_record = st.builds(Record, sizes.flatmap(lambda n: st.binary(min_size=n, max_size=n)), st.just(0))
a_run = st.tuples(st.integers(0, 90), one_record).map(lambda run: [run[1]] * run[0])
discarded = one_record.map(lambda record: [Record(record.payload, DISCARD)])
sequences = st.lists(st.one_of(a_run, one_record.map(lambda r: [r]), discarded), max_size=12).map(
    lambda lists: [record for part in lists for record in part]
)
starts = st.integers(0, 600).map(lambda n: n * 8)
epochs = st.sampled_from([0, 4096, (1 << 32) - 4096, 1 << 32, (1 << 40) + 4096, (1 << 62)])


@settings(max_examples=300, deadline=None)
@given(sequences, epochs, starts, st.booleans())
def test_delivers_what_the_model_delivers(wanted, epoch, start, busy_tail):
    ring = Ring(4096, epoch + start)
    written = [record for record in wanted if ring.put(record)]
    if busy_tail and ring.put(Record(b"unfinished", BUSY)):
        written.append(Record(b"unfinished", BUSY))
        follower = Record(b"complete, but behind one that is not")
        if ring.put(follower):
            written.append(follower)
    payloads, consumed = expected(written)
    reader = ring.reader()
    assert in_order(reader.drain()) == payloads
    assert int(reader._consumer[0]) == epoch + start + consumed


@settings(max_examples=150, deadline=None)
@given(sequences, starts, st.integers(0, 700))
def test_partial_drains_add_up(wanted, start, limit):
    ring = Ring(4096, start)
    written = [record for record in wanted if ring.put(record)]
    payloads, consumed = expected(written)
    reader = ring.reader()
    batches: list[Batch] = []
    while int(reader._consumer[0]) < ring.producer:
        before = int(reader._consumer[0])
        batches += reader.drain(limit)
        taken = int(reader._consumer[0]) - before
        assert 0 < taken <= max(limit, 128)
    assert in_order(batches) == payloads
    assert int(reader._consumer[0]) == start + consumed


def test_one_size_is_one_batch_without_an_index():
    ring = Ring(1 << 16)
    payloads = [struct.pack("<QQ", i, i * i) for i in range(997)]
    assert all(ring.put(Record(payload)) for payload in payloads)
    (batch,) = ring.reader().drain()
    assert batch.index is None
    assert (batch.order, batch.record_size, len(batch)) == (0, 16, 997)
    typed = batch.data.view([("i", "<u8"), ("square", "<u8")])[:, 0]
    assert (typed["square"] == typed["i"] ** 2).all()


def test_many_sizes_one_after_the_other():
    ring = Ring(1 << 20)
    payloads = [bytes([i % 251]) * (i * 37 % 211) for i in range(5000)]
    assert all(ring.put(Record(payload)) for payload in payloads)
    batches = ring.reader().drain()
    assert len(batches) == 211
    assert in_order(batches) == payloads


def test_a_stream_where_most_records_are_discarded_stays_on_the_fast_path(monkeypatch):
    ring = Ring(1 << 16)
    payloads = [struct.pack("<Q", i) for i in range(4000)]
    for i, payload in enumerate(payloads):
        assert ring.put(Record(payload, 0 if i % 3 == 0 else DISCARD))
    monkeypatch.setattr(records, "_step", None)
    assert in_order(ring.reader().drain()) == payloads[::3]


def test_a_length_beyond_what_was_produced_is_not_read():
    ring = Ring(4096)
    ring.put(Record(b"whole"))
    ring.data[16:20] = struct.pack("<I", 2000)
    batches, following = decode(ring.words(), 0, 4, order=0)
    assert in_order(batches) == [b"whole"]
    assert following == 2


def test_order_goes_on_over_drains():
    ring = Ring(4096)
    reader = ring.reader()
    seen = []
    for round_ in range(3):
        ring.put(Record(bytes([round_])))
        ring.put(Record(bytes([round_]) * 9))
        reader._producer[0] = ring.producer
        reader._words = ring.words()
        seen += reader.drain()
    assert [batch.positions().tolist() for batch in seen] == [[0], [1], [2], [3], [4], [5]]


def test_data_does_not_change_when_the_ring_is_written_again():
    memory = np.zeros(1024, np.uint64)
    memory[0], memory[1] = 8, 42
    batches, _ = decode(memory, 0, 2, order=0)
    memory[1] = 43
    assert batches[0].data.view(np.uint64).item() == 42


@pytest.mark.parametrize(
    ("size", "kernel_size"), [(32, 36), (36, 36), (33, 36), (37, 44), (0, 4), (4, 4), (5, 12)]
)
def test_perf_padding(size, kernel_size):
    data = np.zeros((1, kernel_size), np.uint8)
    assert Batch(kernel_size, data, 0, padded=True).fits(size)
    assert not Batch(kernel_size, data, 0, padded=True).fits(size + 8)
    assert Batch(kernel_size, data, 0).fits(size) == (size == kernel_size)
