"""Arguments of a command, each with a zero byte behind it, as one text that a shell would read the same.

The kernel keeps them so (``/proc/PID/cmdline``).  An event has them in a ``char`` array called ``args`` or
``argv``, perhaps with a prefix, beside an integer of that name with ``_size`` behind it: the bytes in use.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.frame.columns import Bytes, Rows, text_array
from ebpf_lab.frame.distinct import decode
from ebpf_lab.frame.layout import Column, Kind
from ebpf_lab.source.ctype import Int

_NAME = re.compile(r"(?:\w+[._])?arg[sv]")


def joined(data: bytes) -> str:
    r"""Arguments as a shell would have them; the last one is marked where it was cut.

    Examples
    --------
    >>> joined(b"echo\0two words\0")
    "echo 'two words'"
    >>> joined(b"echo\0two wor")
    "echo 'two wor'…"
    """
    *arguments, rest = data.split(b"\0")
    text = shlex.join(map(decode, arguments))
    if not rest:
        return text
    return f"{text} {shlex.quote(decode(rest))}…".lstrip()


def find(columns: Sequence[Column]) -> Mapping[str, Column]:
    """The columns that hold arguments: by the name of each, the column of its size."""
    sizes = {column.name: column for column in columns if column.kind is Kind.NUMBER}
    return {
        column.name: sizes[f"{column.name}_size"]
        for column in columns
        if column.kind in (Kind.CATEGORY, Kind.TEXT)
        and not column.flexible
        and _NAME.fullmatch(column.name)
        and f"{column.name}_size" in sizes
        and isinstance(sizes[f"{column.name}_size"].type, Int)
    }


class Arguments:
    """A column of arguments being filled (see :class:`ebpf_lab.frame.columns.Store`).

    Parameters
    ----------
    column : Column
        The text.
    size : Column
        The bytes of it that are in use.
    count : int
        Events.
    """

    def __init__(self, column: Column, size: Column, count: int) -> None:
        self._column = column
        self._size = size
        self._values: NDArray[np.object_] = np.empty(count, object)

    def put(self, rows: Rows, block: Bytes) -> None:
        """Fill rows from a block of as many events."""
        start, end = self._column.offset, self._column.offset + self._column.size
        at = self._size.offset
        sizes = np.ascontiguousarray(block[:, at : at + self._size.size]).view(self._size.number)[:, 0]
        texts = np.empty(len(block), object)
        for row, size in enumerate(sizes):
            texts[row] = joined(block[row, start:end][: max(int(size), 0)].tobytes())
        self._values[rows] = texts

    def array(self) -> Any:
        """Return the finished column."""
        return text_array(self._values)
