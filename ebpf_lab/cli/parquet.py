"""Frames into a Parquet file, portion by portion, so that memory holds one group of rows at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ebpf_lab.errors import EventDecodeError, UsageProblem
from ebpf_lab.frame.hexint import HexDtype

_GROUP = 1 << 16
"""Rows of a group: few to hold, and enough for compression to find what repeats."""


class ParquetFile:
    """A Parquet file in the making.

    Times are ``duration[ns]``, addresses ``uint64``, bytes ``binary``, arrays lists, all text ``string``.
    The types are those of the first rows.

    Parameters
    ----------
    path : Path
        Written when it is complete, and until then a file beside it.

    Raises
    ------
    UsageProblem
        It cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise UsageProblem(
                f"{path}: {error.strerror}", hint="--parquet FILE is a file to write"
            ) from None
        self._writer: pq.ParquetWriter | None = None
        self._frames: list[pd.DataFrame] = []
        self._rows = 0
        self._empty: pd.DataFrame | None = None

    def write(self, frame: pd.DataFrame) -> None:
        """Take rows, and write those of full groups."""
        self._empty = frame.iloc[:0]
        if len(frame):
            self._frames.append(frame)
            self._rows += len(frame)
        if self._rows >= _GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left, and give the file its name."""
        if self._empty is not None and self._writer is None and not self._frames:
            self._frames.append(self._empty)
        self._flush()
        if self._writer is not None:
            self._writer.close()
        self._file.close()
        self._part.replace(self._path)

    def discard(self) -> None:
        """Remove what was not finished; nothing after :meth:`close`."""
        if not self._file.closed:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        if not self._frames:
            return
        # The first rows have the types of all.
        schema = self._writer.schema if self._writer else None
        tables = []
        for frame in self._frames:
            try:
                tables.append(pa.table({str(name): _array(frame[name], schema) for name in frame}))
            except pa.ArrowException as error:
                raise EventDecodeError("a column changes its type on the way", why=str(error)) from None
            schema = schema or tables[0].schema
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, schema)
        self._writer.write_table(pa.concat_tables(tables))
        self._frames, self._rows = [], 0


def _array(column: pd.Series[Any], schema: pa.Schema | None) -> pa.Array:
    if isinstance(column.dtype, HexDtype):
        return pa.array([None if value is pd.NA else value for value in column.array], pa.uint64())
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column.dtype):
        column = column.astype(object)
    wanted = schema.field(str(column.name)).type if schema else None
    made = pa.array(column, wanted, from_pandas=True)
    # A column of text that has no text yet.
    return made.cast(pa.string()) if pa.types.is_null(made.type) else made
