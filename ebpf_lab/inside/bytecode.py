"""BPF instructions, from bytes to the notation that the kernel's verifier writes them in.

The encoding is RFC 9669's (``Documentation/bpf/standardization/instruction-set.rst`` of the kernel), the
notation that of ``kernel/bpf/disasm.c``: what is read here is found again in the verifier's log.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SIZE = 8
"""Bytes of an instruction; one that loads 64 bits takes two places."""

# Who a call means, and what a wide load loads, by the source register.
TO_HELPER, TO_FUNCTION, TO_KERNEL_FUNCTION = 0, 1, 2
TAIL_CALL = 12
"""The helper that goes to another program."""
NUMBER, MAP, MAP_VALUE, KERNEL_VARIABLE, FUNCTION = 0, 1, 2, 3, 4

_LD, _LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = range(8)
_WIDE_LOAD = 0x18
_CALL, _EXIT, _GOTO, _GOTO_FAR, _GOTO_REGISTER, _MAY_GOTO = 0x85, 0x95, 0x05, 0x06, 0x0D, 0xE5
_REGISTER_OPERAND = 0x08
_NEGATE, _MOVE, _SWAP = 0x80, 0xB0, 0xD0
_ABSOLUTE, _INDIRECT, _MEMORY, _SIGNED, _ATOMIC, _NO_SPECULATION = 0x20, 0x40, 0x60, 0x80, 0xC0, 0xC0
_ARITHMETIC = {
    **{0x00: "+=", 0x10: "-=", 0x20: "*=", 0x30: "/=", 0x40: "|=", 0x50: "&=", 0x60: "<<=", 0x70: ">>="},
    **{0x90: "%=", 0xA0: "^=", 0xB0: "=", 0xC0: "s>>="},
}
_SIGNED_DIVISION = {0x30: "s/=", 0x90: "s%="}
_SIGN_EXTENDING = {8: "(s8)", 16: "(s16)", 32: "(s32)"}
_COMPARED = {
    **{0x10: "==", 0x20: ">", 0x30: ">=", 0x40: "&", 0x50: "!=", 0x60: "s>", 0x70: "s>="},
    **{0xA0: "<", 0xB0: "<=", 0xC0: "s<", 0xD0: "s<="},
}
_UNSIGNED = {0x00: "u32", 0x08: "u16", 0x10: "u8", 0x18: "u64"}
_SIGNED_SIZES = {0x00: "s32", 0x08: "s16", 0x10: "s8"}
_ATOMIC_NAMES = {0x00: "add", 0x40: "or", 0x50: "and", 0xA0: "xor"}
_FETCH, _EXCHANGE, _COMPARE_EXCHANGE, _LOAD_ACQUIRE, _STORE_RELEASE = 0x01, 0xE1, 0xF1, 0x100, 0x110
_ADDRESS_SPACE, _PERCPU_ADDRESS = 1, -1

_LAYOUT = struct.Struct("<BBhi")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes
    ----------
    number : int
        Its place in the program, in units of eight bytes.
    raw : bytes
        Eight bytes, or sixteen.
    code : int
        The first byte.
    to, source : int
        Registers.
    offset, value : int
        The signed numbers within; of a wide load, ``value`` is the lower half.
    upper : int
        The upper half of a wide load's number, 0 of any other.
    target : int or None
        The instruction that it jumps to, calls or takes the address of, None for any other.
    """

    number: int
    raw: bytes
    code: int
    to: int
    source: int
    offset: int
    value: int
    upper: int = 0
    target: int | None = None

    @property
    def is_call(self) -> bool:
        """It calls a helper, a function of the kernel or one of the program."""
        return self.code == _CALL

    @property
    def is_wide(self) -> bool:
        """It loads 64 bits: a number, a map, the address of a function."""
        return self.code == _WIDE_LOAD

    @property
    def is_jump(self) -> bool:
        """It goes, or may go, elsewhere than to the next instruction."""
        return self.target is not None and not self.is_call and not self.is_wide

    @property
    def is_conditional(self) -> bool:
        """It is a jump that may also go on to the next instruction."""
        return self.is_jump and self.code not in (_GOTO, _GOTO_FAR)

    @property
    def ends(self) -> bool:
        """It never goes on to the next instruction, nor to another that it names."""
        return self.code in (_EXIT, _GOTO_REGISTER)


