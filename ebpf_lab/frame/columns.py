"""Fill the columns of a frame from blocks of events.

Each column is made at its full length once and filled block by block, so that the events' bytes are read
where they are and never copied as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.distinct import Values, byte_words, decode, factorise, run_heads, text_words
from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.frame.layout import Bits, Column, Kind
from ebpf_lab.source.ctype import Enum

Bytes: TypeAlias = NDArray[np.uint8]
"""A block of events, ``(n, width)``."""
Rows: TypeAlias = slice | NDArray[np.int64]
"""Which rows of the frame a block fills."""


class Store(Protocol):
    """A column being filled."""

    def put(self, rows: Rows, block: Bytes) -> None:
        """Fill rows from a block of as many events."""

    def array(self) -> Any:
        """Return the finished column, in a form that pandas takes as it is."""


def store_for(column: Column, count: int) -> Store:
    """Return an empty column of ``count`` rows."""
    return _STORES[column.kind](column, count)


class _Numbers:
    """Integers, floats and bools."""

    def __init__(self, column: Column, count: int) -> None:
        self._column = column
        self._values = np.zeros(count, np.dtype(column.number).newbyteorder("="))

    def put(self, rows: Rows, block: Bytes) -> None:
        self._values[rows] = _numbers(self._column, block)

    def array(self) -> Any:
        return self._values


class _Pointers(_Numbers):
    def array(self) -> Any:
        return HexArray(self._values.astype(np.uint64, copy=False))


class _Enums:
    def __init__(self, column: Column, count: int) -> None:
        self._column = column
        values = column.type.values if isinstance(column.type, Enum) else ()
        # C allows several names for one value: the first one stands.
        self._names = {value: name for name, value in reversed(values)}
        self._values = Values(count, self._name)

    def _name(self, value: int) -> str:
        return self._names.get(value, str(value))

    def put(self, rows: Rows, block: Bytes) -> None:
        codes, distinct = pd.factorize(_numbers(self._column, block))
        self._values.put(rows, codes, distinct.tolist())

    def array(self) -> Any:
        named = self._column.type.values if isinstance(self._column.type, Enum) else ()
        return self._values.categorical([name for name, value in named if self._names[value] == name])


class _Text:
    """C strings; those of a categorical and longer ones."""

    def __init__(self, column: Column, count: int) -> None:
        self._column = column
        self._values = Values(count, decode)

    def put(self, rows: Rows, block: Bytes) -> None:
        data = _bytes(self._column, block)
        heads = run_heads(data)
        if heads is None:
            codes, distinct = factorise(text_words(data), len(data))
        else:
            codes, distinct = factorise(text_words(data[heads]), len(heads))
            codes = np.repeat(codes, np.diff(heads, append=len(data)))
        self._values.put(rows, codes, distinct)

    def array(self) -> Any:
        if self._column.kind is Kind.CATEGORY:
            return self._values.categorical()
        return self._values.spread(text_array)


class _Blobs:
    """Bytes, and arrays of C strings, which are bytes until each distinct one is taken apart."""

    def __init__(self, column: Column, count: int) -> None:
        self._column = column
        is_texts = column.kind is Kind.TEXTS
        self._values = Values(count, partial(_split, width=column.shape[-1]) if is_texts else bytes)

    def put(self, rows: Rows, block: Bytes) -> None:
        data = _bytes(self._column, block)
        codes, distinct = factorise(byte_words(data), len(block))
        self._values.put(rows, codes, [value[: data.shape[1]] for value in distinct])

    def array(self) -> Any:
        return self._values.objects()


class _Rows:
    """Arrays of numbers, one NumPy array for each event."""

    def __init__(self, column: Column, count: int) -> None:
        self._column = column
        self._values = np.empty(count, object)

    def put(self, rows: Rows, block: Bytes) -> None:
        column = self._column
        data = _bytes(column, block)
        step = np.dtype(column.number).itemsize * int(np.prod(column.shape[1:], dtype=int))
        data = np.ascontiguousarray(data[:, : data.shape[1] // step * step])
        values = data != 0 if column.number == "?" else data.view(column.number)
        shape = (len(block), data.shape[1] // step, *column.shape[1:])
        arrays = np.empty(len(block), object)
        for at, value in enumerate(values.reshape(shape)):
            arrays[at] = value
        self._values[rows] = arrays

    def array(self) -> Any:
        return self._values


_STORES: dict[Kind, Callable[[Column, int], Store]] = {
    Kind.NUMBER: _Numbers,
    Kind.BOOL: _Numbers,
    Kind.POINTER: _Pointers,
    Kind.ENUM: _Enums,
    Kind.CATEGORY: _Text,
    Kind.TEXT: _Text,
    Kind.TEXTS: _Blobs,
    Kind.BYTES: _Blobs,
    Kind.ROWS: _Rows,
}


def text_array(values: NDArray[np.object_]) -> Any:
    """Text as pandas holds it: ``str`` from pandas 3 on, objects before."""
    return pd.Series(values, dtype="str", copy=False).array


def _bytes(column: Column, block: Bytes) -> Bytes:
    end = block.shape[1] if column.flexible else column.offset + column.size
    return block[:, column.offset : end]


def _numbers(column: Column, block: Bytes) -> NDArray[Any]:
    if column.bits is not None:
        return _bitfield(column, column.bits, block)
    data = _bytes(column, block)
    if column.kind is Kind.BOOL:
        return np.asarray(data[:, 0] != 0)
    return np.asarray(data.view(column.number)[:, 0])


def _bitfield(column: Column, bits: Bits, block: Bytes) -> NDArray[Any]:
    data = _bytes(column, block)
    padded = np.zeros((len(block), 8), np.uint8)
    padded[:, : min(data.shape[1], 8)] = data[:, :8]
    word = padded.view("<u8")[:, 0].astype(np.uint64, copy=False) >> np.uint64(bits.shift)
    if data.shape[1] == 9:
        # A packed field of more than 56 bits may begin in the middle of a byte.
        word |= data[:, 8].astype(np.uint64) << np.uint64(64 - bits.shift)
    if column.kind is Kind.BOOL:
        return np.asarray((word & np.uint64(1)) != 0)
    if bits.size < 64:
        word &= np.uint64((1 << bits.size) - 1)
        if column.number.startswith("<i"):
            sign = np.uint64(1 << (bits.size - 1))
            word = (word ^ sign) - sign
    return np.asarray(word.astype(np.dtype(column.number).newbyteorder("=")))


def _split(data: bytes, width: int) -> tuple[str, ...]:
    """Take an array of C strings apart, without the empty ones at the end."""
    texts = [decode(data[at : at + width].partition(b"\0")[0]) for at in range(0, len(data), width)]
    while texts and not texts[-1]:
        texts.pop()
    return tuple(texts)
