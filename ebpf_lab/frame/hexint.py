"""A pandas column type for addresses: unsigned 64-bit integers that print in hexadecimal.

An address is an identity and not a quantity: it is compared, sorted, grouped and subtracted, but has no
mean.  So ``describe`` and ``mean(numeric_only=True)`` pass such a column by.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray, ExtensionDtype, register_extension_dtype, take
from pandas.api.indexers import check_array_indexer

_WORD = 0xFFFF_FFFF_FFFF_FFFF


@register_extension_dtype
class HexDtype(ExtensionDtype):
    """Type of a column of addresses; its name is ``"hex"``."""

    name = "hex"
    type = int
    kind = "u"
    itemsize = 8
    na_value = pd.NA
    _metadata: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def construct_array_type(cls) -> type[HexArray]:  # type: ignore[valid-type]  # "type" is a member here
        """Return the array class that holds such values."""
        return HexArray

    def __repr__(self) -> str:
        return self.name


class HexArray(ExtensionArray):
    """Addresses, any of which may be missing.

    Comparison with integers gives plain booleans (a missing address equals nothing).  ``&``, ``|``, ``^``
    and ``+`` give addresses; ``-`` gives signed distances (``Int64``).

    Parameters
    ----------
    values : (n,) uint64
        The addresses; the array is used as it is.
    missing : (n,) bool, optional
        True where there is none.

    Examples
    --------
    >>> pd.Series(HexArray(np.array([0xffff888000000000, 16], np.uint64)))
    0    0xffff888000000000
    1                  0x10
    dtype: hex
    """

    __array_priority__ = 1000  # an ndarray on the left of an operator leaves the work to this class

    def __init__(self, values: NDArray[np.uint64], missing: NDArray[np.bool_] | None = None) -> None:
        if not isinstance(values, np.ndarray) or values.dtype != np.uint64 or values.ndim != 1:
            raise TypeError("HexArray takes a one-dimensional uint64 array")
        self._words = values
        self._missing = np.zeros(len(values), bool) if missing is None else missing
        self._readonly = False  # set by pandas 3 on arrays that a frame shares

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: object = None, copy: bool = False) -> HexArray:
        if isinstance(scalars, HexArray):
            return scalars.copy() if copy else scalars
        if isinstance(scalars, np.ndarray) and scalars.dtype.kind == "u":
            return cls(scalars.astype(np.uint64, copy=copy))
        objects = np.empty(len(scalars), object)
        objects[:] = list(scalars)
        missing = pd.isna(objects)
        values = np.array(
            [0 if absent else operator.index(x) & _WORD for x, absent in zip(objects, missing, strict=True)],
            np.uint64,
        )
        return cls(values, missing)

    @classmethod
    def _from_sequence_of_strings(cls, strings: Any, *, dtype: object = None, copy: bool = False) -> HexArray:
        return cls._from_sequence([pd.NA if pd.isna(text) else int(text, 0) for text in strings])

    @classmethod
    def _from_factorized(cls, values: Any, original: HexArray) -> HexArray:
        return cls._from_sequence(values)

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[HexArray]) -> HexArray:
        return cls(
            np.concatenate([part._words for part in to_concat]),
            np.concatenate([part._missing for part in to_concat]),
        )

    @property
    def dtype(self) -> HexDtype:
        """Always :class:`HexDtype`."""
        return HexDtype()

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self._words.nbytes + self._missing.nbytes

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, item: Any) -> Any:
        item = check_array_indexer(self, item)
        if isinstance(item, (int, np.integer)):
            return pd.NA if self._missing[item] else int(self._words[item])
        part = type(self)(self._words[item], self._missing[item])
        part._readonly = self._readonly
        return part

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._readonly:
            raise ValueError("Cannot modify read-only array")
        key = check_array_indexer(self, key)
        if pd.api.types.is_list_like(value):
            part = self._from_sequence(value)
            self._words[key], self._missing[key] = part._words, part._missing
        else:
            absent = bool(pd.isna(value))
            self._words[key] = 0 if absent else operator.index(value) & _WORD
            self._missing[key] = absent

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested")
        complete = not self._missing.any()
        if dtype is None:
            dtype = np.uint64 if complete else object
        if not complete and np.dtype(dtype) != object:
            raise ValueError("some addresses are missing: dropna() first")
        result = self._words.astype(dtype)
        if not complete:
            result[self._missing] = pd.NA
        return result

    def isna(self) -> NDArray[np.bool_]:
        """Return True where there is no address."""
        return self._missing.copy()

    def copy(self) -> HexArray:
        """Return an independent copy."""
        return type(self)(self._words.copy(), self._missing.copy())

    def view(self, dtype: Any = None) -> Any:
        """Return a new array over the same memory; with a type, the integers under it."""
        return self[:] if dtype is None else self._words.view(dtype)

    def take(self, indexer: Any, *, allow_fill: bool = False, fill_value: Any = None) -> HexArray:
        """Return the chosen elements; with ``allow_fill``, -1 stands for ``fill_value``."""
        absent = fill_value is None or bool(pd.isna(fill_value))
        words: Any = take(self._words, indexer, fill_value=0 if absent else fill_value, allow_fill=allow_fill)
        missing: Any = take(self._missing, indexer, fill_value=absent, allow_fill=allow_fill)
        return type(self)(words, missing)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Convert; text is hexadecimal."""
        target: Any = pd.api.types.pandas_dtype(dtype)
        if isinstance(target, HexDtype):
            return self.copy() if copy else self
        if isinstance(target, pd.StringDtype) or target.kind in "UT":
            texts = np.array([self._text(value) for value in self], object)
            texts[self._missing] = pd.NA
            return texts.astype(target) if isinstance(target, np.dtype) else pd.array(texts, dtype=target)
        if isinstance(target, ExtensionDtype) and target.kind in "iu":
            return pd.array(self.__array__(), dtype=dtype)
        return super().astype(dtype, copy=copy)

    @staticmethod
    def _text(value: Any) -> str:
        return str(value) if value is pd.NA else hex(value)

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str]:
        return self._text

    def _values_for_argsort(self) -> NDArray[Any]:
        return self._words

    def factorize(self, use_na_sentinel: bool = True) -> tuple[NDArray[np.intp], HexArray]:
        """Return codes and distinct addresses; missing ones have code -1 unless told otherwise."""
        codes, distinct = pd.factorize(np.asarray(self), use_na_sentinel=use_na_sentinel)
        return codes, self._from_sequence(distinct)

    def value_counts(self, dropna: bool = True) -> pd.Series[int]:
        """Return how often each address occurs; pandas before 3 leaves this to the array."""
        codes, distinct = self.factorize()
        counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
        if not dropna and self._missing.any():
            distinct = self._concat_same_type([distinct, self._from_sequence([pd.NA])])
            counts = np.append(counts, self._missing.sum())
        return pd.Series(counts, index=pd.Index(distinct), name="count")

    def _reduce(self, name: str, *, skipna: bool = True, keepdims: bool = False, **kwargs: Any) -> Any:
        if name not in ("min", "max"):
            raise TypeError(f"cannot perform {name} with addresses")
        present = self._words[~self._missing]
        absent = len(present) == 0 or (not skipna and len(present) < len(self))
        result = pd.NA if absent else int(getattr(present, name)())
        return self._from_sequence([result]) if keepdims else result


