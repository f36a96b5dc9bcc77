"""The map inspector: a trace's maps as tables that change with them, and whose values can be edited."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ebpf_lab.errors import LabError, UsageProblem
from ebpf_lab.live import map_still
from ebpf_lab.live.map_sampler import READ_BYTES, MapChoice, MapSampler
from ebpf_lab.live.onlooker import Onlooker
from ebpf_lab.source.words import did_you_mean, listing
from ebpf_lab.trace_maps import set_cell

if TYPE_CHECKING:
    from ebpf_lab.live.widget import PulledWidget
    from ebpf_lab.session import Trace

INTERVAL = 0.25
"""Least seconds between two looks at a map."""


class MapView(Onlooker):
    """Shows a trace's maps while it runs, and afterwards as they were at its end."""

    instead = 'trace.maps["NAME"] is a map as a DataFrame; trace.maps.set("NAME", key, value) changes it'

    def __init__(self, trace: Trace, name: str) -> None:
        self._sampler = MapSampler()
        self._choice = MapChoice(name)
        self._edits: deque[tuple[str, bytes, str, str]] = deque()
        self._names: list[str] = []
        self._tables: dict[str, dict[str, Any]] = {}
        self._said: dict[str, str] = {}
        super().__init__(trace, INTERVAL)

    @classmethod
    def of(cls, trace: Trace, name: str = "") -> MapView:
        """Make a view, with the map of this name first.

        Raises
        ------
        UsageProblem
            This is no notebook; there is no such map.
        """
        cls.check()
        known = [each.name for each in trace.spec.maps]
        if name and known and name not in known and not name.startswith("."):
            raise UsageProblem(
                f"there is no map {name}",
                why=f"this program has {listing(known)}",
                hint=did_you_mean(name, known),
            )
        return cls(trace, name)

    def _make_widget(self) -> PulledWidget:
        # Slow to import, and of use in notebooks alone.
        from ebpf_lab.live.widget import MapWidget

        return MapWidget(lambda: self._state, self._hear)

    def _chosen(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"kind": "choose", "what": "map", "value": str(name)}:
                self._choice = replace(self._choice, map=name)
            case {"kind": "choose", "what": "order", "value": str(order)}:
                self._choice = replace(self._choice, order=order)
            case {"kind": "choose", "what": "cpus", "value": bool(cpus)}:
                self._choice = replace(self._choice, cpus=cpus)
            case {"kind": "edit", "map": str(name), "key": str(key), "column": str(column), "text": text}:
                self._edits.append((name, bytes.fromhex(key), column, str(text)))

    def _look(self, now: float) -> bool:
        while self._edits:
            self._edit(*self._edits.popleft())
        if self._trace.ended and self._trace.error is None:
            for each, found in self._trace.results().account.maps.tables:
                if not found.why:
                    self._tables[each.name] = MapSampler().table(each, found, self._choice)
            self._names = list(self._tables)
            return True
        choice = self._choice
        with self._trace.engine() as engine:
            if engine is None:
                return False
            maps = {each.name: each for each in engine.maps}
            self._names = list(maps)
            source = maps.get(choice.map) or next(iter(maps.values()), None)
            contents = engine.read_map(source, READ_BYTES) if source is not None else None
        if source is not None and contents is not None:
            self._tables = {source.name: self._sampler.table(source, contents, choice)}
        return True

    def _edit(self, name: str, key: bytes, column: str, text: str) -> None:
        try:
            set_cell(self._trace, name, key, column, text)
        except LabError as error:
            self._said = {"bad": error.block()}
        else:
            self._said = {"good": f"{name}: {column} is set to {text}"}

    def _shown(self) -> dict[str, Any]:
        shown = self._choice.map if self._choice.map in self._names else next(iter(self._names), "")
        return {"names": self._names, "shown": shown, "tables": self._tables, "said": self._said}

    def _still(self) -> dict[str, Any]:
        return map_still.bundle(self._state)
