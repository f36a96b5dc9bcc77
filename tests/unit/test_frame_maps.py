"""Maps of known bytes to exact frames."""

import struct

import numpy as np
import pandas as pd
import pytest

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.maps import map_frame
from ebpf_lab.frame.stacks import StackNames
from ebpf_lab.source.ctype import Array, CType, Int, Member, Struct

HASH, PERCPU_HASH, PERCPU_ARRAY, ARRAY = 1, 5, 6, 2
CHAR = Int("char", 1, True, char=True)
S32 = Int("int", 4, True)
U32 = Int("unsigned int", 4, False)
U64 = Int("unsigned long long", 8, False)
CLOCK = TraceClock(10**12, 10**12, 10**18, 10**18)


def record(*members, name="key") -> Struct:
    placed, end = [], 0
    for label, ctype in members:
        placed.append(Member(label, ctype, end * 8))
        end += ctype.size
    return Struct(name, end, tuple(placed))


def loaded(key: CType | None, value: CType | None, kind=HASH, *, key_size=4, value_size=8, histogram=False):
    key_size, value_size = getattr(key, "size", key_size), getattr(value, "size", value_size)
    return LoadedMap("counts", 3, kind, key_size, value_size, 100, key, value, histogram)


def rows(*records: bytes, width: int) -> np.ndarray:
    return np.frombuffer(b"".join(records), np.uint8).reshape(len(records), width)


