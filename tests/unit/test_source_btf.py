"""BTF: clang's output as bpftool reads it, by hand what clang 14 does not write, and damaged bytes."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.errors import EventDecodeError
from ebpf_lab.source.btf import Btf, BtfVariable, Kind
from ebpf_lab.source.btf_ext import LineInfo, line_info
from ebpf_lab.source.ctype import Array, CType, Enum, Float, Int, Member, Opaque, Pointer, Struct

DATA = Path(__file__).parent / "data"
BTF = (DATA / "btf_sample.btf").read_bytes()
BTF_EXT = (DATA / "btf_sample.btf_ext").read_bytes()
REFERENCE = json.loads((DATA / "btf_sample.json").read_text())["types"]

U32 = Int("unsigned int", 4, False)


@pytest.fixture(scope="module")
def sample() -> Btf:
    return Btf.parse(BTF)


def make(*types: bytes, strings: bytes = b"\0", order: str = "<") -> Btf:
    body = b"".join(types)
    header = struct.pack(f"{order}HBBI4I", 0xEB9F, 1, 0, 24, 0, len(body), len(body), len(strings))
    return Btf.parse(header + body + strings)


def head(kind: Kind, size_or_type: int, *, name: int = 0, vlen: int = 0, flag: bool = False) -> bytes:
    return struct.pack("<III", name, flag << 31 | kind << 24 | vlen, size_or_type)


def test_every_type_is_as_bpftool_reads_it(sample: Btf) -> None:
    assert len(sample) == len(REFERENCE) + 1
    assert sample.types[0].kind is Kind.VOID
    for mine, reference in zip(sample.types[1:], REFERENCE, strict=True):
        name = "" if reference["name"] == "(anon)" else reference["name"]
        assert (mine.id, mine.kind.name, mine.name) == (reference["id"], reference["kind"], name)
        for key in ("size", "type_id"):
            if key in reference and mine.kind is not Kind.ARRAY and mine.kind is not Kind.DATASEC:
                assert mine.size_or_type == reference[key]
        if "members" in reference:
            assert [
                ("(anon)" if not m.name else m.name, m.type_id, m.bit_offset, m.bit_size)
                for m in sample.members(mine.id)
            ] == [
                (m["name"], m["type_id"], m["bits_offset"], m.get("bitfield_size", 0))
                for m in reference["members"]
            ]
        if "values" in reference:
            assert list(sample.values(mine.id)) == [(v["name"], v["val"]) for v in reference["values"]]
        if "vars" in reference:
            assert [(v.offset, v.size) for v in sample.datasec(mine.name)] == [
                (v["offset"], v["size"]) for v in reference["vars"]
            ]


def test_struct_as_plain_data(sample: Btf) -> None:
    number = sample.find(Kind.STRUCT, "event")
    assert number is not None
    byte = Int("unsigned char", 1, False)
    assert sample.ctype(number) == Struct(
        "event",
        120,
        (
            Member("ts", Int("unsigned long long", 8, False), 0),
            Member("pid", U32, 64),
            Member("comm", Array(Int("char", 1, True, char=True), 16), 96),
            Member("address", Array(byte, 6), 224),
            Member("matrix", Array(Array(Int("int", 4, True), 3), 2), 288),
            Member("low", U32, 480, 3),
            Member("high", U32, 483, 7),
            Member("yes", Int("_Bool", 1, False, boolean=True), 496),
            Member("colour", Enum("colour", 4, False, (("RED", 0), ("GREEN", 5), ("BLUE", 6))), 512),
            Member(
                "inner",
                Struct(
                    "inner",
                    4,
                    (Member("x", Int("short", 2, True), 0), Member("small", Int("signed char", 1, True), 16)),
                ),
                544,
            ),
            Member(
                "", Struct("", 4, (Member("word", U32, 0), Member("bytes", Array(byte, 4), 0)), True), 576
            ),
            Member("next", Pointer("struct event"), 640),
            Member("names", Pointer("const char *const"), 704),
            Member("unknown", Pointer("struct forward"), 768),
            Member("call", Pointer("function"), 832),
            Member("ratio", Float("double", 8), 896),
        ),
    )


def test_find_and_sections(sample: Btf) -> None:
    assert sample.find(Kind.UNION, "event") is None
    assert sample.find(Kind.STRUCT, "eve") is None
    assert sample.find(Kind.STRUCT, "vent") is None
    assert [variable.name for variable in sample.datasec(".maps")] == ["events"]
    (limit,) = sample.datasec(".rodata")
    assert limit == BtfVariable("limit", limit.type_id, 0, 4)
    assert sample.ctype(limit.type_id) == U32
    assert sample.datasec(".data") == ()


def test_lines(sample: Btf) -> None:
    lines = line_info(sample, BTF_EXT)
    assert lines[0] == LineInfo(
        "tracepoint/syscalls/sys_enter_openat", 0, "./btf_sample.c", "    if (ctx->pid < limit)", 53, 14
    )
    assert [line.text.strip() for line in lines][-1] == "return 0;"
    assert [line.offset for line in lines] == sorted(line.offset for line in lines)


def test_functions_are_no_data(sample: Btf) -> None:
    number = sample.find(Kind.FUNC, "count")
    assert number is not None
    with pytest.raises(EventDecodeError, match="count is no type of data"):
        sample.ctype(number)


def test_enum64_and_signed_values() -> None:
    enum64 = head(Kind.ENUM64, 8, name=1, vlen=2, flag=True)
    enum64 += struct.pack("<IIIIII", 3, 0xFFFFFFFF, 0xFFFFFFFF, 3, 0, 1)
    enum = head(Kind.ENUM, 4, name=1, vlen=1, flag=True) + struct.pack("<II", 3, 0xFFFFFFFE)
    btf = make(enum64, enum, strings=b"\0e\0V\0")
    assert btf.ctype(1) == Enum("e", 8, True, (("V", -1), ("V", 1 << 32)))
    assert btf.ctype(2) == Enum("e", 4, True, (("V", -2),))


def test_bitfields_of_old_compilers() -> None:
    three_bits_at_four = head(Kind.INT, 4, name=1) + struct.pack("<I", 4 << 16 | 3)
    holder = head(Kind.STRUCT, 4, name=1, vlen=1) + struct.pack("<III", 1, 1, 8)
    assert make(three_bits_at_four, holder, strings=b"\0i\0").ctype(2) == Struct(
        "i", 4, (Member("i", Int("i", 4, False), 12, 3),)
    )


def test_big_endian_and_forward_types() -> None:
    forward = struct.pack(">III", 1, Kind.FWD << 24, 0)
    assert make(forward, strings=b"\0far\0", order=">").ctype(1) == Opaque("far", 0)


@pytest.mark.parametrize(
    ("types", "type_id"),
    [
        # a struct that holds itself, a typedef of itself, an array of itself, a pointer to itself
        ([head(Kind.STRUCT, 8, vlen=1) + struct.pack("<III", 0, 1, 0)], 1),
        ([head(Kind.TYPEDEF, 1)], 1),
        ([head(Kind.ARRAY, 0) + struct.pack("<III", 1, 1, 2)], 1),
        ([head(Kind.PTR, 1)], 1),
        # a member behind the end, a member within a byte, a type that is not there
        (
            [
                head(Kind.INT, 4) + struct.pack("<I", 32),
                head(Kind.STRUCT, 4, vlen=1) + struct.pack("<III", 0, 1, 8),
            ],
            2,
        ),
        (
            [
                head(Kind.INT, 4) + struct.pack("<I", 32),
                head(Kind.STRUCT, 8, vlen=1) + struct.pack("<III", 0, 1, 1),
            ],
            2,
        ),
        ([head(Kind.STRUCT, 8, vlen=1) + struct.pack("<III", 0, 7, 0)], 1),
        ([head(Kind.INT, 3) + struct.pack("<I", 24)], 1),
    ],
)
def test_contradictions_are_refused(types: list[bytes], type_id: int) -> None:
    with pytest.raises(EventDecodeError):
        make(*types).ctype(type_id)


@pytest.mark.parametrize("data", [b"", b"\x9f\xeb", b"ELF" * 20, BTF[:40], BTF[:-1], BTF_EXT])
def test_no_btf_is_refused(data: bytes) -> None:
    with pytest.raises(EventDecodeError):
        Btf.parse(data)


def read_everything(btf: Btf) -> list[CType]:
    made = []
    for head_ in btf.types:
        try:
            made.append(btf.ctype(head_.id))
            if head_.kind is Kind.DATASEC:
                btf.datasec(head_.name)
        except EventDecodeError:
            continue
    return made


@given(st.lists(st.tuples(st.integers(0, len(BTF) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_bytes_are_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(BTF)
    for at, value in changes:
        data[at] = value
    try:
        btf = Btf.parse(bytes(data))
        read_everything(btf)
        line_info(btf, BTF_EXT)
    except EventDecodeError as error:
        shown = str(error)
        assert "damaged" in shown


@given(st.binary(max_size=200), st.integers(0, len(BTF_EXT)))
def test_damaged_line_records_are_read_or_refused(junk: bytes, at: int) -> None:
    btf = Btf.parse(BTF)
    data = BTF_EXT[:at] + junk + BTF_EXT[at + len(junk) :]
    try:
        assert all(isinstance(line, LineInfo) for line in line_info(btf, data))
    except EventDecodeError as error:
        shown = str(error)
        assert "damaged" in shown


def test_whole_descriptions_are_consistent_and_quick() -> None:
    """The sample everywhere, and the running kernel's types where there are any."""
    for data in [BTF, *(path.read_bytes() for path in Path("/sys/kernel/btf").glob("vmlinux"))]:
        started = time.process_time()
        btf = Btf.parse(data)
        btf.find(Kind.STRUCT, "list_head")
        assert time.process_time() - started < 1.5
        refused = []
        for head_ in btf.types:
            if head_.kind in (Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.INT, Kind.PTR):
                try:
                    btf.ctype(head_.id)
                except EventDecodeError as error:
                    refused.append((head_, error))
        assert not refused
