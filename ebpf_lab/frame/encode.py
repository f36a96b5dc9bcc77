"""From values as a learner writes them to the bytes of a C type: the other way round than a frame is made."""

from __future__ import annotations

import operator
import struct
from collections.abc import Mapping
from typing import Any

from ebpf_lab.frame.layout import Column, Kind, Layout
from ebpf_lab.source.ctype import Enum
from ebpf_lab.source.words import did_you_mean, listing

_TRUE, _FALSE = ("true", "1"), ("false", "0")


def encode(layout: Layout, given: object, base: bytes) -> bytes:
    """Bytes of a type.

    Parameters
    ----------
    layout : Layout
    given : object
        A value, or of a struct those of some of its members, by the names that they have as columns.
    base : bytes
        What the members that are not given have.

    Raises
    ------
    ValueError
        It is no value of this type; the message says why.

    Examples
    --------
    >>> from ebpf_lab.source.ctype import Int
    >>> encode(Layout.of(Int("u32", 4, False)), 7, bytes(4)).hex()
    '07000000'
    """
    block = bytearray(base)
    columns = {column.name: column for column in layout.columns}
    if not isinstance(given, Mapping):
        if len(columns) != 1:
            raise ValueError(f"{given!r} is one value; a dict of {listing(columns)} is needed")
        given = dict.fromkeys(columns, given)
    for name, value in given.items():
        if name not in columns:
            near = did_you_mean(str(name), columns) or f"there is {listing(columns)}"
            raise ValueError(f"there is no member {name}; {near}")
        put(block, columns[name], value)
    return bytes(block)


def put(block: bytearray, column: Column, value: object) -> None:
    """Write one column's value where it belongs.

    Raises
    ------
    ValueError
        It is no value of this column.
    """
    place = slice(column.offset, column.offset + column.size)
    if column.kind is Kind.BYTES and column.shape != (-1,):
        block[place] = _data(column, value)
    elif column.kind in (Kind.CATEGORY, Kind.TEXT) and not column.flexible:
        block[place] = _text(column, value)
    elif column.number.startswith("<f"):
        block[place] = _float(column, value)
    elif column.kind in (Kind.NUMBER, Kind.BOOL, Kind.ENUM, Kind.POINTER):
        number = _number(column, value)
        if column.bits is not None:
            mask = (1 << column.bits.size) - 1
            word = int.from_bytes(block[place], "little") & ~(mask << column.bits.shift)
            number = word | (number & mask) << column.bits.shift
        block[place] = (number & (1 << 8 * column.size) - 1).to_bytes(column.size, "little")
    else:
        raise ValueError(f"{column.name} cannot be set from here: it is an array")


def from_text(column: Column, text: str) -> object:
    """What somebody typed, as a value for :func:`put`.

    Raises
    ------
    ValueError
        It is none.
    """
    if column.kind in (Kind.CATEGORY, Kind.TEXT):
        return text
    typed = text.strip()
    if column.kind is Kind.BYTES:
        try:
            return bytes.fromhex(typed)
        except ValueError:
            raise ValueError(f"{typed!r} is not hexadecimal, such as {'00' * column.size}") from None
    if column.kind is Kind.BOOL and typed.lower() in _TRUE + _FALSE:
        return typed.lower() in _TRUE
    if column.kind is Kind.ENUM and typed in _names(column):
        return typed
    try:
        return float(typed) if column.number.startswith("<f") else int(typed.replace(",", ""), 0)
    except ValueError:
        return typed  # which is said to be none of the type


def type_words(column: Column) -> str:
    """The C type, as an error names it."""
    if column.bits is not None:
        return f"{getattr(column.type, 'name', '')}:{column.bits.size}"
    if column.kind in (Kind.CATEGORY, Kind.TEXT, Kind.BYTES):
        return f"{'char' if column.kind is not Kind.BYTES else 'u8'}[{column.size}]"
    if column.kind is Kind.POINTER:
        return "pointer"
    return getattr(column.type, "name", "") or "number"


def _number(column: Column, value: object) -> int:
    if isinstance(value, str):
        names = _names(column)
        if value in names:
            return names[value]
        known = f"; it has {listing(names)}" if names else ""
        raise ValueError(f"{value!r} is no {type_words(column)}{known}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{value!r} is no {type_words(column)}, which is a whole number") from None
    low, high = _range(column)
    if not low <= number <= high:
        raise ValueError(f"{number} does not fit {type_words(column)} ({low} to {high})")
    return number


def _range(column: Column) -> tuple[int, int]:
    if column.kind is Kind.BOOL:
        return 0, 1
    bits = column.bits.size if column.bits is not None else 8 * column.size
    if column.number.startswith("<i"):
        return -(1 << bits - 1), (1 << bits - 1) - 1
    return 0, (1 << bits) - 1


def _names(column: Column) -> dict[str, int]:
    return dict(column.type.values) if isinstance(column.type, Enum) else {}


def _float(column: Column, value: Any) -> bytes:
    try:
        return struct.pack({2: "<e", 4: "<f", 8: "<d"}[column.size], value)
    except (struct.error, OverflowError):
        raise ValueError(f"{value!r} is no {type_words(column)}") from None


def _text(column: Column, value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text, which {type_words(column)} holds")
    data = value.encode("utf-8", "surrogateescape")
    if len(data) >= column.size:
        raise ValueError(f"{value!r} does not fit {type_words(column)}: {column.size - 1} bytes and a NUL")
    return data.ljust(column.size, b"\0")


def _data(column: Column, value: object) -> bytes:
    if not isinstance(value, bytes | bytearray) or len(value) != column.size:
        raise ValueError(f"{value!r} is not {column.size} bytes, which {type_words(column)} has")
    return bytes(value)
