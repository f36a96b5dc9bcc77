"""Buckets of powers of two, as ``bpf_log2l`` sorts values into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.shown import span
from ebpf_lab.plots import columns

if TYPE_CHECKING:
    from matplotlib.axis import Axis

_EDGES = np.array([1 << power for power in range(1, 64)], np.uint64)
_MOST_LABELS = 13
_PREFIXES = ((1 << 40, "Ti"), (1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))


def slots(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bucket of each value: n holds 2**(n-1) to 2**n - 1; 1 holds 0, too, and what is negative.

    Examples
    --------
    >>> slots(np.array([0, 1, 2, 3, 4, 1023, 1024]))
    array([ 1,  1,  2,  2,  3, 10, 11])
    """
    # Integers all the way: as floats, 2**54 - 1 would be in the bucket of 2**54.
    found: NDArray[np.int64] = np.searchsorted(_EDGES, np.maximum(values, 0).astype(np.uint64), "right") + 1
    return found


def low(slot: int) -> int:
    """The least value in a bucket."""
    return 1 << (slot - 1) if slot > 1 else 0


def whole(column: pd.Series[Any]) -> NDArray[np.int64]:
    """The values of a column as integers, times in nanoseconds.

    Raises
    ------
    UsageProblem
        They are no numbers.
    """
    if column.dtype.kind == "m":
        return columns.nanoseconds(column)
    if not columns.is_number(column):
        raise UsageProblem(
            f"column {str(column.name)!r} holds no numbers", hint="counts(column) counts its values"
        )
    numbers: NDArray[Any] = column.dropna().to_numpy()
    if numbers.dtype.kind == "f":
        numbers = np.clip(numbers, 0, 2.0**62)
    elif numbers.dtype == np.uint64:
        numbers = np.minimum(numbers, np.uint64(2**63 - 1))
    found: NDArray[np.int64] = numbers.astype(np.int64)
    return found


@dataclass(frozen=True, slots=True)
class Scale:
    """How the edges of buckets read: as times, of which a step is ``factor`` nanoseconds, or as numbers."""

    is_time: bool
    factor: int = 1

    def low(self, slot: int) -> str:
        """The least value of a bucket."""
        value = low(slot) * self.factor
        if self.is_time:
            return span(value)
        return next((f"{value // size} {prefix}" for size, prefix in _PREFIXES if value >= size), str(value))

    def label(self, axis: Axis, first: int, count: int) -> None:
        """Write the edges of ``count`` buckets at the ticks 0, 1, …, as many of them as can be read."""
        step = -(-(count + 1) // _MOST_LABELS)
        at = range(0, count + 1, step)
        axis.set_ticks(list(at), [self.low(first + each) for each in at])
