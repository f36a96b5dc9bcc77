"""USDT arguments: from the notes in an ELF file to the specification map of libbpf's ``usdt.bpf.h``.

A probe's note says for each argument where the compiler left it: ``-4@%edi`` is a signed 32-bit value in a
register, ``8@-24(%rbp)`` one in memory, ``4@$7`` a constant.  ``bpf_usdt_arg()`` looks the description up in
a map, under the attach cookie.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ebpf_lab.errors import AttachError, MissingFeature
from ebpf_lab.source.ctype import Array, Enum, Struct

SPECS = "__bpf_usdt_specs"
"""The map of specifications."""

INTERNAL = frozenset({SPECS, "__bpf_usdt_ip_to_spec_id"})
"""Maps of ``usdt.bpf.h``, which are not the learner's."""

_X86_ORDER = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss"
# struct pt_regs of x86-64 and struct user_pt_regs of arm64: 8 bytes a register.
_X86_OFFSETS = {name: 8 * place for place, name in enumerate(_X86_ORDER.split())}
_ARM_OFFSETS = {**{f"x{number}": 8 * number for number in range(31)}, "sp": 8 * 31, "pc": 8 * 32}

_SIZE = r"(?P<size>-?[1248])@"
_X86 = (
    re.compile(_SIZE + r"(?P<offset>[-+]?\d+)?\(%(?P<base>\w+)\)"),
    re.compile(_SIZE + r"%(?P<register>\w+)"),
    re.compile(_SIZE + r"\$(?P<constant>-?\d+)"),
)
_ARM = (
    re.compile(_SIZE + r"\[(?P<base>\w+)(?:, ?(?P<offset>-?\d+))?\]"),
    re.compile(_SIZE + r"(?P<register>[xw]\d+|sp)"),
    re.compile(_SIZE + r"(?P<constant>-?\d+)"),
)
# In arm64's notes a blank also stands within the brackets.
_SPLIT = re.compile(r"(?:[^\s\[]|\[[^\]]*\])+")


@dataclass(frozen=True, slots=True)
class Argument:
    """Where one argument is.

    Attributes
    ----------
    kind : str
        "CONST", "REG", or "REG_DEREF" for memory that a register points to.
    value : int
        The constant, or the distance in bytes from the address in the register.
    register : int
        Offset of the register in the kernel's ``pt_regs``, bytes.
    size : int
        Bytes.
    signed : bool
    """

    kind: Literal["CONST", "REG", "REG_DEREF"]
    value: int
    register: int
    size: int
    signed: bool


def arguments(text: str, machine: str = "") -> tuple[Argument, ...]:
    """Read the arguments of a note, such as ``-4@%edi 8@-24(%rbp)``.

    Parameters
    ----------
    text : str
        The argument string of an ELF ``stapsdt`` note.
    machine : str
        "x86_64" or "aarch64"; this machine's when empty.

    Raises
    ------
    MissingFeature
        An argument is in a form that ``usdt.bpf.h`` has no description for.

    Examples
    --------
    >>> arguments("-4@%edi", "x86_64")
    (Argument(kind='REG', value=0, register=112, size=4, signed=True),)
    """
    on_arm = (machine or platform.machine()) == "aarch64"
    return tuple(_argument(word, on_arm) for word in _SPLIT.findall(text))


def pack(found: Iterable[Argument], layout: Struct) -> bytes:
    """The map's value for a probe with these arguments; ``layout`` is the value's type in the object."""
    listed = tuple(found)
    members = {member.name: member for member in layout.members}
    array = members["args"].type
    assert isinstance(array, Array)
    argument_type = array.element
    assert isinstance(argument_type, Struct)
    if len(listed) > array.length:
        raise MissingFeature(
            f"a USDT probe with {len(listed)} arguments", why=f"libbpf has room for {array.length}"
        )
    packed = b"".join(_fields(argument_type, _described(argument, argument_type)) for argument in listed)
    value = bytearray(_fields(layout, {"arg_cnt": len(listed)}))
    start = members["args"].bit_offset // 8
    value[start : start + len(packed)] = packed
    return bytes(value)


def too_many(probe: object, limit: int) -> AttachError:
    """The error for more places than the specification map has room for."""
    return AttachError(
        f"{probe}: more than {limit} places with arguments of their own",
        why="the specification map of usdt.bpf.h is full",
        hint="#define BPF_USDT_MAX_SPEC_CNT 4096 above #include <bpf/usdt.bpf.h>",
    )


def _argument(word: str, on_arm: bool) -> Argument:
    for form in _ARM if on_arm else _X86:
        if match := form.fullmatch(word):
            break
    else:
        raise _unknown(word)
    part = match.groupdict()
    size, signed = abs(int(part["size"])), part["size"].startswith("-")
    if constant := part.get("constant"):
        return Argument("CONST", int(constant), 0, size, signed)
    if base := part.get("base"):
        return Argument("REG_DEREF", int(part["offset"] or 0), _register(base, on_arm, word), size, signed)
    return Argument("REG", 0, _register(part["register"], on_arm, word), size, signed)


def _register(name: str, on_arm: bool, word: str) -> int:
    if on_arm:
        known, full = _ARM_OFFSETS, re.sub(r"^w(?=\d)", "x", name)
    else:
        known, full = _X86_OFFSETS, _x86_register(name)
    try:
        return known[full]
    except KeyError:
        raise _unknown(word) from None


def _x86_register(name: str) -> str:
    """The 64-bit register that a shorter one is the lower part of."""
    if match := re.fullmatch(r"(r\d+)[dwb]?", name):
        return match[1]
    if match := re.fullmatch(r"[er]?([abcd])x|([abcd])l", name):
        return f"r{match[1] or match[2]}x"
    if match := re.fullmatch(r"[er]?(si|di|bp|sp)l?", name):
        return f"r{match[1]}"
    return name


def _unknown(word: str) -> MissingFeature:
    return MissingFeature(
        f"the USDT argument {word} cannot be read", why="libbpf's usdt.bpf.h has no description for this form"
    )


def _described(argument: Argument, layout: Struct) -> dict[str, int]:
    kinds = next(member.type for member in layout.members if member.name == "arg_type")
    assert isinstance(kinds, Enum)
    return {
        "val_off": argument.value,
        "arg_type": dict(kinds.values)[f"BPF_USDT_ARG_{argument.kind}"],
        "reg_off": argument.register,
        "arg_signed": int(argument.signed),
        "arg_bitshift": 64 - 8 * argument.size,
    }


def _fields(layout: Struct, values: dict[str, int]) -> bytes:
    total = 0
    for member in layout.members:
        if member.name in values:
            bits = member.bit_size or member.type.size * 8
            total |= (values[member.name] & (1 << bits) - 1) << member.bit_offset
    return total.to_bytes(layout.size, "little")
