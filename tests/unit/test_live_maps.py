"""What the map inspector shows, of maps that were made by hand."""

from __future__ import annotations

import numpy as np

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.host.syscalls import MapType
from ebpf_lab.live import map_still
from ebpf_lab.live.map_sampler import ROWS, MapChoice, MapSampler
from ebpf_lab.readers.maps import MapContents
from ebpf_lab.source.ctype import Array, Int, Member, Struct

U32, U64 = Int("u32", 4, signed=False), Int("u64", 8, signed=False)
CHAR = Int("char", 1, signed=True, char=True)
TALLY = Struct("tally", 16, (Member("calls", U64, 0), Member("who", Array(CHAR, 8), 64)))


def source(kind: MapType, value: Int | Struct = U64) -> LoadedMap:
    return LoadedMap("counts", 3, kind, 4, value.size, 1024, U32, value)


def contents(values: dict[int, list[int]], *, complete: bool = True) -> MapContents:
    keys = np.array(list(values), "<u4").view(np.uint8).reshape(-1, 4)
    cells = np.array(list(values.values()), "<u8")
    return MapContents(keys, cells.view(np.uint8).reshape(len(values), -1, 8), complete=complete)


def test_elements_are_sorted_by_key_or_by_value() -> None:
    found = contents({2: [5], 0: [7], 1: [6]})
    sampler = MapSampler()
    by_key = sampler.table(source(MapType.HASH), found, MapChoice())
    assert [row for _, row, _ in by_key["rows"]] == [["0", "7"], ["1", "6"], ["2", "5"]]
    assert [key for key, _, _ in by_key["rows"]] == ["00000000", "01000000", "02000000"]
    by_value = sampler.table(source(MapType.HASH), found, MapChoice(order="value"))
    assert [row[1] for _, row, _ in by_value["rows"]] == ["7", "6", "5"]


def test_what_changed_is_known() -> None:
    sampler = MapSampler()
    first = sampler.table(source(MapType.HASH), contents({0: [7], 1: [6]}), MapChoice())
    assert [changed for *_, changed in first["rows"]] == [[], []]
    second = sampler.table(source(MapType.HASH), contents({0: [7], 1: [8], 2: [1]}), MapChoice())
    assert [changed for *_, changed in second["rows"]] == [[], [1], [0, 1]]
    other = sampler.table(source(MapType.HASH), contents({0: [9]}), MapChoice(order="value"))
    assert [changed for *_, changed in other["rows"]] == [[]]


def test_cpus_are_folded_or_open() -> None:
    found = contents({0: [3, 4], 1: [0, 5]})
    sampler = MapSampler()
    folded = sampler.table(source(MapType.PERCPU_HASH), found, MapChoice())
    assert [row for _, row, _ in folded["rows"]] == [["0", "7"], ["1", "5"]]
    assert [column["type"] for column in folded["columns"]] == ["", ""]
    opened = sampler.table(source(MapType.PERCPU_HASH), found, MapChoice(cpus=True))
    assert [row for _, row, _ in opened["rows"]] == [["0", "7", "3", "4"], ["1", "5", "0", "5"]]
    assert [column["type"] for column in opened["columns"]] == ["", "", "u64", "u64"]


def test_a_large_map_is_bounded_and_says_so() -> None:
    many = contents({key: [key] for key in range(ROWS + 23)}, complete=False)
    table = MapSampler().table(source(MapType.HASH), many, MapChoice(order="value"))
    assert (len(table["rows"]), table["total"], table["complete"]) == (ROWS, ROWS + 23, False)
    assert table["rows"][0][1] == ["122", "122"]


def test_members_have_their_types() -> None:
    values = np.zeros((1, 1, 16), np.uint8)
    values[0, 0, :3], values[0, 0, 8:11] = 1, np.frombuffer(b"cat", np.uint8)
    found = MapContents(np.zeros((1, 4), np.uint8), values)
    table = MapSampler().table(source(MapType.HASH, TALLY), found, MapChoice())
    assert [(each["name"], each["type"]) for each in table["columns"]] == [
        ("key", ""),
        ("calls", "u64"),
        ("who", "char[8]"),
    ]
    assert table["rows"][0][1] == ["0", "65793", "cat"]


def test_a_saved_notebook_has_every_map() -> None:
    shown = {"counts": MapSampler().table(source(MapType.HASH), contents({0: [7]}), MapChoice())}
    state = {"error": "", "phase": "ended", "probes": ["p"], "names": list(shown), "tables": shown}
    assert map_still.plain(state).splitlines() == [
        "maps as they were at the end · p",
        "",
        "counts: hash, 1 element",
        "key  value",
        "0    7",
    ]
    assert "<td" in map_still.html(state)
    assert map_still.plain({**state, "error": "CompileError: no"}) == "CompileError: no"
    nothing = {**state, "names": [], "tables": {}}
    assert map_still.plain(nothing) == "no maps (ended) · p"