def _operand(other: Any) -> tuple[Any, Any] | None:
    """Split the right-hand side of an operator into integers and what is missing; None if it is neither."""
    if isinstance(other, (pd.Series, pd.DataFrame, pd.Index)):
        return None  # pandas unpacks these and calls again
    if other is pd.NA or other is None:
        return np.uint64(0), True
    if isinstance(other, (int, np.integer)):
        return int(other), False
    if isinstance(other, HexArray):
        return other._words, other._missing
    if isinstance(other, (list, tuple, np.ndarray, ExtensionArray)):
        values = np.asarray(other)
        if values.dtype.kind in "iub":
            return values, np.zeros(len(values), bool)
        if values.dtype == object and all(x is pd.NA or isinstance(x, (int, np.integer)) for x in values):
            return _operand(HexArray._from_sequence(values))
    return None


def _comparison(operation: Callable[[Any, Any], Any]) -> Callable[[HexArray, Any], Any]:
    def method(self: HexArray, other: Any) -> Any:
        operand = _operand(other)
        if operand is None:
            return NotImplemented
        values, missing = operand
        if np.ndim(values) and len(values) != len(self):
            raise ValueError("lengths must match to compare")
        if isinstance(values, int) and not 0 <= values <= _WORD:
            # Beyond any address: every one compares the same way, and NumPy 1 would go through floats.
            result = np.full(len(self), operation(0 if values > 0 else 1, values))
        else:
            result = operation(self._words, np.uint64(values) if isinstance(values, int) else values)
        return np.where(self._missing | missing, operation is operator.ne, result)

    return method


def _arithmetic(operation: Callable[[Any, Any], Any], swap: bool = False) -> Callable[[HexArray, Any], Any]:
    def method(self: HexArray, other: Any) -> Any:
        operand = _operand(other)
        if operand is None:
            return NotImplemented
        values, missing = operand
        right = np.uint64(values & _WORD) if isinstance(values, int) else values.astype(np.uint64)
        left = self._words
        result = operation(right, left) if swap else operation(left, right)
        absent = self._missing | missing
        if operation is operator.sub:
            return pd.arrays.IntegerArray(result.view(np.int64), absent)
        return HexArray(result, absent)

    return method


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(HexArray, f"__{_name}__", _comparison(getattr(operator, _name)))
for _name, _operation in {
    "add": operator.add,
    "sub": operator.sub,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}.items():
    setattr(HexArray, f"__{_name}__", _arithmetic(_operation))
    setattr(HexArray, f"__r{_name}__", _arithmetic(_operation, swap=True))
