"""A trace's maps: as frames, and while it runs to be changed."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.errors import LabError, UsageProblem
from ebpf_lab.frame.encode import encode, from_text, put
from ebpf_lab.frame.layout import Layout
from ebpf_lab.frame.maps import layouts, value_places
from ebpf_lab.host.syscalls import MapType
from ebpf_lab.readers.maps import per_cpu, value_layout
from ebpf_lab.source.words import did_you_mean, listing

if TYPE_CHECKING:
    from ebpf_lab.live.map_view import MapView
    from ebpf_lab.session import Trace

_ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)
_NOT_FROM_HERE = (errno.EINVAL, errno.EOPNOTSUPP, 524)
"""What the kernel says to what it has no way to do; 524 is its own ENOTSUPP."""


class TraceMaps(Mapping[str, pd.DataFrame]):
    """Maps by name, as they are now or, after the end, as they were at the end."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    @cached_property
    def _frames(self) -> Mapping[str, pd.DataFrame]:
        return self._trace.results().maps

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self._frames[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return f"<maps: {', '.join(self) or 'none'}>"

    def set(self, name: str, key: object, value: object) -> None:
        """Set the value under a key, for the running program to find.

        Parameters
        ----------
        name : str
            The map's; ``.data`` and ``.bss`` hold global variables, under the key 0.
        key, value : object
            A number, text (also an enumerator's name), or bytes.  Of a struct, a dict by the names that its
            members have as columns: members of the value that are not named stay as they are, and are 0 in
            a new element.  A per-CPU map takes a list, with the value of each possible CPU.

        Raises
        ------
        UsageProblem
            The trace does not run; there is no such map; key or value are not of its types, or not in
            their range; the map is full, or read-only.

        Notes
        -----
        The value is read, changed and written: what a program writes to other members of it in between is
        lost.
        """
        with self._trace.engine() as engine:
            if engine is None:
                raise UsageProblem(
                    f"{name} cannot be set: the trace does not run",
                    why="the kernel's maps are there as long as it does",
                    hint="set it while the trace runs: %%bpf --bg, or within a with block",
                )
            source = _named(engine.maps, name)
            key_layout, value_columns = layouts(source)
            found = _encoded(source, "key", key_layout, key, bytes(source.key_size))
            old = engine.read_value(source, found)
            engine.write_value(source, found, _values(source, value_columns, value, old))

    def live(self, name: str = "") -> MapView:
        """Show the maps as tables that change with them, and let values be edited.

        Parameters
        ----------
        name : str
            The one to show first.

        Raises
        ------
        UsageProblem
            This is no notebook, or the trace was not started; there is no such map.
        """
        from ebpf_lab.live.map_view import MapView

        return MapView.of(self._trace, name)


def _named(maps: Sequence[LoadedMap], name: str) -> LoadedMap:
    known = {each.name: each for each in maps}
    if name not in known:
        raise UsageProblem(
            f"there is no map {name}",
            why=f"this program has {listing(known)}" if known else "this program has none",
            hint=did_you_mean(name, known),
        )
    return known[name]


def _encoded(source: LoadedMap, what: str, layout: Layout, given: object, base: bytes) -> bytes:
    if what == "key" and isinstance(given, Mapping):
        missing = [column.name for column in layout.columns if column.name not in given]
        if missing:
            raise UsageProblem(f"{source.name}: the key lacks {listing(missing)}")
    try:
        return encode(layout, given, base)
    except ValueError as error:
        raise UsageProblem(f"{source.name}: {what}: {error}") from None


def _values(source: LoadedMap, layout: Layout, given: object, old: bytes | None) -> bytes:
    """The value, of a per-CPU map the values, as the kernel takes them."""
    cpus, stride = value_layout(source)
    before = old or bytes(cpus * stride)
    if not per_cpu(source):
        return _encoded(source, "value", layout, given, before)
    if not isinstance(given, Sequence) or isinstance(given, str | bytes) or len(given) != cpus:
        raise UsageProblem(
            f"{source.name} has a value for each CPU",
            why="what one of them counts does not slow down the others",
            hint=f"give a list of {cpus} values",
        )
    parts = []
    for cpu, each in enumerate(given):
        own = before[cpu * stride : cpu * stride + source.value_size]
        parts.append(_encoded(source, f"value of CPU {cpu}", layout, each, own).ljust(stride, b"\0"))
    return b"".join(parts)


def refused(source: LoadedMap, error: OSError) -> LabError:
    """Why the kernel does not take a value."""
    name, what = source.name, error.strerror or str(error)
    if error.errno in (errno.EPERM, errno.EACCES):
        return UsageProblem(
            f"{name} cannot be changed: {what}",
            why="the map is read-only for programs of the user: frozen, or made with BPF_F_RDONLY",
        )
    if error.errno == errno.E2BIG and source.type in _ARRAYS:
        return UsageProblem(f"{name} has the elements 0 to {source.max_entries - 1}")
    if error.errno in (errno.E2BIG, errno.ENOSPC):
        return UsageProblem(f"{name} is full: it has room for {source.max_entries:,} elements")
    if error.errno in _NOT_FROM_HERE:
        return UsageProblem(f"{name} cannot be changed from here", why=f"the kernel says: {what}")
    return UsageProblem(f"{name} cannot be changed: {what}", hint="try again")


def set_cell(trace: Trace, name: str, key: bytes, column: str, text: str) -> None:
    """Set one column of an element's value to what somebody typed.

    Raises
    ------
    UsageProblem
        As :meth:`TraceMaps.set`; also where the element is gone.
    """
    with trace.engine() as engine:
        if engine is None:
            raise UsageProblem(f"{name} cannot be changed: the trace does not run any more")
        source = _named(engine.maps, name)
        cpus, stride = value_layout(source)
        place, cpu = value_places(source, cpus)[column]
        old = engine.read_value(source, key)
        if old is None:
            raise UsageProblem(f"{name}: the element is gone")
        values = bytearray(old)
        own = values[cpu * stride : cpu * stride + source.value_size]
        try:
            put(own, place, from_text(place, text))
        except ValueError as error:
            raise UsageProblem(f"{name}: {column}: {error}") from None
        values[cpu * stride : cpu * stride + source.value_size] = own
        engine.write_value(source, key, bytes(values))
