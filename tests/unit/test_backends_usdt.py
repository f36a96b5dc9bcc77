"""USDT argument descriptions: what the notes say, and the bytes that ``usdt.bpf.h`` wants."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.backends.usdt import Argument, arguments, pack
from ebpf_lab.errors import MissingFeature
from ebpf_lab.source.ctype import Array, Enum, Int, Member, Struct

U64, SHORT, BOOL, CHAR = (
    Int("u64", 8, False),
    Int("short", 2, True),
    Int("bool", 1, False),
    Int("char", 1, True),
)
KINDS = Enum(
    "__bpf_usdt_arg_type",
    4,
    False,
    (("BPF_USDT_ARG_CONST", 0), ("BPF_USDT_ARG_REG", 1), ("BPF_USDT_ARG_REG_DEREF", 2)),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-4@%edi", Argument("REG", 0, 112, 4, True)),
        ("8@%rax", Argument("REG", 0, 80, 8, False)),
        ("1@%sil", Argument("REG", 0, 104, 1, False)),
        ("2@%r15w", Argument("REG", 0, 0, 2, False)),
        ("-1@%bl", Argument("REG", 0, 40, 1, True)),
        ("8@-24(%rbp)", Argument("REG_DEREF", -24, 32, 8, False)),
        ("8@(%rsp)", Argument("REG_DEREF", 0, 152, 8, False)),
        ("-4@$-7", Argument("CONST", -7, 0, 4, True)),
        ("4@$0", Argument("CONST", 0, 0, 4, False)),
    ],
)
def test_x86_64(text: str, expected: Argument) -> None:
    assert arguments(text, "x86_64") == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-4@w19", Argument("REG", 0, 152, 4, True)),
        ("8@x0", Argument("REG", 0, 0, 8, False)),
        ("8@sp", Argument("REG", 0, 248, 8, False)),
        ("8@[sp, 24]", Argument("REG_DEREF", 24, 248, 8, False)),
        ("8@[x29,-8]", Argument("REG_DEREF", -8, 232, 8, False)),
        ("4@[x1]", Argument("REG_DEREF", 0, 8, 4, False)),
        ("-4@-7", Argument("CONST", -7, 0, 4, True)),
        ("4@0", Argument("CONST", 0, 0, 4, False)),
    ],
)
def test_aarch64(text: str, expected: Argument) -> None:
    assert arguments(text, "aarch64") == (expected,)


def test_several_arguments() -> None:
    assert [each.kind for each in arguments("-4@%edi 8@-16(%rsp) -4@$-7", "x86_64")] == [
        "REG",
        "REG_DEREF",
        "CONST",
    ]
    assert [each.value for each in arguments("8@[sp, 8] 4@[x1, 16] 4@3", "aarch64")] == [8, 16, 3]
    assert arguments("", "x86_64") == ()


@pytest.mark.parametrize("text", ["8@counter(%rip)", "8@(%rax,%rbx,8)", "4@%xmm0", "3@%eax", "nonsense"])
def test_what_has_no_description_is_said_to_have_none(text: str) -> None:
    with pytest.raises(MissingFeature, match="cannot be read"):
        arguments(text, "x86_64")


@given(st.text(), st.sampled_from(["x86_64", "aarch64"]))
def test_no_note_is_too_strange(text: str, machine: str) -> None:
    with contextlib.suppress(MissingFeature):
        arguments(text, machine)


def layout(kinds_bits: int | None) -> Struct:
    argument = Struct(
        "__bpf_usdt_arg_spec",
        16,
        (
            Member("val_off", U64, 0),
            Member("arg_type", KINDS, 64, kinds_bits),
            Member("reg_off", SHORT, 96),
            Member("arg_signed", BOOL, 112),
            Member("arg_bitshift", CHAR, 120),
        ),
    )
    members = (
        Member("args", Array(argument, 12), 0),
        Member("usdt_cookie", U64, 1536),
        Member("arg_cnt", SHORT, 1600),
    )
    return Struct("__bpf_usdt_spec", 208, members)


@pytest.mark.parametrize("kinds_bits", [None, 8])
def test_packing_follows_the_objects_layout(kinds_bits: int | None) -> None:
    value = pack(arguments("-4@%edi 8@-16(%rsp) -4@$-7", "x86_64"), layout(kinds_bits))
    assert len(value) == 208
    entries = [struct.unpack_from("<qIh?B", value, 16 * place) for place in range(4)]
    assert entries == [
        (0, 1, 112, True, 32),
        (-16, 2, 152, False, 0),
        (-7, 0, 0, True, 32),
        (0, 0, 0, False, 0),
    ]
    assert struct.unpack_from("<Qh", value, 192) == (0, 3)


def test_more_arguments_than_there_is_room_for() -> None:
    with pytest.raises(MissingFeature, match="13 arguments"):
        pack(arguments("4@$1 " * 13, "x86_64"), layout(None))
