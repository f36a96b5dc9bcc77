"""Find the distinct values of a column without a Python object for each event.

Text and bytes are compared eight bytes at a time, as columns of 64-bit integers; only one event of each
distinct value is ever turned into a Python object.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Words: TypeAlias = list[NDArray[np.uint64]]
"""The bytes of n events as columns of 64-bit integers, each ``(n,)``, zeros behind the last byte."""

_ONES = np.uint64(0x0101_0101_0101_0101)
_HIGHS = np.uint64(0x8080_8080_8080_8080)
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)

_RUN_WIDTH = 32
"""Comparing wider rows with each other costs more than it saves."""


def byte_words(data: NDArray[np.uint8]) -> Words:
    """Split ``(n, width)`` bytes into words."""
    return [_word(data, at) for at in range(0, data.shape[1], 8)]


def text_words(data: NDArray[np.uint8]) -> Words:
    """Split ``(n, width)`` bytes of C strings into words, cut at the first NUL of each.

    What lies behind the NUL is whatever was in the buffer before and would make equal strings differ.  No
    more words come back than the longest string has.
    """
    words: Words = []
    open_mask: NDArray[np.uint64] | None = None
    for at in range(0, data.shape[1], 8):
        word = _word(data, at)
        if open_mask is not None:
            word &= open_mask
        # The lowest bit set here is the top bit of the first zero byte: the carries of the subtraction
        # reach only bytes behind it.
        zeros = (word - _ONES) & ~word & _HIGHS
        lowest = zeros & (np.uint64(0) - zeros)
        word &= (lowest >> np.uint64(7)) - np.uint64(1)
        words.append(word)
        open_mask = (zeros != 0).astype(np.uint64) - np.uint64(1)
        if not open_mask.any():
            break
    while len(words) > 1 and not words[-1].any():
        words.pop()
    return words


def run_heads(data: NDArray[np.uint8]) -> NDArray[np.intp] | None:
    """Find where ``(n, width)`` bytes begin to differ from the row before.

    A process makes many events in a row, so that a comm is mostly the one before: only the first of each run
    needs a closer look.

    Returns
    -------
    (k,) intp or None
        The first row of each run of equal rows; None where looking for runs does not pay, because rows are
        wide or runs are short.
    """
    if data.shape[1] > _RUN_WIDTH or not len(data):
        return None
    differs = np.zeros(len(data), bool)
    differs[0] = True
    for word in byte_words(data):
        differs[1:] |= word[1:] != word[:-1]
    heads = np.flatnonzero(differs)
    return heads if len(heads) * 4 <= len(data) else None


def _word(data: NDArray[np.uint8], at: int) -> NDArray[np.uint64]:
    part = data[:, at : at + 8]
    if part.shape[1] == 8:
        # The copy also aligns: a field may begin anywhere.
        return part.view("<u8")[:, 0].astype(np.uint64)
    padded = np.zeros((len(data), 8), np.uint8)
    padded[:, : part.shape[1]] = part
    return padded.view("<u8")[:, 0].astype(np.uint64, copy=False)


def factorise(words: Words, count: int) -> tuple[NDArray[np.intp], list[bytes]]:
    """Number the distinct values of ``count`` events.

    Returns
    -------
    codes : (count,) intp
        Number of each event's value, by first appearance.
    values : list of bytes
        Each value once, padded with zeros to whole words.
    """
    if not words or not count:
        return np.zeros(count, np.intp), [b""] if count else []
    hashed = words[0]
    for word in words[1:]:
        mixed = (hashed ^ (hashed >> np.uint64(32))) * _MIX
        hashed = mixed ^ word
    codes, _ = pd.factorize(hashed)
    first = _first_of_each(codes)
    if any((word != word[first][codes]).any() for word in words[1:]):
        # Two values have one hash, by accident or by malice: compare them whole.
        rows = np.column_stack(words)
        _, first, codes = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        codes = codes.reshape(-1)
    distinct = np.column_stack([word[first] for word in words]).astype("<u8", copy=False)
    return codes, [row.tobytes() for row in distinct]


def _first_of_each(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    # Codes are given in order of appearance, so that each new one is a new maximum.
    highest = np.maximum.accumulate(codes)
    return np.flatnonzero(np.diff(highest, prepend=-1))


def decode(text: bytes) -> str:
    r"""UTF-8 to text, with each byte that is none as ``\xff``; NULs at the end do not count."""
    return text.rstrip(b"\0").decode("utf-8", "backslashreplace")


class Values:
    """A column of Python objects of which each distinct one exists once.

    Parameters
    ----------
    count : int
        Events.
    make : callable
        Turns a distinct key (bytes or an integer) into the object shown, None for a missing one.
    """

    def __init__(self, count: int, make: Callable[[Any], Hashable | None]) -> None:
        self._codes: NDArray[Any] = np.zeros(count, np.int8)
        self._make = make
        self._by_key: dict[Any, int] = {}
        self._by_value: dict[Hashable, int] = {}

    def put(self, where: Any, codes: NDArray[np.intp], keys: Sequence[Any]) -> None:
        """Store the values of some events.

        Parameters
        ----------
        where : slice or (m,) intp
            Rows of those events.
        codes : (m,) intp
            Positions in ``keys``.
        keys : sequence
        """
        numbers = np.array([self._number(key) for key in keys], np.int64)
        while len(self._by_value) > np.iinfo(self._codes.dtype).max:
            self._codes = self._codes.astype(f"i{2 * self._codes.itemsize}")
        if len(numbers):
            self._codes[where] = numbers.astype(self._codes.dtype)[codes]

    def _number(self, key: Any) -> int:
        number = self._by_key.get(key)
        if number is None:
            value = self._make(key)
            # Different bytes may read the same, and categories must differ.
            number = -1 if value is None else self._by_value.setdefault(value, len(self._by_value))
            self._by_key[key] = number
        return number

    def categorical(self, order: Sequence[str] = ()) -> pd.Categorical:
        """Return a categorical of text: ``order`` first, present or not, then the rest, sorted."""
        values = [str(value) for value in self._by_value]
        known = dict.fromkeys(order)
        categories = [*known, *sorted(value for value in values if value not in known)]
        place = {category: at for at, category in enumerate(categories)}
        # The -1 of a missing value finds the last element.
        moved = np.array([*(place[value] for value in values), -1], np.int64)
        codes = moved.astype(np.min_scalar_type(-len(categories) - 1))[self._codes]
        dtype = pd.CategoricalDtype(_index(categories))
        return cast("pd.Categorical", pd.Categorical.from_codes(codes, dtype=dtype))

    def objects(self) -> NDArray[Any]:
        """Return an object array."""
        return np.asarray(self._distinct()[self._codes])

    def spread(self, convert: Callable[[NDArray[np.object_]], Any]) -> Any:
        """Return an array of pandas: ``convert`` makes one of the distinct values, not of each event's."""
        return convert(self._distinct()).take(self._codes)

    def _distinct(self) -> NDArray[np.object_]:
        # The -1 of a missing value finds the last element.
        values = np.empty(len(self._by_value) + 1, object)
        for at, value in enumerate(self._by_value):
            values[at] = value
        return values


def _index(categories: list[str]) -> pd.Index:
    # An empty list has no type of its own, and frames of several traces are to be joined.
    return pd.Index(categories, dtype=pd.Series([""]).dtype)
