"""Values as they are written, as the bytes of a C type: what fits, and what is said of what does not."""

from __future__ import annotations

import numpy as np
import pytest

from ebpf_lab.frame.columns import store_for
from ebpf_lab.frame.encode import encode, from_text, put
from ebpf_lab.frame.layout import Column, Layout
from ebpf_lab.source.ctype import Array, CType, Enum, Float, Int, Member, Pointer, Struct

U8, U32 = Int("u8", 1, signed=False), Int("u32", 4, signed=False)
S16, U64 = Int("s16", 2, signed=True), Int("u64", 8, signed=False)
CHAR = Int("char", 1, signed=True, char=True)
BOOL = Int("bool", 1, signed=False, boolean=True)
MODE = Enum("mode", 4, False, (("ALL", 0), ("ODD", 7)))
TALLY = Struct(
    "tally",
    24,
    (
        Member("calls", U64, 0),
        Member("last", S16, 64),
        Member("low", U32, 96, bit_size=3),
        Member("high", Int("int", 4, signed=True), 99, bit_size=5),
        Member("name", Array(CHAR, 8), 128),
    ),
)


def column(ctype: CType) -> Column:
    (found,) = Layout.of(ctype).columns
    return found


@pytest.mark.parametrize(
    ("ctype", "typed", "expected"),
    [
        (U32, "7", "07000000"),
        (U32, " 0xff ", "ff000000"),
        (U64, "1,000", "e803000000000000"),
        (S16, "-2", "feff"),
        (Float("double", 8), "1.5", "000000000000f83f"),
        (BOOL, "True", "01"),
        (BOOL, "0", "00"),
        (MODE, "ODD", "07000000"),
        (MODE, "3", "03000000"),
        (Pointer("void"), "0xffff888000000000", "0000000080 88ffff".replace(" ", "")),
        (Array(CHAR, 4), "cat", "63617400"),
        (Array(U8, 3), "00 01ff", "0001ff"),
    ],
)
def test_what_is_typed_becomes_bytes(ctype: CType, typed: str, expected: str) -> None:
    block = bytearray(ctype.size)
    put(block, column(ctype), from_text(column(ctype), typed))
    assert block.hex() == expected


@pytest.mark.parametrize(
    ("ctype", "typed", "words"),
    [
        (U8, "256", "256 does not fit u8 (0 to 255)"),
        (S16, "-32769", "does not fit s16 (-32768 to 32767)"),
        (U32, "-1", "-1 does not fit u32 (0 to 4294967295)"),
        (U32, "many", "'many' is no u32"),
        (U32, "1.5", "'1.5' is no u32"),
        (BOOL, "2", "2 does not fit bool (0 to 1)"),
        (MODE, "SIDEWAYS", "'SIDEWAYS' is no mode; it has ALL and ODD"),
        (Float("float", 4), "much", "'much' is no float"),
        (Float("float", 4), "1e99", "is no float"),
        (Array(CHAR, 4), "cats", "'cats' does not fit char[4]: 3 bytes and a NUL"),
        (Array(U8, 3), "0001", "is not 3 bytes"),
        (Array(U8, 3), "xyz", "is not hexadecimal"),
        (Array(U32, 9), "1", "cannot be set from here: it is an array"),
    ],
)
def test_what_does_not_fit_is_said(ctype: CType, typed: str, words: str) -> None:
    block = bytearray(ctype.size)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        put(block, column(ctype), from_text(column(ctype), typed))
    assert words in str(caught.value)
    assert block == bytes(ctype.size)


@pytest.mark.parametrize("wrong", [1.5, "7.0", None, [1], b"7"])
def test_a_number_is_a_number(wrong: object) -> None:
    with pytest.raises(ValueError, match="is no u32"):
        put(bytearray(4), column(U32), wrong)


def test_members_that_are_not_named_stay() -> None:
    layout = Layout.of(TALLY)
    before = encode(layout, {"calls": 1, "last": -1, "low": 5, "high": -16, "name": "cat"}, bytes(24))
    after = encode(layout, {"high": 15, "calls": 2}, before)
    block = np.frombuffer(after, np.uint8).reshape(1, -1)
    read = {}
    for each in layout.columns:
        store = store_for(each, 1)
        store.put(slice(None), block)
        read[each.name] = store.array()[0]
    assert read == {"calls": 2, "last": -1, "low": 5, "high": 15, "name": "cat"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (7, "7 is one value; a dict of calls, last, low, high and name is needed"),
        ({"call": 7}, "there is no member call; did you mean calls?"),
        ({"low": 8}, "8 does not fit u32:3 (0 to 7)"),
        ({"high": 16}, "16 does not fit int:5 (-16 to 15)"),
    ],
)
def test_a_struct_s_members_are_named(given: object, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        encode(Layout.of(TALLY), given, bytes(24))
    assert words in str(caught.value)
