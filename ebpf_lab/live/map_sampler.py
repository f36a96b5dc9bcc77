"""What the map inspector shows: the elements of one map, at most so many, and what has changed of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.frame.encode import type_words
from ebpf_lab.frame.maps import element_frame, layouts, value_places
from ebpf_lab.host.syscalls import MapType
from ebpf_lab.live import cells
from ebpf_lab.readers.maps import MapContents, per_cpu

ROWS = 100
"""Elements shown."""
READ_BYTES = 4 << 20
"""Bytes of a map that are read for it."""


@dataclass(frozen=True, slots=True)
class MapChoice:
    """What the reader chose to see.

    Attributes
    ----------
    map : str
        Its name, "" for the first one.
    order : str
        "key", or "value" for the largest first.
    cpus : bool
        The value of each CPU, too.
    """

    map: str = ""
    order: str = "key"
    cpus: bool = False


class MapSampler:
    """Makes tables, and knows the ones before; used by one thread."""

    def __init__(self) -> None:
        self._choice = MapChoice()
        self._before: dict[str, list[str]] | None = None
        self._names: list[str] = []

    def table(self, source: LoadedMap, contents: MapContents, choice: MapChoice) -> dict[str, Any]:
        """One map's elements, as plain values.

        Returns
        -------
        dict
            ``rows`` are lists of an element's key in hexadecimal, its cells, and the numbers of those that
            have changed since the last table of the same choice.
        """
        if choice != self._choice:
            self._choice, self._before = choice, None
        frame = element_frame(source, contents.keys, contents.values)
        places = value_places(source, contents.values.shape[1])
        keys = {column.name for column in layouts(source)[0].columns}
        if per_cpu(source) and not choice.cpus:
            folded = [name for name in frame.columns if name not in places]
            # What has no sum, such as text, is there for each CPU or not at all.
            frame = frame[folded] if len(folded) > len(keys) else frame
        measure = _measure(frame, keys)
        if choice.order == "value" and measure:
            frame = frame.sort_values(measure, ascending=False, kind="stable")
        total = len(frame)
        frame = frame.iloc[:ROWS]
        texts = list(zip(*(cells.texts(column) for _, column in frame.items()), strict=True))
        rows = [
            (contents.keys[number].tobytes().hex(), list(row))
            for number, row in zip(frame.index.tolist(), texts, strict=True)
        ]
        shown = {
            "name": source.name,
            "kind": MapType(source.type).name.lower() if source.type in list(MapType) else str(source.type),
            "room": source.max_entries,
            "per_cpu": per_cpu(source),
            "total": total,
            "complete": contents.complete,
            "columns": [
                {
                    "name": str(name),
                    "number": cells.is_number(column),
                    "type": type_words(places[name][0]) if name in places else "",
                }
                for name, column in frame.items()
            ],
            "rows": [[key, row, self._changed(key, row)] for key, row in rows],
            "sorted": choice.order if measure else "key",
            "by_value": bool(measure),
            "cpus": choice.cpus,
        }
        self._before = dict(rows)
        return shown

    def _changed(self, key: str, row: Sequence[str]) -> list[int]:
        if self._before is None:
            return []
        before = self._before.get(key)
        if before is None:
            return list(range(len(row)))
        return [at for at, (old, new) in enumerate(zip(before, row, strict=False)) if old != new]


def _measure(frame: Any, keys: set[str]) -> str:
    """The first number of the value, by which elements are more or less; "" for none."""
    for name, column in frame.items():
        if name not in keys and np.issubdtype(getattr(column.dtype, "type", object), np.number):
            return str(name)
    return ""