def decode(code: bytes) -> Iterator[Instruction]:
    """Take a program apart; what is cut short at its end is left out."""
    at, end = 0, len(code) // SIZE
    while at < end:
        opcode, registers, offset, value = _LAYOUT.unpack_from(code, at * SIZE)
        places, upper = 1, 0
        if opcode == _WIDE_LOAD:
            if at + 1 == end:
                return
            places, upper = 2, _LAYOUT.unpack_from(code, (at + 1) * SIZE)[3]
        raw = code[at * SIZE : (at + places) * SIZE]
        to, source = registers & 15, registers >> 4
        target = _target(at, opcode, source, offset, value)
        yield Instruction(at, raw, opcode, to, source, offset, value, upper, target)
        at += places


def text(
    instruction: Instruction,
    call: Callable[[Instruction], str] | None = None,
    wide: Callable[[Instruction], str] | None = None,
) -> str:
    """An instruction as the verifier writes it: ``if r1 == 0x0 goto pc+3``.

    Parameters
    ----------
    instruction : Instruction
    call : callable, optional
        What to write behind "call"; a helper's number otherwise.
    wide : callable, optional
        What a wide load loads; the number otherwise.
    """
    kind = instruction.code & 7
    if kind in (_ALU, _ALU64):
        return _arithmetic(instruction)
    if kind == _STX:
        return _store_register(instruction)
    if kind == _ST:
        return _store(instruction)
    if kind == _LDX:
        return _load(instruction)
    if kind == _LD:
        return _other_load(instruction, wide or _number)
    return _jump(instruction, call or _called)


def _target(at: int, opcode: int, source: int, offset: int, value: int) -> int | None:
    if opcode == _WIDE_LOAD:
        return at + value + 1 if source == FUNCTION else None
    if opcode & 7 not in (_JMP, _JMP32) or opcode in (_EXIT, _GOTO_REGISTER):
        return None
    if opcode == _CALL:
        # In a program that the kernel compiled, the number is the function's, and the offset tells how far.
        return at + 1 + (offset or value) if source == TO_FUNCTION else None
    return at + 1 + (value if opcode == _GOTO_FAR else offset)


def _unknown(instruction: Instruction) -> str:
    return f"unknown instruction {instruction.code:02x}"


def _arithmetic(instruction: Instruction) -> str:
    narrow = instruction.code & 7 == _ALU
    letter = "w" if narrow else "r"
    operation = instruction.code & 0xF0
    to, source, value = instruction.to, instruction.source, instruction.value
    if operation == _SWAP:
        order = "be" if instruction.code & _REGISTER_OPERAND else "le"
        return f"r{to} = {order if narrow else 'bswap'}{value} r{to}"
    if operation == _NEGATE:
        return f"{letter}{to} = -{letter}{to}"
    operator = _ARITHMETIC.get(operation)
    if operator is None:
        return _unknown(instruction)
    if instruction.offset == 1 and operation in _SIGNED_DIVISION:
        operator = _SIGNED_DIVISION[operation]
    if not instruction.code & _REGISTER_OPERAND:
        return f"{letter}{to} {operator} {value}"
    extending = ""
    if operation == _MOVE:
        if not narrow and instruction.offset == _ADDRESS_SPACE:
            return f"r{to} = addr_space_cast(r{source}, {value >> 16 & 0xFFFF}, {value & 0xFFFF})"
        if not narrow and instruction.offset == _PERCPU_ADDRESS:
            return f"r{to} = &(void __percpu *)(r{source})"
        extending = _SIGN_EXTENDING.get(instruction.offset, "")
    return f"{letter}{to} {operator} {extending}{letter}{source}"


def _memory(instruction: Instruction, register: int, sizes: dict[int, str] = _UNSIGNED) -> str:
    size = sizes.get(instruction.code & 0x18, "u64")
    return f"({size} *)(r{register} {instruction.offset:+d})"


