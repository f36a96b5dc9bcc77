"""From a C type to the columns of a frame.

===============================  ==================================================================
member                           columns
===============================  ==================================================================
integer, float, bool             one, of the same width and sign
``char[N]``, N up to 32          one categorical of text, up to the first NUL
``char[N]``, longer              one of text
``char args[N]``, ``u32          one of text, as a shell would have the arguments (see
args_size``                      :mod:`ebpf_lab.frame.arguments`); and the number
enum                             one categorical of the names; a value without a name as ``7``
pointer                          one of addresses (dtype ``hex``)
bitfield                         as its type
struct                           those of its members, as ``a.b``
anonymous struct or union        those of its members, as if they were the parent's
union                            one of ``bytes``
``u8[N]``, ``unsigned char[N]``  one of ``bytes``
other array of up to 8           one per element: ``args[0]``, ``args[1]`` …
longer array of numbers          one of NumPy arrays
longer array of ``char[N]``      one of tuples of text, without the empty ones at the end
any other                        one of ``bytes``
===============================  ==================================================================

A flexible array at the end takes what the event has left: text, ``bytes`` or NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum as PyEnum

from ebpf_lab.source.ctype import Array, CType, Enum, Float, Int, Member, Pointer, Struct

MAX_SPREAD = 8
"""Arrays of up to so many elements become one column each."""
MAX_CATEGORY = 32
"""Text of up to so many bytes becomes a categorical: names, which repeat; longer ones are paths and data."""


class Kind(PyEnum):
    """What a column holds."""

    NUMBER = "number"
    BOOL = "bool"
    ENUM = "enum"
    POINTER = "pointer"
    CATEGORY = "category"
    TEXT = "text"
    TEXTS = "texts"
    BYTES = "bytes"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Bits:
    """A bitfield: ``size`` bits from bit ``shift`` of the column's bytes."""

    shift: int
    size: int


@dataclass(frozen=True, slots=True)
class Column:
    """One column and where its bytes are.

    Attributes
    ----------
    name : str
    kind : Kind
    type : CType
        Of a bitfield, the declared type.
    offset, size : int
        Bytes from the start of the event; a flexible array has size 0.
    number : str
        NumPy type of the number, or of the numbers of an array; "" where there are none.
    shape : tuple of int
        Of an array; its first number is -1 where the array is flexible.
    bits : Bits or None
    """

    name: str
    kind: Kind
    type: CType
    offset: int
    size: int
    number: str = ""
    shape: tuple[int, ...] = ()
    bits: Bits | None = None

    @property
    def flexible(self) -> bool:
        """Whether it reaches to the end of the event, wherever that is."""
        return self.shape[:1] == (-1,)


@dataclass(frozen=True, slots=True)
class Layout:
    """A C type as columns.

    Attributes
    ----------
    name : str
        C name, "" for a type without one.
    size : int
        Bytes.
    columns : tuple of Column
        In the order of the members.
    least : int
        Bytes of the shortest event that decodes: less than ``size`` where an array is last, of which
        programs send only the used part.
    """

    name: str
    size: int
    columns: tuple[Column, ...]
    least: int

    @classmethod
    def of(cls, ctype: CType, scalar: str = "value") -> Layout:
        """Lay a type out.

        Parameters
        ----------
        ctype : CType
        scalar : str
            Name of the column of a type that is no struct.
        """
        name = getattr(ctype, "name", "")
        if not isinstance(ctype, Struct) or ctype.union:
            return cls(name, ctype.size, tuple(_columns(scalar, ctype, 0)), ctype.size)
        least = ctype.size
        last = ctype.members[-1] if ctype.members else None
        if last is not None and isinstance(last.type, Array):
            least = last.bit_offset // 8
        return cls(name, ctype.size, tuple(_members(ctype, "", 0, last)), least)

    @property
    def flexible(self) -> bool:
        """Whether events may be longer than ``size``."""
        return any(column.flexible for column in self.columns)


