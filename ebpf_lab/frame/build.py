"""From what the readers brought to one frame for each type of event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.assemble import assemble, frame_of
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.columns import Bytes, Rows
from ebpf_lab.frame.decoders import Users, user_name
from ebpf_lab.frame.layout import Layout
from ebpf_lab.frame.stacks import StackNames
from ebpf_lab.frame.text import raw_frame
from ebpf_lab.frame.trim import trim
from ebpf_lab.readers.batch import Batch
from ebpf_lab.source.ctype import CType

_BLOCK_BYTES = 2 << 20
"""Events are decoded so many bytes at a time: few enough to stay in the processor's cache."""
_LARGE_BYTES = 128 << 20
_TRIM_BYTES = 32 << 20
"""Of so many bytes of events, memory is given back to the system each time so many of them were decoded."""


@dataclass(frozen=True, slots=True, eq=False)
class BuiltFrames:
    """The events of one stream.

    Attributes
    ----------
    frames : dict
        Frames by the C name of the type; the first is the main one.  Types that cannot be told apart share
        one of raw bytes, under "a or b"; without any type it is "bytes".
    undecoded : int
        Events that fit no type, and those of types that cannot be told apart.
    rest : DataFrame
        The events that fit no type, as bytes.
    sizes : Counter
        Events that are not of the size of their type, by what that means for them, in words.
    mixed : tuple of str
        What to know of types that cannot be told apart, a sentence each.
    """

    frames: dict[str, pd.DataFrame]
    undecoded: int
    rest: pd.DataFrame
    sizes: Counter[str]
    mixed: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the frames should know, a sentence each."""
        return (*size_notes(self.sizes), *self.mixed)


def size_notes(sizes: Mapping[str, int]) -> list[str]:
    """Sentences on events that are not of the size of their type."""
    return [f"{count:,} events of {words}" for words, count in sizes.items()]


def build(
    types: Sequence[CType],
    batches: Sequence[Batch],
    clock: TraceClock,
    *,
    stacks: StackNames | None = None,
    arch: str | None = None,
    users: Users = user_name,
    release: bool = False,
) -> BuiltFrames:
    """Decode the events of one stream.

    Parameters
    ----------
    types : sequence of CType
        What the stream carries, told apart by size; none for raw bytes.
    batches : sequence of Batch
        The events; with several types, each frame's index is the number of the event in the stream.
    clock : TraceClock
        When the trace began.
    stacks : StackNames, optional
        Names the call chains that stack ids stand for.
    arch : str, optional
        Where the events are from ("x86_64", "aarch64"); this machine unless told.
    users : callable
        Names users there.
    release : bool
        Empty ``batches``, then a list, while reading it: what is decoded is freed at once, and bytes and
        frame never lie in memory together.
    """
    own = [batch for batch in batches if len(batch)]
    if release and isinstance(batches, list):
        batches.clear()
    if not types:
        return BuiltFrames({"bytes": raw_frame(own)}, 0, raw_frame([]), Counter(), ())
    groups = _groups([Layout.of(each) for each in types], any(batch.padded for batch in own))
    sizes = _unlike_sizes(groups, own)
    mixed = []
    shares, rest = _deal(groups, own)
    own.clear()
    frames: dict[str, pd.DataFrame] = {}
    undecoded = sum(map(len, rest))
    for group, share in zip(groups, shares, strict=True):
        names = " or ".join(layout.name or "event" for layout in group)
        if len(group) > 1:
            frames[names] = raw_frame(share)
            undecoded += len(frames[names])
            mixed.append(
                f"{names}: raw bytes, because they have the same size ({group[0].size} bytes) and cannot be"
                " told apart; send each through a buffer of its own"
            )
            continue
        positions = None if len(groups) == 1 else _positions(share)
        count = sum(map(len, share))
        arrays = assemble(
            group[0], count, _blocks(share, group[0].size), clock, stacks=stacks, arch=arch, users=users
        )
        frames[names] = frame_of(arrays, count, positions)
    return BuiltFrames(frames, undecoded, raw_frame(rest), sizes, tuple(mixed))


def _groups(layouts: Sequence[Layout], padded: bool) -> list[list[Layout]]:
    """Bring layouts together that are delivered in records of one size; perf buffers round sizes up."""
    groups: dict[int, list[Layout]] = {}
    for layout in layouts:
        groups.setdefault((layout.size + 11) // 8 if padded else layout.size, []).append(layout)
    return list(groups.values())


def _match(groups: Sequence[Sequence[Layout]], batch: Batch) -> int | None:
    """Find the group of a batch's events; None when none fits, or more than one and none exactly."""
    for at, group in enumerate(groups):
        if batch.fits(group[0].size):
            return at
    fitting = [
        at
        for at, group in enumerate(groups)
        if len(group) == 1
        and group[0].least <= batch.record_size
        and (batch.record_size < group[0].size or group[0].flexible or len(groups) == 1)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _deal(
    groups: Sequence[Sequence[Layout]], batches: Sequence[Batch]
) -> tuple[list[list[Batch]], list[Batch]]:
    """Batches of each group, and those of none."""
    shares: list[list[Batch]] = [[] for _ in groups]
    rest: list[Batch] = []
    for batch in batches:
        at = _match(groups, batch)
        (rest if at is None else shares[at]).append(batch)
    return shares, rest


def _unlike_sizes(groups: Sequence[Sequence[Layout]], batches: Sequence[Batch]) -> Counter[str]:
    """Count the events that are not of the size of their type."""
    wanted = ", ".join(str(layout.size) for group in groups for layout in group)
    found: Counter[str] = Counter()
    for batch in batches:
        at = _match(groups, batch)
        if at is None:
            found[f"{batch.record_size} bytes fit no type ({wanted} bytes)"] += len(batch)
            continue
        layout = groups[at][0]
        if batch.record_size > layout.size and not layout.flexible and not batch.fits(layout.size):
            words = f"{batch.record_size} bytes are longer than their type ({layout.size} bytes)"
            found[f"{words}: the rest of them is not shown"] += len(batch)
    return found


def _first(batch: Batch) -> int:
    return batch.order if batch.index is None else int(batch.index[0])


def _last(batch: Batch) -> int:
    return batch.order + len(batch) - 1 if batch.index is None else int(batch.index[-1])


def _positions(share: Sequence[Batch]) -> pd.Index:
    """Number of each event in its stream, in order."""
    positions = np.concatenate([np.empty(0, np.int64), *(batch.positions() for batch in share)])
    index: pd.Index = pd.Index(np.sort(positions), name="event")
    return index


def _blocks(share: list[Batch], width: int) -> Iterator[tuple[Rows, Bytes]]:
    """Take batches off a list, and give their events in blocks with the rows that they belong in.

    Batches with few events are put together: each block costs some time for each column.  Events are at least
    ``width`` bytes each once what was not sent of them is filled in.
    """
    share.sort(key=_first, reverse=True)
    begin = taken = 0
    is_large = sum(batch.nbytes for batch in share) >= _LARGE_BYTES
    while share:
        run: list[Batch] = []
        size, last, interleaved = 0, -1, False
        while share and (size < _BLOCK_BYTES or _first(share[-1]) <= last):
            batch = share.pop()
            interleaved |= bool(run) and (_first(batch) <= last or batch.record_size != run[0].record_size)
            size, last = size + batch.nbytes, max(last, _last(batch))
            run.append(batch)
        count = sum(map(len, run))
        rows: NDArray[np.int64] | None = None
        if interleaved:
            rows = np.empty(count, np.int64)
            rows[np.concatenate([batch.positions() for batch in run]).argsort()] = np.arange(
                begin, begin + count
            )
        yield from _run_blocks(run, begin, rows, width)
        begin += count
        taken += size
        if is_large and taken >= _TRIM_BYTES:
            run.clear()
            trim()
            taken = 0


def _run_blocks(
    run: Sequence[Batch], begin: int, rows: NDArray[np.int64] | None, least: int
) -> Iterator[tuple[Rows, Bytes]]:
    starts = np.cumsum([0, *map(len, run)])
    for width in dict.fromkeys(batch.record_size for batch in run):
        parts = [at for at, batch in enumerate(run) if batch.record_size == width]
        data = run[parts[0]].data
        if len(parts) > 1:
            data = np.concatenate([run[at].data for at in parts])
        where = None if rows is None else np.concatenate([rows[starts[at] : starts[at + 1]] for at in parts])
        step = max(_BLOCK_BYTES // max(width, least, 1), 1)
        for at in range(0, len(data), step):
            block = data[at : at + step]
            if where is None:
                yield slice(begin + at, begin + at + len(block)), block
            else:
                yield where[at : at + step], block
