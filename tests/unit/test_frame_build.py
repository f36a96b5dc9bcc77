"""Events of known bytes to exact frames; sizes, order, memory."""

import struct
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from ebpf_lab.frame import build as build_module
from ebpf_lab.frame.build import build
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.distinct import factorise
from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.readers.batch import Batch
from ebpf_lab.source.ctype import Array, Enum, Float, Int, Member, Opaque, Pointer, Struct

CLOCK = TraceClock(10**12, 10**12, 10**18, 10**18)
U8 = Int("unsigned char", 1, False)
CHAR = Int("char", 1, True, char=True)
S32 = Int("int", 4, True)
U32 = Int("unsigned int", 4, False)
U64 = Int("unsigned long long", 8, False)
BOOL = Int("_Bool", 1, False, boolean=True)
COLOUR = Enum("colour", 4, False, (("RED", 0), ("GREEN", 5), ("VERT", 5), ("BLUE", 6)))


def event(*members, name="event", padding=0) -> Struct:
    placed, end = [], 0
    for label, ctype in members:
        placed.append(Member(label, ctype, end * 8))
        end += ctype.size
    return Struct(name, end + padding, tuple(placed))


def batch(*records: bytes, order=0, index=None, padded=False) -> Batch:
    data = np.frombuffer(b"".join(records), np.uint8).reshape(len(records), -1).copy()
    return Batch(data.shape[1], data, order, None if index is None else np.array(index, np.int64), padded)


def frame_of(ctype, *batches, **options) -> pd.DataFrame:
    built = build([ctype], list(batches), CLOCK, **options)
    assert built.undecoded == 0
    (frame,) = built.frames.values()
    return frame


def text(*values) -> pd.Series:
    return pd.Series(list(values), dtype="str")


def category(*values, categories=None) -> pd.Categorical:
    known = sorted({value for value in values if value is not None}) if categories is None else categories
    return pd.Categorical(list(values), categories=pd.Index(known, dtype=text("").dtype))


def objects(*values) -> pd.Series:
    series = pd.Series([None] * len(values), dtype=object)
    for at, value in enumerate(values):
        series[at] = value
    return series


