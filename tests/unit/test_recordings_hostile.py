"""Recordings that are damaged or made to do harm: one clear error, little memory, and nothing executed."""

from __future__ import annotations

import copy
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import recordings

from ebpf_lab import LabError, RecordingDamaged
from ebpf_lab.recordings import archive, limits
from ebpf_lab.recordings.encode import BATCH, encode
from ebpf_lab.recordings.files import parse
from ebpf_lab.recordings.model import Recording

MEMBERS = encode(recordings.recording())
FAILED = encode(recordings.failed())
_MEMORY = 192 << 20
"""More than any of these needs, and far less than what they ask for."""


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()


WHOLE = packed(MEMBERS)


def read(data: bytes) -> Recording | None:
    """The recording, or None where it was refused in the one way that there is."""
    tracemalloc.start()
    try:
        return parse(archive.unpack(data, "trace.zip"))
    except RecordingDamaged:
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < _MEMORY, f"{peak:,} bytes"


def test_whole_one_is_read() -> None:
    assert read(WHOLE) is not None
    assert read(packed(FAILED)) is not None


@given(st.data())
@settings(max_examples=150)
def test_flipped_bytes(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(WHOLE) - 1))] ^= data.draw(st.integers(1, 255))
    found = read(bytes(damaged))
    # Bytes that mean nothing may differ, such as a member's date; what is read is what was written.
    assert found is None or encode(found) == MEMBERS


@given(st.integers(0, len(WHOLE) - 1))
@settings(max_examples=60)
@example(0)
def test_cut(length: int) -> None:
    assert read(WHOLE[:length]) is None


@given(st.binary(max_size=300), st.integers(0, len(WHOLE)))
@settings(max_examples=60)
def test_anything_put_into_it(more: bytes, at: int) -> None:
    found = read(WHOLE[:at] + more + WHOLE[at:])
    assert found is None or encode(found) == MEMBERS


_LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([-1, 0, 1, 2**31, 2**53, 2**62, 2**63, 2**64, 10**400, True, False, None]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["\x1b[2J", "../../etc/passwd", "int", "array", "A" * 5000, "\ud800", "%s%n", "{0.__class__}"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def places(value: object, way: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The way to each value in JSON."""
    if way:
        yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from places(each, (*way, key))


def changed(members: dict[str, bytes], name: str, way: tuple[Any, ...], new: object) -> dict[str, bytes]:
    value = json.loads(members[name])
    inside = value
    for key in way[:-1]:
        inside = inside[key]
    inside[way[-1]] = new
    return members | {name: json.dumps(value).encode()}


_JSON = [
    (members, name, way)
    for members in (MEMBERS, FAILED)
    for name in members
    if name.endswith(".json")
    for way in places(json.loads(members[name]))
]


@given(st.sampled_from(_JSON), _LEAVES)
@settings(max_examples=250)
def test_forged_values(where: tuple[dict[str, bytes], str, tuple[object, ...]], new: object) -> None:
    read(packed(changed(*where, new)))


@given(st.sampled_from(sorted(set(MEMBERS) - {"recording.json", "names.json", "programs.json"})), st.data())
@settings(max_examples=100)
def test_forged_bytes(name: str, data: st.DataObject) -> None:
    content = bytearray(MEMBERS[name])
    if content and data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        read(packed(MEMBERS | {name: bytes(content)}))
    else:
        read(packed(MEMBERS | {name: data.draw(st.binary(max_size=200))}))


@given(st.binary(max_size=500))
@settings(max_examples=60)
def test_something_else(data: bytes) -> None:
    assert read(data) is None
    assert read(b"PK\3\4" + data) is None


def _rows(count: int, record_size: int = 1) -> bytes:
    """The table of one batch."""
    rows = np.zeros(1, BATCH)
    rows["count"], rows["record_size"] = count, record_size
    return rows.tobytes()


def _nested(depth: int, make: Callable[[Any], object]) -> object:
    value: object = {"is": "int", "name": "u8", "size": 1, "signed": False}
    for _ in range(depth):
        value = make(value)
    return value


def _type(new: object) -> dict[str, bytes]:
    return changed(MEMBERS, "recording.json", ("outcome", "streams", 0, "types", 0), new)


def _array(element: object, length: int = 8) -> dict[str, object]:
    return {"is": "array", "element": element, "length": length}


def _struct(member: object, count: int, size: int) -> dict[str, object]:
    members = [{"name": f"m{at}", "bit_offset": 0, "type": copy.copy(member)} for at in range(count)]
    return {"is": "struct", "name": "event", "size": size, "members": members}


_BYTE = {"is": "int", "name": "u8", "size": 1, "signed": False}
_NONE = {"is": "bytes", "name": "", "size": 0}
_MANY = {
    "a type of eight to the power of seven columns": _type(_nested(7, _array)),
    "one that takes no room": _type(_nested(30, lambda inner: _array(_struct(_NONE, 1, 0)))),
    "arrays of nothing": _type(_array(_NONE, 1 << 20)),
    "members on top of each other": _type(_nested(4, lambda inner: _struct(inner, 9, 1))),
    "a type as deep as it goes": _type(_nested(200, lambda inner: _array(inner, 1))),
    "a type larger than memory": _type(_array(_BYTE, 1 << 50)),
    "one byte, decoded to a million": _type(_struct(_array(_BYTE, 1 << 20), 1, 1 << 20))
    | {"streams/0/data": bytes(1 << 20), "streams/0/index": b"", "streams/0/batches": _rows(1 << 20)},
    "text that is nested deeply": MEMBERS | {"names.json": b"[" * 1_000_000},
    "a number of many digits": MEMBERS | {"names.json": b"9" * 1_000_000},
    "a part of JSON that is too long": MEMBERS | {"names.json": b"[0," * (limits.DATA // 2)},
}


@pytest.mark.parametrize("members", _MANY.values(), ids=_MANY)
def test_what_would_take_all_memory(members: dict[str, bytes]) -> None:
    read(packed(members))


def test_many_events_of_no_size_are_refused() -> None:
    rows = _rows(1 << 50, record_size=0)
    forged = MEMBERS | {"streams/0/batches": rows, "streams/0/data": b"", "streams/0/index": b""}
    assert read(packed(forged)) is None


def _bomb(name: str = "program.c", size: int = 3 << 30) -> bytes:
    """A member of zeros, packed a thousandfold."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made, made.open(name, "w") as member:
        for _ in range(size >> 24):
            member.write(bytes(1 << 24))
    return buffer.getvalue()


def test_a_bomb_is_not_unpacked() -> None:
    data = _bomb(size=160 << 20)
    assert read(data) is None
    # Nor one that lies about its size.
    lying = data.replace((160 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lying != data
    assert read(lying) is None


@pytest.mark.parametrize(
    "name",
    ["../../../tmp/trace", "/etc/passwd", "streams/../../x", "recording.json/", "a.pkl", "con", "x\\y"],
)
def test_names_that_are_paths_are_refused(name: str) -> None:
    with pytest.raises(RecordingDamaged, match="no recording"):
        archive.unpack(packed(MEMBERS | {name: b"cos\nsystem\n(S'id'\ntR."}), "trace.zip")


def test_too_many_members_are_refused_before_they_are_listed() -> None:
    many = packed({f"verifier/{number}.log": b"" for number in range(limits.MEMBERS + 1)})
    with pytest.raises(RecordingDamaged, match="more in it than in any recording"):
        archive.unpack(many, "trace.zip")


def test_members_that_are_there_twice_or_packed_otherwise_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("output", b"a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("output", b"b")
    assert read(buffer.getvalue()) is None
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("output", b"a")
    assert read(buffer.getvalue()) is None


def test_a_file_larger_than_any_recording_is_not_read(tmp_path: Any) -> None:
    path = tmp_path / "large.zip"
    with open(path, "wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(RecordingDamaged, match="larger than any recording"):
        archive.read(path)
    with pytest.raises(LabError, match="no recording can be read"):
        archive.read(tmp_path)