def frame_of(source: LoadedMap, elements: list[tuple[bytes, *tuple[bytes, ...]]], clock=None, **options):
    keys = rows(*(key for key, *_ in elements), width=source.key_size)
    cpus = len(elements[0]) - 1 if elements else 1
    values = rows(*(value for _, *each in elements for value in each), width=source.value_size)
    return map_frame(source, keys, values.reshape(len(elements), cpus, source.value_size), clock, **options)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def test_scalars_are_sorted_by_key():
    frame = frame_of(loaded(U32, U64), [(u32(9), u64(1)), (u32(2), u64(2**63)), (u32(4), u64(0))])
    expected = pd.DataFrame(
        {"key": np.array([2, 4, 9], np.uint32), "value": np.array([2**63, 0, 1], np.uint64)}
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_structs_and_names():
    key = record(("comm", Array(CHAR, 16)), ("uid", U32), ("pid", U32))
    value = record(("pid", U32), ("total_ns", U64), ("ret", S32), name="value")
    pack_key, pack_value = struct.Struct("<16sII").pack, struct.Struct("<IQi").pack
    frame = frame_of(
        loaded(key, value),
        [(pack_key(b"sh\0x", 0, 7), pack_value(1, 1500, -13)), (pack_key(b"cat", 0, 8), pack_value(2, 7, 0))],
        CLOCK,
    )
    assert frame.columns.tolist() == [
        "comm",
        "uid",
        "uid_name",
        "pid",
        "value.pid",
        "total_ns",
        "ret",
        "ret_errno",
    ]
    assert frame["comm"].tolist() == ["cat", "sh"]
    assert frame["uid_name"].tolist() == ["root", "root"]
    assert frame["value.pid"].tolist() == [2, 1]
    assert frame["total_ns"].tolist() == [pd.Timedelta(7, "ns"), pd.Timedelta(1500, "ns")]
    assert frame["ret_errno"].tolist() == [np.nan, "EACCES"]


def test_times_without_a_clock_stay_integers():
    assert frame_of(loaded(U32, record(("ts", U64))), [(u32(1), u64(10**12))])["ts"].tolist() == [10**12]
    with_clock = frame_of(loaded(U32, record(("ts", U64))), [(u32(1), u64(10**12 + 5))], CLOCK)
    assert with_clock["ts"].tolist() == [pd.Timedelta(5, "ns")]


def test_bytes_of_no_known_type():
    assert frame_of(loaded(None, None), [(u32(5), u64(6))]).to_dict("list") == {"key": [5], "value": [6]}
    frame = frame_of(loaded(None, None, key_size=3, value_size=12), [(b"abc", bytes(12))])
    assert frame.to_dict("list") == {"key": [b"abc"], "value": [bytes(12)]}


@pytest.mark.parametrize("clock", [None, CLOCK])
def test_empty_maps_have_types(clock):
    key = record(("comm", Array(CHAR, 16)))
    for kind in (HASH, PERCPU_HASH):
        frame = frame_of(loaded(key, U64, kind), [], clock)
        assert [str(dtype) for dtype in frame.dtypes][:2] == ["category", "uint64"]
        assert len(frame) == 0


class TestPerCpu:
    def test_scalars(self):
        frame = frame_of(
            loaded(U32, U64, PERCPU_HASH),
            [(u32(8), u64(3), u64(4), u64(0)), (u32(5), u64(0), u64(10), u64(0))],
        )
        expected = pd.DataFrame(
            {
                "key": np.array([5, 8], np.uint32),
                "value": np.array([10, 7], np.uint64),
                "cpu0": np.array([0, 3], np.uint64),
                "cpu1": np.array([10, 4], np.uint64),
            }
        )
        pd.testing.assert_frame_equal(frame, expected)

    def test_structs(self):
        value = record(("n", S32), ("total_ns", U64), ("ts", U64), ("comm", Array(CHAR, 8)), name="value")
        pack = struct.Struct("<iQQ8s").pack
        frame = frame_of(
            loaded(U32, value, PERCPU_ARRAY),
            [(u32(0), pack(-1, 5, 10**12, b"a"), pack(3, 6, 10**12 + 1, b"b"))],
            CLOCK,
        )
        assert frame.columns.tolist() == [
            "key", "n", "n.cpu0", "n.cpu1", "total_ns", "total_ns.cpu0", "total_ns.cpu1",
            "ts.cpu0", "ts.cpu1", "comm.cpu0", "comm.cpu1",
        ]  # fmt: skip
        assert frame.iloc[0].tolist() == [
            0, 2, -1, 3, *(pd.Timedelta(each, "ns") for each in (11, 5, 6, 0, 1)), "a", "b",
        ]  # fmt: skip

    def test_small_numbers_do_not_overflow(self):
        frame = frame_of(loaded(U32, U32, PERCPU_ARRAY), [(u32(0), u32(2**32 - 1), u32(1))])
        assert frame["value"].tolist() == [2**32]

    def test_one_cpu_is_still_shown(self):
        frame = frame_of(loaded(U32, U64, PERCPU_ARRAY), [(u32(0), u64(0), u64(0))])
        assert frame.columns.tolist() == ["key", "value", "cpu0"]


class TestHistogram:
    def test_log2(self):
        # As bpf_log2l puts them: 0 and 1 in slot 1, 2 and 3 in slot 2, 4 to 7 in slot 3.
        counts = {1: 3, 3: 5, 64: 0}
        source = loaded(S32, U64, ARRAY, histogram=True)
        frame = frame_of(source, [(u32(slot), u64(counts.get(slot, 0))) for slot in range(64)])
        expected = pd.DataFrame(
            {
                "slot": [1, 2, 3],
                "low": np.array([0, 2, 4], np.uint64),
                "high": np.array([1, 3, 7], np.uint64),
                "count": np.array([3, 0, 5], np.uint64),
            }
        )
        pd.testing.assert_frame_equal(frame, expected)

    def test_last_slot_and_slot_0(self):
        source = loaded(S32, U64, HASH, histogram=True)
        frame = frame_of(source, [(u32(64), u64(1)), (u32(0), u64(2))])
        assert len(frame) == 65
        assert frame.iloc[0].tolist() == [0, 0, 0, 2]
        last = {"slot": 64, "low": 2**63, "high": 2**64 - 1, "count": 1}
        assert frame.tail(1).to_dict("records") == [last]

    def test_one_for_each_key(self):
        key = record(("disk", Array(CHAR, 8)), ("slot", U64))
        pack = struct.Struct("<8sQ").pack
        source = loaded(key, U64, HASH, histogram=True)
        frame = frame_of(
            source, [(pack(b"sdb", 2), u64(1)), (pack(b"sda", 5), u64(2)), (pack(b"sda", 3), u64(4))]
        )
        assert frame.to_dict("list") == {
            "disk": ["sda", "sda", "sdb"],
            "slot": [3, 5, 2],
            "low": [4, 16, 2],
            "high": [7, 31, 3],
            "count": [4, 2, 1],
        }

    def test_linear_slots_have_no_bounds(self):
        source = loaded(S32, U64, HASH, histogram=True)
        frame = frame_of(source, [(u32(100), u64(1)), (u32(7), u64(2))])
        assert frame.to_dict("list") == {"slot": [7, 100], "count": [2, 1]}

    def test_nothing_counted(self):
        source = loaded(S32, U64, ARRAY, histogram=True)
        frame = frame_of(source, [(u32(slot), u64(0)) for slot in range(64)])
        assert frame.columns.tolist() == ["slot", "low", "high", "count"]
        assert len(frame) == 0
        assert len(frame_of(source, [])) == 0

    def test_per_cpu_counts_are_summed(self):
        source = loaded(S32, U64, PERCPU_ARRAY, histogram=True)
        frame = frame_of(source, [(u32(slot), u64(slot), u64(1)) for slot in range(1, 3)])
        assert frame["count"].tolist() == [2, 3]


def test_stack_ids_in_keys():
    key = record(("pid", U32), ("kernel_stack_id", S32))
    names = StackNames(
        {7: np.array([2**63 + 2, 2**63 + 1], np.uint64)},
        lambda found: [f"k{int(address) - 2**63}" for address in found],
        lambda pid, found: [],
    )
    source = loaded(key, U64)
    elements = [(struct.pack("<Ii", 1, 7), u64(3)), (struct.pack("<Ii", 1, -17), u64(1))]
    frame = frame_of(source, elements, stacks=names)
    assert frame.to_dict("list") == {
        "pid": [1, 1],
        "kernel_stack_id": [-17, 7],
        "kernel_stack": ["[EEXIST]", "k1;k2"],
        "value": [1, 3],
    }
