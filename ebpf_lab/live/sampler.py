"""What a live view shows of the events: rates of all of them, rows and counts of a bounded sample."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from ebpf_lab.backends.loaded import LoadedStream
from ebpf_lab.frame.build import build
from ebpf_lab.frame.calls.files import Files
from ebpf_lab.frame.calls.frames import in_words
from ebpf_lab.frame.printk import printk_frame
from ebpf_lab.live import cells
from ebpf_lab.live.rates import Rates
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.printk_lines import lines
from ebpf_lab.watching import Glimpse

ROWS = 100
"""Rows shown."""
SAMPLE = 1000
"""Most events decoded at a time."""
CALLS_SAMPLE = 100
"""The same where each event becomes a system call in words, which takes longer."""
TOP = 8
"""Values shown of the counted column."""
_COUNTED_VALUES = 5000
"""Distinct values counted at a time; the rarest are forgotten beyond that."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader chose to see: "" for what suggests itself.

    Attributes
    ----------
    table : str
        Stream, or ``stream.struct``.
    column : str
        The column whose values are counted.
    filter : str
        Rows shown have this in one of their cells, or, as ``column=value``, this value in that column.
    """

    table: str = ""
    column: str = ""
    filter: str = ""


class Sampler:
    """Decodes of what comes as much as can be shown; used by one thread."""

    def __init__(self) -> None:
        self.rates = Rates()
        self.glimpse: Glimpse | None = None
        self._choice = Choice()
        self._limit = SAMPLE
        self._tables: dict[str, list[str]] = {}
        self._columns: list[tuple[str, bool]] = []
        self._choices: list[str] = []
        self._forget_rows()
        self._forget_counts()

    def choose(self, choice: Choice) -> bool:
        """Show this from now on; returns whether it is something else."""
        before, self._choice = self._choice, choice
        if choice.table != before.table:
            self._columns = []
            self._forget_rows()
            self._forget_counts()
        if choice.filter != before.filter:
            self._forget_rows()
        if choice.column != before.column:
            self._forget_counts()
        return choice != before

    def _forget_rows(self) -> None:
        self._rows: deque[Sequence[str]] = deque(maxlen=ROWS)

    def _forget_counts(self) -> None:
        self._counts: Counter[str] = Counter()
        self._counted = ""
        self._decoded = self._came = 0

    def look(self, glimpse: Glimpse | None, waiting: Mapping[int, Sequence[Batch]], now: float) -> bool:
        """Take note of what came; returns whether there is anything new to show."""
        if glimpse is None:
            return False
        before, self.glimpse = self.glimpse, glimpse
        self.rates.add(now, self.delivered, self.lost)
        self._note_tables(glimpse)
        for place, (stream, _) in enumerate(glimpse.streams):
            batches = waiting.get(place, ())
            if batches and stream.name == self._stream:
                self._decode(stream, batches, glimpse)
        return before is None or before.streams != glimpse.streams

    def _note_tables(self, glimpse: Glimpse) -> None:
        for stream, _ in glimpse.streams:
            self._tables.setdefault(stream.name, [stream.name])

    @property
    def _stream(self) -> str:
        """The stream of the table that is shown."""
        for stream, tables in self._tables.items():
            if self._choice.table in tables:
                return stream
        return next(iter(self._tables), "")

    def _decode(self, stream: LoadedStream, batches: Sequence[Batch], glimpse: Glimpse) -> None:
        came = sum(map(len, batches))
        sample = thinned(batches, self._limit)
        frames = _frames(stream, sample, glimpse)
        self._tables[stream.name] = list(frames)
        table = self._choice.table if self._choice.table in frames else next(iter(frames))
        frame = frames[table]
        if "call" in frame.columns:
            self._limit = CALLS_SAMPLE
        if not len(frame):
            return
        self._came += came
        self._decoded += sum(map(len, sample))
        self._note_columns(frame)
        self._count(frame)
        self._show(frame)

    def _note_columns(self, frame: pd.DataFrame) -> None:
        if [name for name, _ in self._columns] == list(frame.columns):
            return
        self._columns = [(str(name), cells.is_number(column)) for name, column in frame.items()]
        self._choices = [str(name) for name, column in frame.items() if cells.countable(column)]

    def _count(self, frame: pd.DataFrame) -> None:
        if self._counted not in self._choices:
            self._counted = _column_to_count(frame, self._choices, self._choice.column)
        if self._counted:
            self._counts.update(cells.texts(frame[self._counted]))
        if len(self._counts) > _COUNTED_VALUES:
            self._counts = Counter(dict(self._counts.most_common(_COUNTED_VALUES // 2)))

    def _show(self, frame: pd.DataFrame) -> None:
        wanted = self._choice.filter.strip()
        if not wanted:
            frame = frame.iloc[-ROWS:]
        rows = list(zip(*(cells.texts(column) for _, column in frame.items()), strict=True))
        names = [name for name, _ in self._columns]
        self._rows.extend(rows if not wanted else [row for row in rows if matches(wanted, names, row)])

    @property
    def delivered(self) -> int:
        """Events of all streams."""
        return sum(stats.delivered for _, stats in self.glimpse.streams) if self.glimpse else 0

    @property
    def lost(self) -> int:
        """Events lost in the kernel, of all streams."""
        return sum(stats.dropped for _, stats in self.glimpse.streams) if self.glimpse else 0

    def state(self) -> dict[str, Any]:
        """What there is to show, as plain values."""
        tables = [table for tables in self._tables.values() for table in tables]
        shown = self._choice.table if self._choice.table in tables else next(iter(tables), "")
        return {
            "replayed": self.glimpse.names.replayed if self.glimpse else "",
            "events": self.delivered,
            "lost": self.lost,
            "not_kept": sum(stats.not_kept for _, stats in self.glimpse.streams) if self.glimpse else 0,
            **self.rates.state(),
            "tables": tables,
            "table": shown,
            "columns": self._columns,
            "rows": list(self._rows)[::-1],
            "filter": self._choice.filter,
            "decoded": self._decoded,
            "came": self._came,
            "top": {
                "column": self._counted,
                "choices": self._choices,
                "values": self._counts.most_common(TOP),
                "distinct": len(self._counts),
            },
        }


def thinned(batches: Sequence[Batch], limit: int) -> list[Batch]:
    """At most about ``limit`` of the events, evenly spaced; all of them where they are not more."""
    step = -(-sum(map(len, batches)) // limit)
    taken = []
    # Batches of one size are made one: each costs some time.
    for _, group in groupby(batches, lambda batch: (batch.record_size, batch.padded)):
        alike = list(group)
        data = np.concatenate([batch.data for batch in alike])[::step]
        index = np.concatenate([batch.positions() for batch in alike])[::step]
        taken.append(
            Batch(alike[0].record_size, np.ascontiguousarray(data), int(index[0]), index, alike[0].padded)
        )
    return taken


def matches(wanted: str, names: Sequence[str], row: Sequence[str]) -> bool:
    """Whether a row has what a filter asks for: see :attr:`Choice.filter`."""
    name, equals, value = wanted.partition("=")
    if equals and name.strip() in names:
        return row[names.index(name.strip())] == value.strip()
    return any(wanted.casefold() in cell.casefold() for cell in row)


def _frames(stream: LoadedStream, batches: list[Batch], glimpse: Glimpse) -> dict[str, pd.DataFrame]:
    if stream.kind == "printk":
        return {stream.name: printk_frame(lines(batches), glimpse.clock)}
    # Which file a descriptor stands for is known only to who sees every call.
    names = glimpse.names
    built = build(stream.types, batches, glimpse.clock, arch=names.arch, users=names.user).frames
    built = in_words(built, Files({}, ""), names.arch)
    if len(built) == 1:
        return dict(zip([stream.name], built.values(), strict=True))
    return {f"{stream.name}.{struct}": frame for struct, frame in built.items()}


def _column_to_count(frame: pd.DataFrame, choices: Sequence[str], wanted: str) -> str:
    """The column asked for, else the first of names, else the first that can be counted."""
    if wanted in choices:
        return wanted
    named = [name for name in choices if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    return next(iter([*named, *choices]), "")
