"""BTF, the kernel's compact type description, read in pure Python.

Object files that clang makes carry it in the ELF section ``.BTF``; the kernel's own is
``/sys/kernel/btf/vmlinux``.  The format is described in the kernel's ``Documentation/bpf/btf.rst``.  Parsing
walks the types once and keeps where each one starts; names and members are read when asked for, so that
the kernel's 150,000 types cost a fraction of a second.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import overload

from ebpf_lab.errors import EventDecodeError
from ebpf_lab.source.btf_ctype import Translator
from ebpf_lab.source.ctype import CType


class Kind(IntEnum):
    """BTF type kinds, as numbered in ``include/uapi/linux/btf.h``."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


# Bytes behind the 12-byte head of a type: fixed, and for each of its vlen elements.
_TAIL: dict[int, tuple[int, int]] = {
    Kind.INT: (4, 0),
    Kind.PTR: (0, 0),
    Kind.ARRAY: (12, 0),
    Kind.STRUCT: (0, 12),
    Kind.UNION: (0, 12),
    Kind.ENUM: (0, 8),
    Kind.FWD: (0, 0),
    Kind.TYPEDEF: (0, 0),
    Kind.VOLATILE: (0, 0),
    Kind.CONST: (0, 0),
    Kind.RESTRICT: (0, 0),
    Kind.FUNC: (0, 0),
    Kind.FUNC_PROTO: (0, 8),
    Kind.VAR: (4, 0),
    Kind.DATASEC: (0, 12),
    Kind.FLOAT: (0, 0),
    Kind.DECL_TAG: (4, 0),
    Kind.TYPE_TAG: (0, 0),
    Kind.ENUM64: (0, 12),
}
_HEAD = 12


@dataclass(frozen=True, slots=True)
class BtfType:
    """The head of one type.

    Attributes
    ----------
    id : int
        Its number; 0 is void.
    kind : Kind
    name : str
        "" when anonymous.
    vlen : int
        Number of members, values, parameters or variables.
    flag : bool
        ``kind_flag``: bitfields are marked in the members (struct), values are signed (enum), it is a union
        (forward declaration).
    size_or_type : int
        Size in bytes, or the number of the type that this one refers to: the kind says which.
    """

    id: int
    kind: Kind
    name: str
    vlen: int = 0
    flag: bool = False
    size_or_type: int = 0


@dataclass(frozen=True, slots=True)
class BtfMember:
    """A member of a struct or union; ``bit_size`` is 0 unless it is marked as a bitfield."""

    name: str
    type_id: int
    bit_offset: int
    bit_size: int


@dataclass(frozen=True, slots=True)
class BtfVariable:
    """A variable in a data section: ``offset`` and ``size`` in bytes within that section."""

    name: str
    type_id: int
    offset: int
    size: int


