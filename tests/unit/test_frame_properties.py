"""Random C types and bytes, read as ctypes does, which lays structs out by the platform's C rules."""

import ctypes
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpf_lab.frame.build import build
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.readers.batch import Batch
from ebpf_lab.source.ctype import Array, CType, Enum, Float, Int, Member, Opaque, Pointer, Struct

CLOCK = TraceClock(10**12, 2 * 10**12, 10**18, 10**18)
SCALARS: list[tuple[type, CType]] = [
    (ctypes.c_uint8, Int("unsigned char", 1, False)),
    (ctypes.c_int8, Int("signed char", 1, True)),
    (ctypes.c_uint16, Int("unsigned short", 2, False)),
    (ctypes.c_int16, Int("short", 2, True)),
    (ctypes.c_uint32, Int("unsigned int", 4, False)),
    (ctypes.c_int32, Int("int", 4, True)),
    (ctypes.c_uint64, Int("unsigned long long", 8, False)),
    (ctypes.c_int64, Int("long long", 8, True)),
    (ctypes.c_bool, Int("_Bool", 1, False, boolean=True)),
    (ctypes.c_float, Float("float", 4)),
    (ctypes.c_double, Float("double", 8)),
    (ctypes.c_void_p, Pointer("void")),
]
CHAR = Int("char", 1, True, char=True)


def pair_of_array(pair: tuple[type, CType], length: int) -> tuple[type, CType]:
    return pair[0] * length, Array(pair[1], length)


def pair_of_struct(members: list[tuple[tuple[type, CType], int | None]], union: bool) -> tuple[type, CType]:
    """A ctypes class and the C type that has each member where ctypes put it."""
    base = ctypes.Union if union else ctypes.Structure
    fields: list[tuple] = []
    bits_of: int | None = None
    for number, (pair, bits) in enumerate(members):
        # ctypes misreads a bitfield behind one of another width, and all bits of a bool's byte.
        is_number = isinstance(pair[1], Int) and not pair[1].boolean
        if bits is not None and is_number and not union and bits_of in (None, pair[1].size):
            bits_of = pair[1].size
            fields.append((f"m{number}", pair[0], min(bits, bits_of * 8)))
        else:
            fields.append((f"m{number}", pair[0]))
    made = type("Made", (base,), {"_fields_": fields})
    placed = []
    for (pair, _), field in zip(members, fields, strict=True):
        found = getattr(made, field[0])
        if len(field) == 3:
            bits = found.size >> 16
            placed.append(Member(field[0], pair[1], found.offset * 8 + (found.size & 0xFFFF), bits))
        else:
            placed.append(Member(field[0], pair[1], found.offset * 8))
    return made, Struct("made", ctypes.sizeof(made), tuple(placed), union)


scalars = st.sampled_from(SCALARS)
texts = st.integers(1, 70).map(lambda length: pair_of_array((ctypes.c_char, CHAR), length))


def extended(inner):
    arrays = st.builds(pair_of_array, inner, st.integers(1, 12))
    members = st.lists(st.tuples(inner, st.none() | st.integers(1, 64)), min_size=1, max_size=5)
    return arrays | st.builds(pair_of_struct, members, st.booleans())


types = st.recursive(scalars | texts, extended, max_leaves=12)
structs = st.builds(
    pair_of_struct,
    st.lists(st.tuples(types, st.none() | st.integers(1, 64)), min_size=1, max_size=6),
    st.just(False),
)