def _store_register(instruction: Instruction) -> str:
    mode, value = instruction.code & 0xE0, instruction.value
    to, source = instruction.to, instruction.source
    memory = _memory(instruction, to)
    if mode == _MEMORY:
        return f"*{memory} = r{source}"
    if mode != _ATOMIC:
        return _unknown(instruction)
    wide = "64" if instruction.code & 0x18 == 0x18 else ""
    if value in _ATOMIC_NAMES:
        return f"lock *{memory} {_ARITHMETIC[value]} r{source}"
    if value & ~_FETCH in _ATOMIC_NAMES:
        return f"r{source} = atomic{wide}_fetch_{_ATOMIC_NAMES[value & ~_FETCH]}({memory}, r{source})"
    if value == _COMPARE_EXCHANGE:
        return f"r0 = atomic{wide}_cmpxchg({memory}, r0, r{source})"
    if value == _EXCHANGE:
        return f"r{source} = atomic{wide}_xchg({memory}, r{source})"
    if value == _LOAD_ACQUIRE:
        return f"r{to} = load_acquire({_memory(instruction, source)})"
    if value == _STORE_RELEASE:
        return f"store_release({memory}, r{source})"
    return _unknown(instruction)


def _store(instruction: Instruction) -> str:
    mode = instruction.code & 0xE0
    if mode == _MEMORY:
        return f"*{_memory(instruction, instruction.to)} = {instruction.value}"
    # The kernel's own: it ends speculation behind a store that could be bypassed.
    return "nospec" if mode == _NO_SPECULATION else _unknown(instruction)


def _load(instruction: Instruction) -> str:
    mode = instruction.code & 0xE0
    if mode == _SIGNED and instruction.code & 0x18 in _SIGNED_SIZES:
        return f"r{instruction.to} = *{_memory(instruction, instruction.source, _SIGNED_SIZES)}"
    if mode == _MEMORY:
        return f"r{instruction.to} = *{_memory(instruction, instruction.source)}"
    return _unknown(instruction)


def _other_load(instruction: Instruction, wide: Callable[[Instruction], str]) -> str:
    mode, size = instruction.code & 0xE0, _UNSIGNED[instruction.code & 0x18]
    if instruction.is_wide:
        return f"r{instruction.to} = {wide(instruction)}"
    if mode == _ABSOLUTE:
        return f"r0 = *({size} *)skb[{instruction.value}]"
    if mode == _INDIRECT:
        return f"r0 = *({size} *)skb[r{instruction.source} + {instruction.value}]"
    return _unknown(instruction)


def _jump(instruction: Instruction, call: Callable[[Instruction], str]) -> str:
    code, offset = instruction.code, instruction.offset
    if code == _CALL:
        return f"call {call(instruction)}"
    if code == _EXIT:
        return "exit"
    if code == _GOTO:
        return f"goto pc{offset:+d}"
    if code == _GOTO_FAR:
        return f"gotol pc{instruction.value:+d}"
    if code == _GOTO_REGISTER:
        return f"gotox r{instruction.to}"
    if code == _MAY_GOTO and not instruction.source:
        return f"may_goto pc{offset:+d}"
    operator = _COMPARED.get(code & 0xF0)
    if operator is None:
        return _unknown(instruction)
    letter = "w" if code & 7 == _JMP32 else "r"
    other = f"{instruction.value & 0xFFFFFFFF:#x}"
    if code & _REGISTER_OPERAND:
        other = f"{letter}{instruction.source}"
    return f"if {letter}{instruction.to} {operator} {other} goto pc{offset:+d}"


def number_of(instruction: Instruction) -> int:
    """The 64 bits of a wide load."""
    return (instruction.upper & 0xFFFFFFFF) << 32 | instruction.value & 0xFFFFFFFF


def _number(instruction: Instruction) -> str:
    return f"{number_of(instruction):#x}"


def _called(instruction: Instruction) -> str:
    if instruction.source == TO_FUNCTION:
        return f"pc{instruction.offset or instruction.value:+d}"
    return f"#{instruction.value}"