def test_openat_monitor():
    ctype = event(
        ("ts", U64), ("pid", U32), ("uid", U32), ("flags", S32), ("ret", S32), ("comm", Array(CHAR, 16)),
        ("filename", Array(CHAR, 64)),
    )  # fmt: skip
    pack = struct.Struct("<QIIii16s64s").pack
    frame = frame_of(
        ctype,
        batch(
            pack(10**12 + 1500, 7, 0, 0o2000000, 3, b"cat", b"/etc/hostname\0left over"),
            pack(10**12 + 2500, 8, 0, 0o1101, -2, b"c\xc3\xa4t\xff\0old", b"/tmp/\xfe"),
        ),
        arch="x86_64",
    )
    expected = pd.DataFrame(
        {
            "ts": np.array([1500, 2500], "m8[ns]"),
            "pid": np.array([7, 8], np.uint32),
            "uid": np.array([0, 0], np.uint32),
            "uid_name": category("root", "root"),
            "flags": np.array([0o2000000, 0o1101], np.int32),
            "flags_names": category("O_RDONLY|O_CLOEXEC", "O_WRONLY|O_CREAT|O_TRUNC"),
            "ret": np.array([3, -2], np.int32),
            "ret_errno": category(None, "ENOENT"),
            "comm": category("cat", "cät\\xff"),
            "filename": text("/etc/hostname", "/tmp/\\xfe"),
        }
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_every_kind_of_column():
    union = Struct("address", 4, (Member("v4", U32, 0), Member("bytes", Array(U8, 4), 0)), union=True)
    point = event(("x", S32), ("y", S32), name="point")
    ctype = event(
        ("ok", BOOL), ("mac", Array(U8, 3)), ("colour", COLOUR), ("ptr", Pointer("void")),
        ("half", Pointer("int", 4)), ("where", point), ("address", union), ("args", Array(U64, 2)),
        ("ratio", Float("double", 8)),
        ("slots", Array(U32, 9)), ("argv", Array(Array(CHAR, 4), 9)), ("rest", Opaque("opaque", 2)),
    )  # fmt: skip
    pack = struct.Struct("<?3sIQIii4s2Qd9I36s2s").pack
    frame = frame_of(
        ctype,
        batch(
            pack(1, b"\1\0\2", 5, 2**64 - 1, 16, -1, 2, b"\x7f\0\0\1", 1, 2, 0.5, *range(9),
                 b"ls\0x-l", b"hi"),
            pack(0, b"\1\0\2", 7, 16, 0, 3, -4, b"\0\0\0\0", 3, 2**64 - 1, -1.0, *range(9), b"", b"ho"),
        ),
    )  # fmt: skip
    expected = pd.DataFrame(
        {
            "ok": [True, False],
            "mac": objects(b"\1\0\2", b"\1\0\2"),
            "colour": category("GREEN", "7", categories=["RED", "GREEN", "BLUE", "7"]),
            "ptr": HexArray(np.array([2**64 - 1, 16], np.uint64)),
            "half": HexArray(np.array([16, 0], np.uint64)),
            "where.x": np.array([-1, 3], np.int32),
            "where.y": np.array([2, -4], np.int32),
            "address": objects(b"\x7f\0\0\1", b"\0\0\0\0"),
            "args[0]": np.array([1, 3], np.uint64),
            "args[1]": np.array([2, 2**64 - 1], np.uint64),
            "ratio": [0.5, -1.0],
            "slots": objects(np.arange(9, dtype=np.uint32), np.arange(9, dtype=np.uint32)),
            "argv": objects(("ls", "-l"), ()),
            "rest": objects(b"hi", b"ho"),
        }
    )
    pd.testing.assert_frame_equal(frame, expected)
    assert frame["mac"][0] is frame["mac"][1]
    assert np.stack(frame["slots"]).shape == (2, 9)


def test_bitfields():
    bits = Struct(
        "event",
        16,
        (
            Member("low", U32, 0, 3),
            Member("signed_", S32, 3, 5),
            Member("colour", COLOUR, 8, 3),
            Member("on", BOOL, 11, 1),
            Member("wide", U64, 12, 63),
            Member("after", U32, 75, 32),
        ),
    )
    values = [0b101, -7 & 0x1F, 6, 1, (1 << 62) + 12345, 0xDEADBEEF]
    whole = sum(value << at for value, at in zip(values, (0, 3, 8, 11, 12, 75), strict=True))
    frame = frame_of(bits, batch(whole.to_bytes(16, "little"), bytes(16)))
    assert frame["low"].tolist() == [5, 0]
    assert frame["signed_"].tolist() == [-7, 0]
    assert frame["colour"].tolist() == ["BLUE", "RED"]
    assert frame["on"].tolist() == [True, False]
    assert frame["wide"].tolist() == [(1 << 62) + 12345, 0]
    assert frame["after"].tolist() == [0xDEADBEEF, 0]
    assert [str(dtype) for dtype in frame.dtypes] == [
        "uint32",
        "int32",
        "category",
        "bool",
        "uint64",
        "uint32",
    ]


@pytest.mark.parametrize("width", [1, 3, 7, 8, 9, 16, 31, 32, 33, 64, 100])
def test_text_ends_at_the_first_nul(width):
    texts = ["", "a", "häß"[: width // 2], "x" * (width - 1), "y" * width]
    records = [f"{each}\0".encode().ljust(width, b"\xee")[:width] for each in texts]
    frame = frame_of(event(("name", Array(CHAR, width))), batch(*records, *records))
    shown = [record.partition(b"\0")[0].decode("utf-8", "backslashreplace") for record in records]
    assert frame["name"].tolist() == shown * 2
    assert frame["name"].dtype == ("category" if width <= 32 else text("").dtype)


def test_different_bytes_that_read_the_same_are_one_category():
    frame = frame_of(
        event(("name", Array(CHAR, 8))), batch(b"\\xff\0\0\0\0", b"\xff" + bytes(7), b"\xff\0abcdef")
    )
    assert frame["name"].tolist() == ["\\xff"] * 3
    assert list(frame["name"].cat.categories) == ["\\xff"]


def test_values_with_one_hash_stay_apart():
    # The second word of the second row is chosen so that both rows hash alike.
    mix = 0x9E3779B97F4A7C15
    word = 2**64 - 1
    first, second = int.from_bytes(b"aaaaaaaa", "little"), int.from_bytes(b"bbbbbbbb", "little")
    hashed = [((each ^ (each >> 32)) * mix) & word for each in (first, second)]
    tails = [7, 7 ^ hashed[0] ^ hashed[1]]
    words = [np.array([first, second, first], np.uint64), np.array([*tails, tails[0]], np.uint64)]
    codes, values = factorise(words, 3)
    assert codes[0] == codes[2] != codes[1]
    assert values[codes[1]] == b"bbbbbbbb" + tails[1].to_bytes(8, "little")
    assert len(values) == 2


def test_many_categories():
    count = 40_000
    names = [f"{number:05}".encode().ljust(8, b"\0") for number in range(count)]
    frame = frame_of(event(("name", Array(CHAR, 8))), batch(*names, order=0), batch(*names[:10], order=count))
    assert frame["name"].tolist()[-11:] == ["39999", *(f"{number:05}" for number in range(10))]
    assert frame["name"].cat.codes.dtype == np.int32
    assert frame["name"].cat.categories.is_monotonic_increasing


def test_no_events_have_the_same_types():
    ctype = event(
        ("ts", U64), ("uid", U32), ("comm", Array(CHAR, 16)), ("path", Array(CHAR, 64)), ("p", Pointer("x"))
    )
    some, none = frame_of(ctype, batch(bytes(ctype.size))), frame_of(ctype)
    assert len(none) == 0
    assert [str(dtype) for dtype in none.dtypes] == [str(dtype) for dtype in some.dtypes]
    assert len(pd.concat([some, none, some])) == 2


def test_frames_of_two_traces_join():
    ctype = event(("ts", U64), ("comm", Array(CHAR, 16)), ("path", Array(CHAR, 64)), ("p", Pointer("x")))
    first = frame_of(ctype, batch(b"\0" * 8 + b"one".ljust(16, b"\0") + bytes(72)))
    second = frame_of(ctype, batch(b"\0" * 8 + b"two".ljust(16, b"\0") + bytes(72)))
    both = pd.concat([first, second], ignore_index=True)
    assert both["comm"].tolist() == ["one", "two"]
    assert both["p"].dtype == "hex"


class TestSizes:
    short = event(("a", U64), name="short")
    long = event(("a", U64), ("b", U64), name="long")
    path = event(("size", U64), ("path", Array(CHAR, 40)), name="path")

    def test_perf_records_are_padded(self):
        built = build([self.short], [batch(bytes(7) + b"\1" + b"\xee" * 4, padded=True)], CLOCK)
        assert built.frames["short"]["a"].tolist() == [1 << 56]
        assert built.undecoded == 0
        assert built.notes == ()

    def test_only_what_an_array_at_the_end_needs_may_be_missing(self):
        records = [struct.pack("<Q", 3) + b"abc", struct.pack("<Q", 4) + b"long"]
        frame = frame_of(self.path, batch(records[0]), batch(records[1], order=1))
        assert frame["path"].tolist() == ["abc", "long"]
        built = build([self.path], [batch(b"1234567")], CLOCK)
        assert built.undecoded == 1
        assert len(built.frames["path"]) == 0
        assert built.rest["data"].tolist() == [b"1234567"]
        assert built.notes == ("1 events of 7 bytes fit no type (48 bytes)",)

    def test_events_longer_than_their_type(self):
        built = build([self.short], [batch(bytes(30), bytes(30))], CLOCK)
        assert len(built.frames["short"]) == 2
        assert built.undecoded == 0
        assert built.notes == (
            "2 events of 30 bytes are longer than their type (8 bytes): the rest of them is not shown",
        )

    @pytest.mark.parametrize(("element", "value"), [(CHAR, "abc"), (U8, b"abc\0ef")])
    def test_flexible_arrays(self, element, value):
        ctype = Struct("event", 8, (Member("n", U32, 0), Member("data", Array(element, 0), 32)))
        record = struct.pack("<I", 9) + b"abc\0ef"
        built = build([ctype], [batch(record, record), batch(record[:4], order=2)], CLOCK)
        assert built.frames["event"]["data"].tolist()[:2] == [value, value]
        assert built.notes == ()

    def test_flexible_array_of_numbers(self):
        ctype = Struct("event", 4, (Member("n", U32, 0), Member("data", Array(Array(U32, 2), 0), 32)))
        built = build([ctype], [batch(struct.pack("<5Ix", 2, 1, 2, 3, 4)), batch(bytes(4), order=1)], CLOCK)
        first, second = built.frames["event"]["data"]
        assert first.tolist() == [[1, 2], [3, 4]]
        assert second.shape == (0, 2)

    def test_types_are_told_apart_by_size(self):
        batches = [
            batch(struct.pack("<Q", 10), struct.pack("<Q", 12), index=[0, 2]),
            batch(struct.pack("<QQ", 11, 1), index=[1]),
            batch(struct.pack("<QQ", 13, 1), order=3),
            batch(b"odd", order=4),
        ]
        built = build([self.short, self.long], batches, CLOCK)
        assert list(built.frames) == ["short", "long"]
        assert built.frames["short"]["a"].to_dict() == {0: 10, 2: 12}
        assert built.frames["long"]["a"].to_dict() == {1: 11, 3: 13}
        assert built.frames["long"].index.name == "event"
        assert built.undecoded == 1
        assert pd.concat(list(built.frames.values())).sort_index()["a"].tolist() == [10, 11, 12, 13]

    def test_types_of_one_size_cannot_be_told_apart(self):
        other = event(("x", U32), ("y", U32), name="other")
        built = build([self.short, other, self.long], [batch(b"12345678"), batch(bytes(16), order=1)], CLOCK)
        assert list(built.frames) == ["short or other", "long"]
        assert built.frames["short or other"]["data"].tolist() == [b"12345678"]
        assert built.undecoded == 1
        assert "cannot be told apart" in built.notes[0]

    def test_padding_can_hide_the_difference(self):
        other = event(("a", U64), ("b", U32), name="other")
        records = [batch(bytes(12), padded=True)]
        assert list(build([self.short, other], records, CLOCK).frames) == ["short or other"]
        assert list(build([self.short, other], [batch(bytes(12))], CLOCK).frames) == ["short", "other"]

    def test_without_a_type(self):
        batches = [batch(b"abc", b"ghi", index=[0, 2]), batch(b"defg", index=[1])]
        frame = build([], batches, CLOCK).frames["bytes"]
        assert frame["size"].tolist() == [3, 4, 3]
        assert frame["data"].tolist() == [b"abc", b"defg", b"ghi"]
        assert build([], [], CLOCK).frames["bytes"].dtypes.tolist() == [np.dtype("int64"), np.dtype(object)]

    def test_plain_values(self):
        assert frame_of(U64, batch(bytes(8)))["value"].tolist() == [0]
        assert frame_of(Array(CHAR, 8), batch(b"hello\0xx"))["value"].tolist() == ["hello"]


class TestOrder:
    ctype = event(("n", U64), ("tail", Array(CHAR, 8)))

    @staticmethod
    def numbers(values, order=0, index=None, tail=b"") -> Batch:
        return batch(*(struct.pack("<Q", value) + tail for value in values), order=order, index=index)

    def test_events_of_several_sizes_come_in_order(self, monkeypatch):
        for limit in (1, 20, 1 << 20):
            monkeypatch.setattr(build_module, "_BLOCK_BYTES", limit)
            frame = frame_of(
                self.ctype,
                self.numbers([4, 6], index=[4, 6]),
                self.numbers([0, 1], order=0),
                self.numbers([2, 3], order=2, tail=b"ab"),
                self.numbers([5, 7, 8], index=[5, 7, 8], tail=b"abc"),
                self.numbers([9], order=9),
            )
            assert frame["n"].tolist() == list(range(10))
            assert frame["tail"].tolist() == ["", "", "ab", "ab", "", "abc", "", "abc", "abc", ""]

    def test_gaps_do_not_matter(self):
        frame = frame_of(self.ctype, self.numbers([0, 5], index=[0, 5]), self.numbers([9, 11], index=[9, 11]))
        assert frame["n"].tolist() == [0, 5, 9, 11]
        assert frame.index.tolist() == [0, 1, 2, 3]

    def test_many_small_batches_and_one_large(self, monkeypatch):
        monkeypatch.setattr(build_module, "_BLOCK_BYTES", 64)
        parts = [self.numbers([at], order=at) for at in range(23)]
        parts.append(self.numbers(range(23, 50), order=23))
        assert frame_of(self.ctype, *parts)["n"].tolist() == list(range(50))


def test_memory():
    count = 400_000
    ctype = event(("ts", U64), ("pid", U32), ("uid", U32), ("comm", Array(CHAR, 16)))
    data = np.zeros((count, 32), np.uint8)
    data[:, 16] = np.arange(count) % 23 + 65
    parts = [Batch(32, data[at : at + 40_000].copy(), at) for at in range(0, count, 40_000)]
    tracemalloc.start()
    try:
        built = build([ctype], parts, CLOCK)
        _, kept_peak = tracemalloc.get_traced_memory()
        del built
        released = [Batch(32, part.data.copy(), part.order) for part in parts]
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        frame = build([ctype], released, CLOCK, release=True).frames["event"]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Beside the events (32 bytes each): 8 + 4 + 4 for numbers, 1 for each category, and one block at work.
    assert kept_peak < count * 18 + 12 * (2 << 20)
    assert released == []
    assert after < before - count * 12
    assert len(frame) == count
