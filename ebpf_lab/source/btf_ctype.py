"""From BTF's numbered types to C types as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebpf_lab.errors import EventDecodeError
from ebpf_lab.source.ctype import Array, CType, Enum, Float, Int, Member, Opaque, Pointer, Struct

if TYPE_CHECKING:
    from ebpf_lab.source.btf import Btf, BtfMember, BtfType

# Deeper than any struct of the kernel; a description that goes deeper is damaged (or refers to itself).
_DEEPEST = 64
# Sizes in BTF are 32-bit numbers; only an array of arrays can claim more.
_LARGEST = 2**32

_SIGNED, _BOOLEAN = 1, 4


class Translator:
    """Makes a :class:`~ebpf_lab.source.ctype.CType` of a type's number; each is made once."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._made: dict[int, CType] = {}

    def ctype(self, type_id: int, depth: int = 0) -> CType:
        """The type of this number; ``depth`` is how many structs and arrays it is inside of."""
        if type_id not in self._made:
            if depth > _DEEPEST:
                raise _contradiction(f"types are nested more than {_DEEPEST} deep")
            self._made[type_id] = self._make(self._bare(type_id), depth)
        return self._made[type_id]

    def _bare(self, type_id: int) -> BtfType:
        for _ in range(_DEEPEST):
            head = self._btf.type(type_id)
            if head.kind.name not in ("TYPEDEF", "VOLATILE", "CONST", "RESTRICT", "TYPE_TAG"):
                return head
            type_id = head.size_or_type
        raise _contradiction(f"typedefs refer to each other {_DEEPEST} times")

    def _make(self, head: BtfType, depth: int) -> CType:
        match head.kind.name:
            case "INT":
                return self._int(head)
            case "PTR":
                return Pointer(self.spelling(head.size_or_type))
            case "ARRAY":
                return self._array(head, depth)
            case "STRUCT" | "UNION":
                return self._struct(head, depth)
            case "ENUM" | "ENUM64":
                return self._enum(head)
            case "FLOAT":
                return Float(head.name, _one_of(head, head.size_or_type, 2, 4, 8, 10, 12, 16))
            case "FWD" | "VOID":
                return Opaque(head.name, 0)
        raise EventDecodeError(
            f"{head.name or f'type {head.id}'} is no type of data",
            why=f"its kind is {head.kind.name.lower()}",
        )

    def _int(self, head: BtfType) -> Int:
        size = _one_of(head, head.size_or_type, 1, 2, 4, 8, 16)
        encoding = self._btf.words(head.id, 12, 1)[0] >> 24
        # BTF has a flag for characters, but clang never sets it: the plain C type "char" is text here, and
        # "signed char" and "unsigned char" (s8 and u8) are small numbers.
        return Int(
            head.name,
            size,
            signed=bool(encoding & _SIGNED),
            char=head.name == "char" and size == 1,
            boolean=bool(encoding & _BOOLEAN),
        )

    def _enum(self, head: BtfType) -> Enum:
        size = _one_of(head, head.size_or_type, 1, 2, 4, 8)
        return Enum(head.name, size, head.flag, self._btf.values(head.id))

    def _array(self, head: BtfType, depth: int) -> Array:
        element, _, length = self._btf.words(head.id, 12, 3)
        made = Array(self.ctype(element, depth + 1), length)
        if made.size > _LARGEST:
            raise _contradiction(f"an array of {made.size} bytes")
        return made

    def _struct(self, head: BtfType, depth: int) -> Struct:
        members = []
        for member in self._btf.members(head.id):
            made = self._member(member, depth)
            bits = made.type.size * 8 if made.bit_size is None else made.bit_size
            if made.bit_offset + bits > head.size_or_type * 8:
                raise _contradiction(
                    f"member {made.name!r} ends behind the {head.size_or_type} bytes of {head.name!r}"
                )
            members.append(made)
        return Struct(head.name, head.size_or_type, tuple(members), union=head.kind.name == "UNION")

    def _member(self, member: BtfMember, depth: int) -> Member:
        made = self.ctype(member.type_id, depth + 1)
        bit_offset, bit_size = member.bit_offset, member.bit_size
        if not bit_size and isinstance(made, Int):
            # Without kind_flag a bitfield has an integer type of its own that says which bits it is.
            word = self._btf.words(self._bare(member.type_id).id, 12, 1)[0]
            if word & 0xFF != made.size * 8:
                bit_offset, bit_size = bit_offset + (word >> 16 & 0xFF), word & 0xFF
        if not bit_size:
            if bit_offset % 8:
                raise _contradiction(f"member {member.name!r} begins within a byte")
            return Member(member.name, made, bit_offset)
        if not isinstance(made, Int | Enum) or bit_size > made.size * 8:
            raise _contradiction(f"{member.name!r} cannot be a bitfield of {bit_size} bits")
        return Member(member.name, made, bit_offset, bit_size)

    def spelling(self, type_id: int, depth: int = 0) -> str:
        """A type as C writes it, which is what a pointer's ``target`` shows."""
        head = self._btf.type(type_id)
        if depth > _DEEPEST:
            raise _contradiction(f"pointers refer to each other {_DEEPEST} times")
        match head.kind.name:
            case "STRUCT" | "UNION":
                return f"{head.kind.name.lower()} {head.name or '{…}'}"
            case "FWD":
                return f"{'union' if head.flag else 'struct'} {head.name}"
            case "ENUM" | "ENUM64":
                return f"enum {head.name or '{…}'}"
            case "PTR":
                return f"{self.spelling(head.size_or_type, depth + 1)} *".replace("* *", "**")
            case "CONST" | "VOLATILE":
                inner, word = self.spelling(head.size_or_type, depth + 1), head.kind.name.lower()
                return f"{inner}{word}" if inner.endswith("*") else f"{word} {inner}"
            case "RESTRICT" | "TYPE_TAG":
                return self.spelling(head.size_or_type, depth + 1)
            case "ARRAY":
                element, _, length = self._btf.words(type_id, 12, 3)
                return f"{self.spelling(element, depth + 1)}[{length}]"
            case "FUNC_PROTO":
                return "function"
        return head.name


def _one_of(head: BtfType, size: int, *possible: int) -> int:
    if size not in possible:
        raise _contradiction(f"{head.name!r} has {size} bytes")
    return size


def _contradiction(why: str) -> EventDecodeError:
    return EventDecodeError("the BTF type description contradicts itself", why=why)
