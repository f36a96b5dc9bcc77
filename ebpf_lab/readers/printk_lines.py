"""The records of :mod:`ebpf_lab.readers.printk_program`, live or recorded, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.readers.batch import Batch

HEAD = np.dtype(
    [("ts", "<u8"), ("tid", "<u4"), ("pid", "<u4"), ("cpu", "<u4"), ("length", "<i4"), ("comm", "S16")]
)
"""What stands before the text of a record; ``ts`` is CLOCK_MONOTONIC in ns, ``length`` includes the NUL."""


def heads(batch: Batch) -> NDArray[Any]:
    """What stands before the text of each line, ``(n,)`` of dtype ``HEAD``."""
    found: NDArray[Any] = np.ascontiguousarray(batch.data[:, : HEAD.itemsize]).view(HEAD)[:, 0]
    return found


def lines(batches: Sequence[Batch]) -> NDArray[Any]:
    """The lines of the batches, in the order of printing.

    Returns
    -------
    (n,) structured array
        ts : u8 [ns, CLOCK_MONOTONIC], cpu, pid, tid : u4, comm : S16, message : bytes as wide as the
        longest, without the newline at the end.
    """
    lengths = [_text_lengths(batch) for batch in batches]
    width = max((int(part.max(initial=0)) for part in lengths), default=0)
    result = np.zeros(
        sum(map(len, batches)),
        [
            ("ts", "<u8"),
            ("cpu", "<u4"),
            ("pid", "<u4"),
            ("tid", "<u4"),
            ("comm", "S16"),
            ("message", f"S{width or 1}"),
        ],
    )
    order = np.concatenate([np.empty(0, np.int64), *(batch.positions() for batch in batches)]).argsort()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    begin = 0
    for batch, length in zip(batches, lengths, strict=True):
        where = place[begin : begin + len(batch)]
        begin += len(batch)
        head = heads(batch)
        for field in ("ts", "cpu", "pid", "tid", "comm"):
            result[field][where] = head[field]
        text = np.zeros((len(batch), width or 1), np.uint8)
        taken = batch.data[:, HEAD.itemsize :][:, : text.shape[1]]
        # Behind the NUL lies what an earlier record left in the ring buffer.
        text[:, : taken.shape[1]] = np.where(np.arange(taken.shape[1]) < length[:, None], taken, 0)
        result["message"][where] = text.view(f"S{text.shape[1]}")[:, 0]
    return result


def _text_lengths(batch: Batch) -> NDArray[np.int64]:
    # The length counts the NUL, and is a negative error number when the text could not be read.
    length = np.clip(heads(batch)["length"].astype(np.int64) - 1, 0, batch.record_size - HEAD.itemsize)
    if len(batch):
        last = batch.data[np.arange(len(batch)), HEAD.itemsize + np.maximum(length - 1, 0)]
        length -= (length > 0) & (last == ord("\n"))
    return length
