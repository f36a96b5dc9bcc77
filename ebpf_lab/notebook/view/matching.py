"""Which rows of a column hold a word, in the text that is shown, and the order of a column's values.

Python would take ten seconds to write out a million numbers in each of a few columns.  Arrow writes integers
and points in time as text, NumPy addresses; of names and rounded durations only those that differ are
written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.frame.shown import is_duration, texts, three_digits

_DIGITS = frozenset("0123456789-")
_POINT = _DIGITS | {"."}
_SPAN = frozenset("0123456789-., nµms")
_ADDRESS = frozenset("0123456789abcdefx")
"""The characters that numbers, times and addresses are written with: other words need not be looked for."""
_NIBBLES = np.frombuffer(b"0123456789abcdef", np.uint8)
_NOT_A_TIME = np.iinfo(np.int64).min


def order(column: pd.Series[Any], descending: bool) -> NDArray[np.intp]:
    """Positions in the order of the values; rows of equal ones keep theirs, and missing ones are last."""
    if isinstance(column.dtype, pd.StringDtype):
        direction = "descending" if descending else "ascending"
        found = pc.sort_indices(
            pa.array(column, pa.large_string(), from_pandas=True), sort_keys=[("", direction)]
        )
        return np.asarray(found, np.intp)
    values = column.reset_index(drop=True)
    try:
        by_value = values.sort_values(ascending=not descending, kind="stable", na_position="last")
    except TypeError:
        # Arrays and lists have no order of their own.
        return order(pd.Series(texts(column), dtype="str"), descending)
    positions: NDArray[np.intp] = by_value.index.to_numpy()
    return positions


def contains(column: pd.Series[Any], word: str) -> NDArray[np.bool_]:
    """Where a word, in lower case, is in the text that is shown."""
    dtype = column.dtype
    if isinstance(column.array, HexArray):
        return _in_addresses(column.array, word)
    if dtype.kind == "m":
        values = column.to_numpy("m8[ns]").view(np.int64)
        found = _in_spans(values, word) if is_duration(column) else _in_points(values, word)
        found[values == _NOT_A_TIME] = False
        return found
    if dtype.kind in "iu":
        if not _DIGITS.issuperset(word):
            return np.zeros(len(column), bool)
        return _matched(pa.array(column, from_pandas=True).cast(pa.string()), word)
    if isinstance(dtype, pd.StringDtype):
        return _matched(pa.array(column, pa.large_string(), from_pandas=True), word)
    if isinstance(dtype, pd.CategoricalDtype):
        return _in_distinct(column.cat.codes.to_numpy(), column.cat.categories.to_series(), word)
    try:
        codes, distinct = pd.factorize(column.array)
    except TypeError:
        return _among(texts(column), word)
    return _in_distinct(codes, pd.Series(distinct, name=column.name), word)


def _matched(written: Any, word: str) -> NDArray[np.bool_]:
    return _array(pc.fill_null(pc.match_substring(written, word, ignore_case=True), False))


def _array(found: Any) -> NDArray[np.bool_]:
    made: NDArray[np.bool_] = np.asarray(found, bool)
    return made


def _among(values: Sequence[str | None], word: str) -> NDArray[np.bool_]:
    return np.fromiter((text is not None and word in text.lower() for text in values), bool, len(values))


def _in_distinct(codes: NDArray[Any], distinct: pd.Series[Any], word: str) -> NDArray[np.bool_]:
    # The last one is for the code -1: a missing value.
    found: NDArray[np.bool_] = np.append(_among(texts(distinct), word), False)[codes]
    return found


def _in_points(values: NDArray[np.int64], word: str) -> NDArray[np.bool_]:
    if not _POINT.issuperset(word):
        return np.zeros(len(values), bool)
    seconds, rest = np.divmod(np.abs(values), 10**9)
    written = pc.binary_join_element_wise(
        pa.array(np.where(values < 0, "-", "")),
        pa.array(seconds).cast(pa.string()),
        pa.array(np.full(len(values), ".")),
        pc.utf8_lpad(pa.array(rest).cast(pa.string()), 9, "0"),
        "",
    )
    return _matched(written, word)


def _in_spans(values: NDArray[np.int64], word: str) -> NDArray[np.bool_]:
    if not _SPAN.issuperset(word):
        return np.zeros(len(values), bool)
    # Three digits are shown: of a million durations, a few thousand differ in them.
    codes, distinct = pd.factorize(three_digits(values).astype(np.int64))
    return _in_distinct(codes, pd.Series(distinct.view("m8[ns]"), name="duration_ns"), word)


def _in_addresses(array: HexArray, word: str) -> NDArray[np.bool_]:
    if not _ADDRESS.issuperset(word):
        return np.zeros(len(array), bool)
    words = array.view(np.uint64)
    nibbles = (words[:, None] >> np.arange(60, -1, -4, dtype=np.uint64)).astype(np.uint8) & 15
    first = np.where(words > 0, (nibbles > 0).argmax(axis=1), 15)
    letters = np.full((len(words), 18), ord(" "), np.uint8)
    letters[:, 2:] = np.where(np.arange(16) >= first[:, None], _NIBBLES[nibbles], ord(" "))
    rows = np.arange(len(words))
    letters[rows, first], letters[rows, first + 1] = ord("0"), ord("x")
    found = pc.match_substring(pa.array(letters.view("S18").reshape(-1), pa.binary()), word.encode())
    return _array(found) & ~array.isna()