class Btf:
    """The types of one BTF section.

    Examples
    --------
    >>> btf = Btf.parse(open("/sys/kernel/btf/vmlinux", "rb").read())   # doctest: +SKIP
    >>> btf.ctype(btf.find(Kind.STRUCT, "list_head"))                   # doctest: +SKIP
    Struct(name='list_head', size=16, members=(…), union=False)
    """

    def __init__(self, order: str, types: bytes, strings: bytes) -> None:
        self.byte_order = order
        self._types = types
        self._strings = strings
        self._offsets = _walk(order, types)
        self._translator = Translator(self)

    @classmethod
    def parse(cls, data: bytes) -> Btf:
        """Read a whole ``.BTF`` section.

        Raises
        ------
        EventDecodeError
            The bytes are no BTF, or damaged.
        """
        order, body = read_header(data, 24)
        type_offset, type_length, string_offset, string_length = struct.unpack_from(f"{order}4I", data, 8)
        types = cut(data, body + type_offset, type_length, "types")
        strings = cut(data, body + string_offset, string_length, "strings")
        if not strings.startswith(b"\0") or not strings.endswith(b"\0"):
            raise damaged("its strings are not closed by zero bytes")
        return cls(order, types, strings)

    @property
    def types(self) -> Sequence[BtfType]:
        """All types by their number, void included; each is made when it is looked at."""
        return _Types(self)

    def __len__(self) -> int:
        """Number of types, void included."""
        return len(self._offsets)

    def type(self, type_id: int) -> BtfType:
        """The type with this number."""
        if type_id == 0:
            return BtfType(0, Kind.VOID, "void")
        name, info, size_or_type = self.words(type_id, 0, 3)
        return BtfType(
            type_id,
            Kind(info >> 24 & 0x1F),
            self.string(name),
            vlen=info & 0xFFFF,
            flag=bool(info >> 31),
            size_or_type=size_or_type,
        )

    def words(self, type_id: int, start: int, count: int) -> tuple[int, ...]:
        """``count`` 32-bit words of a type's description, from byte ``start`` behind its beginning."""
        if not 0 < type_id < len(self._offsets):
            raise damaged(f"there is no type {type_id}")
        return struct.unpack_from(f"{self.byte_order}{count}I", self._types, self._offsets[type_id] + start)

    def string(self, offset: int) -> str:
        """The string at ``offset`` of the string section."""
        if offset >= len(self._strings):
            raise damaged(f"there is no string at {offset}")
        return self._strings[offset : self._strings.index(b"\0", offset)].decode("utf-8", "replace")

    def find(self, kind: Kind, name: str) -> int | None:
        """The number of the first type with this kind and name, None when there is none."""
        text = name.encode() + b"\0"
        found: list[int] = []
        at = self._strings.find(text)
        while at >= 0:
            found += (number for number in self._by_name.get(at, ()) if self.type(number).kind == kind)
            at = self._strings.find(text, at + 1)
        return min(found, default=None)

    def of_kind(self, kind: Kind) -> Sequence[int]:
        """The numbers of all types of a kind."""
        return self._by_kind.get(kind, ())

    @cached_property
    def _by_kind(self) -> dict[int, array[int]]:
        index: dict[int, array[int]] = {}
        info_at = struct.Struct(f"{self.byte_order}4xI").unpack_from
        for number, offset in enumerate(self._offsets):
            if number:
                kind = info_at(self._types, offset)[0] >> 24 & 0x1F
                if kind not in index:
                    index[kind] = array("L")
                index[kind].append(number)
        return index

    @cached_property
    def _by_name(self) -> dict[int, list[int]]:
        index: dict[int, list[int]] = {}
        name_at = struct.Struct(f"{self.byte_order}I").unpack_from
        for number, offset in enumerate(self._offsets):
            if number:
                index.setdefault(name_at(self._types, offset)[0], []).append(number)
        return index

    def members(self, type_id: int) -> tuple[BtfMember, ...]:
        """The members of a struct or union."""
        head = self.type(type_id)
        if head.kind not in (Kind.STRUCT, Kind.UNION):
            raise damaged(f"type {type_id} is no struct")
        words = iter(self.words(type_id, _HEAD, 3 * head.vlen))
        members = []
        for name, member_type, position in zip(words, words, words, strict=True):
            bit_size = position >> 24 if head.flag else 0
            bit_offset = position & 0xFFFFFF if head.flag else position
            members.append(BtfMember(self.string(name), member_type, bit_offset, bit_size))
        return tuple(members)

    def values(self, type_id: int) -> tuple[tuple[str, int], ...]:
        """The names and values of an enum."""
        head = self.type(type_id)
        wide = head.kind == Kind.ENUM64
        if not wide and head.kind != Kind.ENUM:
            raise damaged(f"type {type_id} is no enum")
        words = self.words(type_id, _HEAD, (3 if wide else 2) * head.vlen)
        names = map(self.string, words[:: 3 if wide else 2])
        numbers: Iterable[int] = words[1::2]
        if wide:
            numbers = (low | high << 32 for low, high in zip(words[1::3], words[2::3], strict=True))
        top = 1 << (63 if wide else 31)
        return tuple(
            (name, value - 2 * top if head.flag and value >= top else value)
            for name, value in zip(names, numbers, strict=True)
        )

    def datasec(self, name: str) -> tuple[BtfVariable, ...]:
        """The variables of a data section (".maps", ".rodata"), none when there is no such section."""
        number = self.find(Kind.DATASEC, name)
        if number is None:
            return ()
        words = iter(self.words(number, _HEAD, 3 * self.type(number).vlen))
        variables = []
        for variable, offset, size in zip(words, words, words, strict=True):
            head = self.type(variable)
            if head.kind != Kind.VAR:
                raise damaged(f"type {variable} in {name} is no variable")
            variables.append(BtfVariable(head.name, head.size_or_type, offset, size))
        return tuple(variables)

    def ctype(self, type_id: int) -> CType:
        """A type as plain data; typedefs, const, volatile and tags are looked through.

        Raises
        ------
        EventDecodeError
            It is no type of data (a function), or the description contradicts itself.
        """
        return self._translator.ctype(type_id)


class _Types(Sequence[BtfType]):
    def __init__(self, btf: Btf) -> None:
        self._btf = btf

    def __len__(self) -> int:
        return len(self._btf)

    @overload
    def __getitem__(self, index: int) -> BtfType: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[BtfType, ...]: ...
    def __getitem__(self, index: int | slice) -> BtfType | tuple[BtfType, ...]:
        numbers = range(len(self._btf))[index]
        return self._btf.type(numbers) if isinstance(numbers, int) else tuple(map(self._btf.type, numbers))

    def __iter__(self) -> Iterator[BtfType]:
        return map(self._btf.type, range(len(self._btf)))


def read_header(data: bytes, least: int) -> tuple[str, int]:
    """The byte order ("<" or ">") and the header's length of a ``.BTF`` or ``.BTF.ext`` section."""
    if len(data) < least:
        raise damaged(f"{len(data)} bytes are too few")
    order = {b"\x9f\xeb": "<", b"\xeb\x9f": ">"}.get(data[:2])
    if order is None:
        raise damaged("it does not begin with the magic number eb9f")
    version, _, length = struct.unpack_from(f"{order}BBI", data, 2)
    if version != 1:
        raise damaged(f"version {version} is unknown")
    if not least <= length <= len(data):
        raise damaged(f"a header of {length} bytes")
    return order, length


def cut(data: bytes, start: int, length: int, what: str) -> bytes:
    """``length`` bytes from ``start``, all of which must be there."""
    if start + length > len(data):
        raise damaged(f"its {what} reach beyond its end")
    return data[start : start + length]


def damaged(why: str) -> EventDecodeError:
    """The error for a type description that cannot be read."""
    return EventDecodeError("the BTF type description is damaged", why=why)


def _walk(order: str, types: bytes) -> array[int]:
    offsets = array("L", [0])
    head = struct.Struct(f"{order}4xI4x").unpack_from
    at, end = 0, len(types)
    while at < end:
        if end - at < _HEAD:
            raise damaged("its last type is cut short")
        (info,) = head(types, at)
        tail = _TAIL.get(info >> 24 & 0x1F)
        if tail is None:
            raise damaged(f"type {len(offsets)} is of the unknown kind {info >> 24 & 0x1F}")
        offsets.append(at)
        at += _HEAD + tail[0] + tail[1] * (info & 0xFFFF)
    if at != end:
        raise damaged("its last type is cut short")
    return offsets