def expected(name: str, ctype: CType, value: Any, data: bytes) -> Iterator[tuple[str, Any]]:
    """Columns and values by the table in ebpf_lab.frame.layout, from what ctypes read."""
    if isinstance(ctype, Struct) and not ctype.union:
        for member in ctype.members:
            start = member.bit_offset // 8
            part = data[start : start + member.type.size]
            yield from expected(
                f"{name}.{member.name}" if name else member.name,
                member.type,
                getattr(value, member.name),
                part,
            )
    elif isinstance(ctype, Array) and ctype.element == CHAR:
        yield name, data.partition(b"\0")[0].decode("utf-8", "backslashreplace")
    elif isinstance(ctype, Array) and ctype.length <= 8 and ctype.element != SCALARS[0][1]:
        size = ctype.element.size
        for index in range(ctype.length):
            part = data[index * size : (index + 1) * size]
            yield from expected(f"{name}[{index}]", ctype.element, value[index], part)
    elif isinstance(ctype, Array) and ctype.element != SCALARS[0][1]:
        core = ctype.element
        while isinstance(core, Array) and core.element != CHAR:
            core = core.element
        if isinstance(ctype.element, Array) and ctype.element.element == CHAR:
            width = ctype.element.size
            shown = [data[at : at + width].partition(b"\0")[0] for at in range(0, len(data), width)]
            while shown and not shown[-1]:
                shown.pop()
            yield name, tuple(text.decode("utf-8", "backslashreplace") for text in shown)
        else:
            yield name, data if isinstance(core, Struct | Array) else nested(value)
    elif isinstance(ctype, Array | Struct | Opaque):
        yield name, data
    else:
        yield name, value or 0 if isinstance(ctype, Pointer) else value


def nested(value: Any) -> Any:
    return [nested(each) for each in value] if isinstance(value, ctypes.Array) else value or 0


def same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        found = found.tolist() if isinstance(found, np.ndarray) else found
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, float) and math.isnan(wanted):
        return math.isnan(found)
    return bool(found == wanted)


@settings(max_examples=100, deadline=None)
@given(structs, st.data())
def test_decodes_as_c_lays_out(pair, data):
    made, ctype = pair
    records = data.draw(st.lists(st.binary(min_size=ctype.size, max_size=ctype.size), min_size=1, max_size=4))
    block = np.frombuffer(b"".join(records), np.uint8).reshape(len(records), ctype.size)
    built = build([ctype], [Batch(ctype.size, block, 0)], CLOCK)
    frame = built.frames["made"]
    assert built.undecoded == 0
    for row, record in enumerate(records):
        wanted = dict(expected("", ctype, made.from_buffer_copy(record), record))
        assert list(frame.columns) == list(wanted)
        for name, value in wanted.items():
            assert same(frame[name].iloc[row], value), name


NAMES = st.sampled_from(
    [
        *("ts", "ts_ns", "lat_ns", "queue_ns", "ret", "errno", "sig", "nr", "syscall", "uid", "mode"),
        *("flags", "open_flags", "kstack_id", "pid", "comm", "path", "x"),
    ]
)
ENUMS = st.builds(
    lambda size, signed, values: Enum("e", size, signed, tuple(values)),
    st.sampled_from([1, 2, 4, 8]),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(["A", "B", "C"]), st.integers(-5, 5)), unique_by=lambda pair: pair[0]),
)
OTHERS = st.builds(Opaque, st.just("o"), st.integers(0, 9)) | st.builds(
    Int, st.just("i"), st.integers(0, 17), st.booleans()
)
ANY = types.map(lambda pair: pair[1]) | ENUMS | OTHERS


@st.composite
def any_struct(draw) -> Struct:
    """Members wherever they happen to lie, over one another and with bit offsets that no compiler gives."""
    placed, end = [], 0
    for name in draw(st.lists(NAMES, unique=True, max_size=6)):
        ctype = draw(ANY | st.builds(Array, ANY, st.just(0)))
        bits = draw(st.integers(1, 64)) if isinstance(ctype, Int | Enum) and draw(st.booleans()) else None
        at = draw(st.integers(0, 64)) * (8 if bits is None else 1)
        placed.append(Member(name, ctype, at, bits))
        end = max(end, (at + 7) // 8 + max(ctype.size, 9))
    return Struct("event", end, tuple(placed))


@settings(max_examples=100, deadline=None)
@given(any_struct(), st.lists(st.binary(max_size=120), max_size=5), st.booleans())
def test_no_bytes_and_no_type_ever_raise(ctype, records, padded):
    batches = [
        Batch(len(record), np.frombuffer(record, np.uint8).reshape(1, -1), at, None, padded)
        for at, record in enumerate(records)
    ]
    built = build([ctype], batches, CLOCK)
    frame = built.frames["event"]
    assert len(frame) + built.undecoded == len(records)
    assert len(built.rest) == built.undecoded
    repr(frame)
    assert len(pd.concat([frame, frame])) == 2 * len(frame)
    assert len(build([], batches, CLOCK).frames["bytes"]) == len(records)
