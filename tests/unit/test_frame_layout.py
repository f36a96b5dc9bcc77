"""Which columns a C type becomes."""

import pytest

from ebpf_lab.frame.layout import Bits, Kind, Layout
from ebpf_lab.source.ctype import Array, Enum, Float, Int, Member, Opaque, Pointer, Struct

U8 = Int("unsigned char", 1, False)
S8 = Int("signed char", 1, True)
CHAR = Int("char", 1, True, char=True)
U16 = Int("unsigned short", 2, False)
S32 = Int("int", 4, True)
U32 = Int("unsigned int", 4, False)
U64 = Int("unsigned long long", 8, False)
BOOL = Int("_Bool", 1, False, boolean=True)


def struct(*members, name="event", union=False) -> Struct:
    """Members without padding, in a row or, in a union, all at the start."""
    placed, end, size = [], 0, 0
    for label, ctype in members:
        placed.append(Member(label, ctype, 0 if union else end * 8))
        end += ctype.size
        size = max(size, ctype.size)
    return Struct(name, size if union else end, tuple(placed), union)


def columns(ctype) -> list[tuple]:
    return [(each.name, each.kind, each.offset, each.size) for each in Layout.of(ctype).columns]


@pytest.mark.parametrize(
    ("ctype", "kind", "number"),
    [
        (U8, Kind.NUMBER, "<u1"),
        (S8, Kind.NUMBER, "<i1"),
        (CHAR, Kind.NUMBER, "<i1"),
        (U16, Kind.NUMBER, "<u2"),
        (S32, Kind.NUMBER, "<i4"),
        (U64, Kind.NUMBER, "<u8"),
        (BOOL, Kind.BOOL, "?"),
        (Float("double", 8), Kind.NUMBER, "<f8"),
        (Float("float", 4), Kind.NUMBER, "<f4"),
        (Float("long double", 16), Kind.BYTES, ""),
        (Int("__int128", 16, True), Kind.BYTES, ""),
        (Enum("e", 4, False, ()), Kind.ENUM, "<u4"),
        (Enum("e", 8, True, ()), Kind.ENUM, "<i8"),
        (Pointer("void"), Kind.POINTER, "<u8"),
        (Pointer("void", 4), Kind.POINTER, "<u4"),
        (Opaque("mystery", 3), Kind.BYTES, ""),
        (Array(CHAR, 16), Kind.CATEGORY, ""),
        (Array(CHAR, 32), Kind.CATEGORY, ""),
        (Array(CHAR, 33), Kind.TEXT, ""),
        (Array(U8, 6), Kind.BYTES, ""),
        (Array(U64, 9), Kind.ROWS, "<u8"),
        (Array(BOOL, 9), Kind.ROWS, "?"),
        (Array(Array(S32, 2), 9), Kind.ROWS, "<i4"),
        (Array(Array(CHAR, 8), 9), Kind.TEXTS, ""),
        (Array(struct(("x", U32)), 9), Kind.BYTES, ""),
        (struct(("a", U32), ("b", U64), union=True), Kind.BYTES, ""),
    ],
)
def test_one_column(ctype, kind, number):
    for layout in (Layout.of(ctype, "m"), Layout.of(struct(("m", ctype)))):
        (column,) = layout.columns
        assert (column.name, column.kind, column.size, column.number) == ("m", kind, ctype.size, number)
        assert layout.size == ctype.size


@pytest.mark.parametrize("ctype", [Opaque("nothing", 0), struct(), Array(U32, 0), Array(struct(), 5)])
def test_no_column(ctype):
    assert columns(struct(("nothing", ctype), ("x", U32))) == [("x", Kind.NUMBER, 0, 4)]


def test_nested_anonymous_and_arrays():
    point = struct(("x", S32), ("y", S32), name="point")
    either = struct(("v4", U32), ("v6", Array(U8, 16)), name="", union=True)
    inner = struct(("who", Array(CHAR, 16)), ("at", Array(point, 2)), name="inner")
    found = columns(
        struct(
            ("head", inner),
            ("", struct(("a", U32), ("b", U32), name="")),
            ("", either),
            ("args", Array(U64, 2)),
            ("grid", Array(Array(U16, 2), 2)),
            ("argv", Array(Array(CHAR, 8), 2)),
        )
    )
    assert found == [
        ("head.who", Kind.CATEGORY, 0, 16),
        ("head.at[0].x", Kind.NUMBER, 16, 4),
        ("head.at[0].y", Kind.NUMBER, 20, 4),
        ("head.at[1].x", Kind.NUMBER, 24, 4),
        ("head.at[1].y", Kind.NUMBER, 28, 4),
        ("a", Kind.NUMBER, 32, 4),
        ("b", Kind.NUMBER, 36, 4),
        ("v4", Kind.NUMBER, 40, 4),
        ("v6", Kind.BYTES, 40, 16),
        ("args[0]", Kind.NUMBER, 56, 8),
        ("args[1]", Kind.NUMBER, 64, 8),
        ("grid[0][0]", Kind.NUMBER, 72, 2),
        ("grid[0][1]", Kind.NUMBER, 74, 2),
        ("grid[1][0]", Kind.NUMBER, 76, 2),
        ("grid[1][1]", Kind.NUMBER, 78, 2),
        ("argv[0]", Kind.CATEGORY, 80, 8),
        ("argv[1]", Kind.CATEGORY, 88, 8),
    ]


def test_bitfields():
    flags = Struct(
        "flags",
        4,
        (Member("low", U32, 0, 3), Member("", U32, 3, 5), Member("high", S32, 13, 19)),
    )
    low, high = Layout.of(flags).columns
    assert (low.name, low.offset, low.size, low.bits) == ("low", 0, 1, Bits(0, 3))
    assert (high.name, high.offset, high.size, high.bits) == ("high", 1, 3, Bits(5, 19))


def test_shortest_event():
    assert Layout.of(struct(("a", U64), ("name", Array(CHAR, 64)))).least == 8
    assert Layout.of(struct(("name", Array(CHAR, 64)), ("a", U64))).least == 72
    assert Layout.of(struct()).least == 0


def test_flexible_array():
    layout = Layout.of(Struct("event", 8, (Member("size", U32, 0), Member("data", Array(CHAR, 0), 32))))
    assert layout.flexible
    assert layout.least == 4
    assert [(each.name, each.kind, each.flexible) for each in layout.columns] == [
        ("size", Kind.NUMBER, False),
        ("data", Kind.TEXT, True),
    ]
    # In the middle of a struct it has no bytes of its own.
    assert not Layout.of(struct(("data", Array(CHAR, 0)), ("a", U32))).flexible
