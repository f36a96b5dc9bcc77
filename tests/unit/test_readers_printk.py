"""Lines of bpf_printk from the records that carry them."""

import numpy as np
import pytest

from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.printk_lines import HEAD, lines
from ebpf_lab.readers.printk_program import LONG, SHORT


def record(text: bytes, room: int = SHORT, *, length: int | None = None, **head) -> bytes:
    start = np.zeros(1, HEAD)
    for name, value in head.items():
        start[name] = value
    start["length"] = len(text) + 1 if length is None else length
    return start.tobytes() + (text + b"\0").ljust(room, b"\xee")


def batch(records: list[bytes], positions: list[int] | None = None) -> Batch:
    data = np.frombuffer(b"".join(records), np.uint8).reshape(len(records), -1)
    index = None if positions is None else np.array(positions)
    return Batch(data.shape[1], data, positions[0] if positions else 0, index)


def test_who_printed_what_and_when():
    found = lines([batch([record(b"hello 7", ts=5 << 40, cpu=1, pid=23, tid=24, comm=b"cat")])])
    assert found.tolist() == [(5 << 40, 1, 23, 24, b"cat", b"hello 7")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"a\n", b"a"),
        (b"a\n\n", b"a\n"),
        (b"\n", b""),
        (b"", b""),
        (b" two  words ", b" two  words "),
        (b"\xff\xfe", b"\xff\xfe"),
    ],
)
def test_one_newline_at_the_end_is_no_part_of_the_message(text, shown):
    assert lines([batch([record(text)])])["message"].tolist() == [shown]


def test_the_text_ends_at_its_nul_whatever_lies_behind():
    found = lines([batch([record(b"longer text"), record(b"ab")])])
    assert found["message"].tolist() == [b"longer text", b"ab"]


def test_a_text_that_could_not_be_read_is_empty():
    assert lines([batch([record(b"junk", length=-14)])])["message"].tolist() == [b""]


def test_long_and_short_lines_come_in_the_order_of_printing():
    long = b"x" * (LONG - 1)
    found = lines(
        [
            batch([record(long, LONG), record(b"y" * 200, LONG)], [1, 3]),
            batch([record(b"a"), record(b"b")], [0, 2]),
        ]
    )
    assert found["message"].tolist() == [b"a", long, b"b", b"y" * 200]


def test_batches_of_several_drains():
    found = lines([Batch(HEAD.itemsize + SHORT, batch([record(b"%d" % n)]).data, n) for n in (0, 1, 2)])
    assert found["message"].tolist() == [b"0", b"1", b"2"]


def test_no_lines():
    assert lines([]).shape == (0,)
    assert lines([]).dtype.names == ("ts", "cpu", "pid", "tid", "comm", "message")
