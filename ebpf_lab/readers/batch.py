"""What every reader hands on: events of one size as one block of bytes, with their arrival order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Events of one size, in the order they arrived.

    A drain that met events of several sizes gives one batch for each size; :meth:`positions` puts the
    events of all batches of a stream back in order.

    Attributes
    ----------
    record_size : int
        Bytes of each event, as the kernel delivered it.
    data : (n, record_size) uint8
        The events' bytes, C-contiguous, in memory of their own: ``data.view(dtype)[:, 0]`` is the typed
        array of any structured dtype of ``record_size`` bytes.
    order : int
        Arrival number in the stream, from 0, of the first event here.
    index : (n,) int64, optional
        Arrival number of each event, increasing; None when they are ``order``, ``order + 1`` and so on.
    padded : bool
        The kernel rounded the size up (perf buffers): the last bytes, up to seven, may be padding.
    """

    record_size: int
    data: NDArray[np.uint8]
    order: int
    index: NDArray[np.int64] | None = None
    padded: bool = False

    def __len__(self) -> int:
        return len(self.data)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self.data.nbytes + (0 if self.index is None else self.index.nbytes)

    def first(self, count: int) -> Batch:
        """The first events, in memory of their own where that are not all."""
        if count >= len(self):
            return self
        index = None if self.index is None else self.index[:count]
        return Batch(self.record_size, self.data[:count].copy(), self.order, index, self.padded)

    def positions(self) -> NDArray[np.int64]:
        """Arrival number of each event in its stream, ``(n,) int64``, increasing."""
        if self.index is not None:
            return self.index
        return np.arange(self.order, self.order + len(self.data), dtype=np.int64)

    def fits(self, size: int) -> bool:
        """Whether a struct of ``size`` bytes is delivered in records of ``record_size`` bytes.

        A perf buffer keeps a u32 length before the bytes and rounds both together up to eight
        (``perf_prepare_sample`` in ``kernel/events/core.c``): a struct of 32 bytes comes as 36.
        """
        if self.padded:
            size = (size + 4 + 7) // 8 * 8 - 4
        return size == self.record_size
