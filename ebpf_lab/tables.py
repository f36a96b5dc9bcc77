"""A trace's streams and maps by name, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas as pd


class Tables(Mapping[str, pd.DataFrame]):
    """Streams, the main one first, then maps; of a text without streams, the maps with its first one first.

    Parameters
    ----------
    frames : mapping
        Events by stream name.
    map_names : sequence of str
        Names of the maps, in the order to show them in.
    maps : callable
        Makes the frames of all maps: naming the functions of call chains takes time.
    """

    def __init__(
        self,
        frames: Mapping[str, pd.DataFrame],
        map_names: Sequence[str],
        maps: Callable[[], Mapping[str, pd.DataFrame]],
    ) -> None:
        self._frames = frames
        # A stream's own map is no table, so that a name says which of both is meant.
        self._map_names = [name for name in map_names if name not in frames]
        self._maps = maps

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name in self._frames:
            return self._frames[name]
        if name in self._map_names:
            return self._maps()[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self._frames
        yield from self._map_names

    def __len__(self) -> int:
        return len(self._frames) + len(self._map_names)

    def is_map(self, name: str) -> bool:
        """Whether the table shows a map, and not a stream of events."""
        return name in self._map_names