def _members(struct: Struct, prefix: str, base: int, last: Member | None = None) -> Iterator[Column]:
    """Columns of a struct at byte ``base``; ``last`` is the one member that may be a flexible array."""
    for member in struct.members:
        name = prefix + member.name
        offset, shift = divmod(member.bit_offset, 8)
        offset += base
        if not member.name:
            # Other members without a name are bits that only keep a place.
            if isinstance(member.type, Struct):
                yield from _members(member.type, prefix, offset)
        elif member.bit_size is not None:
            kind, number = _scalar(member.type) or (Kind.NUMBER, "<u8")
            bits = Bits(shift, member.bit_size)
            size = (shift + member.bit_size + 7) // 8
            yield Column(name, kind, member.type, offset, size, number, bits=bits)
        elif isinstance(member.type, Array) and member.type.length == 0:
            # Anywhere else, GNU C's array of no elements only names a place.
            if member is last:
                yield _whole_array(name, member.type, offset, (-1,))
        else:
            yield from _columns(name, member.type, offset)


def _columns(name: str, ctype: CType, offset: int) -> Iterator[Column]:
    if scalar := _scalar(ctype):
        yield Column(name, scalar[0], ctype, offset, ctype.size, scalar[1])
    elif isinstance(ctype, Struct) and not ctype.union:
        yield from _members(ctype, f"{name}.", offset)
    elif ctype.size <= 0:
        return
    elif isinstance(ctype, Array) and is_text(ctype):
        kind = Kind.CATEGORY if ctype.length <= MAX_CATEGORY else Kind.TEXT
        yield Column(name, kind, ctype, offset, ctype.size)
    elif isinstance(ctype, Array) and ctype.length <= MAX_SPREAD and not _is_data(ctype):
        for index in range(ctype.length):
            yield from _columns(f"{name}[{index}]", ctype.element, offset + index * ctype.element.size)
    elif isinstance(ctype, Array):
        yield _whole_array(name, ctype, offset, (ctype.length,))
    else:
        yield Column(name, Kind.BYTES, ctype, offset, ctype.size)


def _whole_array(name: str, array: Array, offset: int, shape: tuple[int, ...]) -> Column:
    element, size = array.element, array.size
    if is_text(array):
        return Column(name, Kind.TEXT, array, offset, size, shape=shape)
    if isinstance(element, Array) and is_text(element) and element.length > 0:
        return Column(name, Kind.TEXTS, array, offset, size, shape=(*shape, element.length))
    if not _is_data(array):
        while isinstance(element, Array) and element.length > 0 and not is_text(element):
            shape, element = (*shape, element.length), element.element
        if scalar := _scalar(element):
            return Column(name, Kind.ROWS, array, offset, size, scalar[1], shape)
    return Column(name, Kind.BYTES, array, offset, size, shape=shape[:1])


def _scalar(ctype: CType) -> tuple[Kind, str] | None:
    """Kind and NumPy type of a single value; None for all that has none."""
    if isinstance(ctype, Int) and ctype.boolean and ctype.size == 1:
        return Kind.BOOL, "?"
    if isinstance(ctype, Int | Enum) and ctype.size in (1, 2, 4, 8):
        kind = Kind.ENUM if isinstance(ctype, Enum) else Kind.NUMBER
        return kind, f"<{'i' if ctype.signed else 'u'}{ctype.size}"
    if isinstance(ctype, Pointer) and ctype.size in (4, 8):
        return Kind.POINTER, f"<u{ctype.size}"
    if isinstance(ctype, Float) and ctype.size in (2, 4, 8):
        return Kind.NUMBER, f"<f{ctype.size}"
    return None


def is_text(array: Array) -> bool:
    """Whether an array is a C string."""
    return isinstance(array.element, Int) and array.element.char and array.element.size == 1


def _is_data(array: Array) -> bool:
    """Whether an array is plain bytes: an address, a packet."""
    element = array.element
    return isinstance(element, Int) and element.size == 1 and not (element.signed or element.boolean)
