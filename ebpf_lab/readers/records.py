"""Find the records in a block of memory and copy their payloads out, many at a time.

Ring buffers and perf buffers both lay records one after the other, each beginning with an eight-byte header
that gives its length.  Where the next record begins is thus known only from the last one, which would mean
a Python step for each.  But a stream nearly always carries events of one size, and then the headers lie at
equal distances: one NumPy comparison proves a whole run of them right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Positions = NDArray[np.int64]

PIECE = 4 << 20
"""Bytes that readers decode at once.  With less, a flood comes in batches so small that they have to be put
together again; with more, what NumPy needs meanwhile leaves the cache, and the kernel waits for its room."""
_FIRST_WINDOW = 1024
"""Headers compared at once where some differ; doubled as long as all of them agree."""
_SHORT = 32
"""A run below this is not worth a NumPy pass: records of mixed sizes are then stepped through singly."""
_FIRST_STEPS = 8
"""Records stepped through singly before equal sizes are looked for again; doubled while there are none."""
_MOST_STEPS = 512


def walk(
    words: Words, begin: int, end: int, *, keep: int, shape: int, stride: Callable[[int], int]
) -> tuple[Positions, Words, int]:
    """Find the records between two words of a block.

    Parameters
    ----------
    words : (n,) uint64
        The block.  It may be memory that the kernel writes to, as long as a header that ``stride`` accepts
        no longer changes: one is judged and returned by the same load.
    begin, end : int
        First word, which is a header, and the word behind the last record.
    keep : int
        Bits of a header to return.
    shape : int
        Those of them that decide its length: records with equal ones form a run.
    stride : callable
        Words from a record's header to the next one's, from ``header & shape``; 0 where reading must stop.

    Returns
    -------
    offsets : (n,) int64
        Word of each header.
    headers : (n,) uint64
        Each header, masked with ``keep``.
    next : int
        The word behind the last whole record before ``end`` or before the one where reading had to stop.
    """
    offsets: list[Positions] = []
    headers: list[Words] = []
    window, steps = end - begin, _FIRST_STEPS
    at = begin
    while at < end:
        key = int(words[at]) & shape
        step = stride(key)
        if step == 0 or at + step > end:
            break
        count = min((end - at) // step, window)
        run = words[at : at + count * step : step] & np.uint64(keep)
        same = (run if keep == shape else run & np.uint64(shape)) == np.uint64(key)
        length = count if same.all() else int(same.argmin())
        offsets.append(np.arange(at, at + length * step, step, dtype=np.int64))
        headers.append(run[:length])
        at += length * step
        if length == count:
            window *= 2
        elif length >= _SHORT:
            window, steps = max(length, _FIRST_WINDOW), _FIRST_STEPS
        else:
            singles, found, at = _step(words, at, end, steps, shape, stride)
            window, steps = _FIRST_WINDOW, min(2 * steps, _MOST_STEPS)
            offsets.append(np.array(singles, dtype=np.int64))
            headers.append(np.array(found, dtype=np.uint64) & np.uint64(keep))
    if len(offsets) == 1:
        return offsets[0], headers[0], at
    return (
        np.concatenate([np.empty(0, np.int64), *offsets]),
        np.concatenate([np.empty(0, np.uint64), *headers]),
        at,
    )


def _step(
    words: Words, at: int, end: int, steps: int, shape: int, stride: Callable[[int], int]
) -> tuple[list[int], list[int], int]:
    view = words.data  # indexing a memoryview costs a third of indexing the array
    strides: dict[int, int] = {}
    offsets: list[int] = []
    headers: list[int] = []
    while at < end and len(offsets) < steps:
        header = view[at]
        key = header & shape
        step = strides.get(key)
        if step is None:
            step = strides[key] = stride(key)
        if step == 0 or at + step > end:
            break
        offsets.append(at)
        headers.append(header)
        at += step
    return offsets, headers, at


def by_header(headers: Words) -> Iterator[tuple[int, Positions | None]]:
    """Group records: yield each header and the positions, increasing, of the records that have it.

    The positions are None when there is one header only.
    """
    if not len(headers):
        return
    if (headers == headers[0]).all():
        yield int(headers[0]), None
        return
    order = np.argsort(headers, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(headers[order])) + 1):
        yield int(headers[group[0]]), group


def gather(block: NDArray[np.uint8], starts: Positions, size: int, *, unit: int) -> NDArray[np.uint8]:
    """Copy ``size`` bytes from each start into the rows of a new array.

    Parameters
    ----------
    block : (n,) uint8
    starts : (k,) int64
        Where each payload begins, in units.
    size : int
        Bytes of each payload.
    unit : int
        Bytes of a unit; every payload begins at a multiple of it.

    Returns
    -------
    (k, size) uint8
    """
    if size == 0 or not len(starts):
        return np.empty((len(starts), size), np.uint8)
    # A view with one row for every unit of the block: picking rows from it copies each payload by one
    # memmove, without an index for each byte.
    rows: NDArray[np.void] = np.ndarray(
        ((len(block) - size) // unit + 1,), np.dtype((np.void, size)), buffer=block, strides=(unit,)
    )
    return rows[starts].view(np.uint8).reshape(len(starts), size)
