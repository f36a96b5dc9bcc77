"""The column ``call``: system calls in words, in the frame of any program that sends them in this form.

A type of event is taken for system calls when it has the integer members ``tid``, ``pid``, ``nr`` and ``ret``
and the six addresses ``args``.  These members are used where they are there:

===========================  ====================================================================
``u64 ts``, ``duration_ns``  nanoseconds of the entry, and to the exit
``bool returned``            false for a call that never returned; ``ret`` is then missing
``s16 sizes[3]``             bytes of each thing that arguments point to, in the order of the call's
                             shapes (:mod:`ebpf_lab.frame.calls.shapes`); -1 for none
``u8 data[]``                these bytes, one behind the other
===========================  ====================================================================

The frame then has ``call`` and ``path`` (the first path as it was given, else the file of the first
descriptor), and none of ``returned``, ``sizes``, ``data`` and ``unused``.  A second type of event of the same
stream with the members ``tid``, ``parent``, ``nr``, ``flags`` and ``at`` tells of new threads, in their order
among the calls: who shares which descriptors is known by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ebpf_lab.frame.calls.files import Ended, Files
from ebpf_lab.frame.calls.shapes import MOST, shapes
from ebpf_lab.frame.calls.text import Call, call_text, path_of, result_text
from ebpf_lab.frame.columns import text_array
from ebpf_lab.frame.decoders import machine, syscall_naming

_ARGS = [f"args[{at}]" for at in range(6)]
_SIZES = [f"sizes[{at}]" for at in range(MOST)]
_CALLS = {"tid", "pid", "nr", "ret", *_ARGS}
_STARTS = {"tid", "parent", "nr", "flags", "at"}
_COPIED = {*_SIZES, "data"}
_HIDDEN = {*_COPIED, "returned", "unused"}


def in_words(frames: Mapping[str, pd.DataFrame], files: Files, arch: str = "") -> dict[str, pd.DataFrame]:
    """Add ``call`` and ``path`` to the frames of one stream that hold system calls; others stay as they are.

    Parameters
    ----------
    frames : mapping
        By type of event; with several, each one's index is the event's number in the stream.
    files : Files
        What is known before the first event; afterwards, behind the last.
    arch : str
        Where the calls are from; this machine unless told.
    """
    arch = arch or machine()
    found = {name: frame for name, frame in frames.items() if _CALLS.issubset(frame.columns)}
    if len(found) != 1:
        return dict(frames)
    (name, frame), rest = *found.items(), [each for each in frames.values() if _STARTS.issubset(each.columns)]
    starts = [start for each in rest for start in _starts(each, arch)]
    texts, paths = [], []
    for position, call, ended in _calls(frame, arch):
        while starts and starts[0][0] < position:
            files.started(*starts.pop(0)[1:])
        text = call_text(call, files, arch)
        paths.append(path_of(call, files, arch))
        if call.ret is None:
            files.gone(call.thread)
        else:
            files.ended(ended)
        texts.append(f"{text} = {result_text(call, files)}")
    for start in starts:
        files.started(*start[1:])
    return {**frames, name: _with(frame, texts, paths)}


def _calls(frame: pd.DataFrame, arch: str) -> Iterator[tuple[int, Call, Ended]]:
    naming = syscall_naming(arch)
    numbers = frame["nr"].tolist()
    names = {number: naming(number) or "" for number in set(numbers)}
    args = zip(*(_words(frame[name]) for name in _ARGS), strict=True)
    returned = frame["returned"].tolist() if "returned" in frame else [True] * len(frame)
    begins = _integers(frame, "ts")
    durations = _integers(frame, "duration_ns")
    copied = _COPIED.issubset(frame.columns)
    sizes = frame[_SIZES].to_numpy().tolist() if copied else [None] * len(frame)
    data = frame["data"].tolist() if copied else [b""] * len(frame)
    columns = (
        frame.index.tolist(),
        frame["pid"].tolist(),
        frame["tid"].tolist(),
        numbers,
        frame["ret"].tolist(),
    )
    for position, pid, tid, number, ret, words, back, begin, lasted, size, copy in zip(
        *columns, args, returned, begins, durations, sizes, data, strict=True
    ):
        name = names[number]
        texts = _texts(name, size, copy, arch) if size else {}
        call = Call(
            tid, "" if name.lstrip("-").isdigit() else name, number, words, ret if back else None, texts
        )
        yield position, call, Ended(pid, tid, name, words, ret, texts, begin, begin + lasted)


def _texts(name: str, sizes: list[int], data: bytes, arch: str) -> dict[int, bytes]:
    found, at = {}, 0
    for shape, size in zip(shapes(arch).get(name, ()), sizes, strict=False):
        if size >= 0:
            found[shape.argument] = data[at : at + size]
            at += size
    return found


def _starts(frame: pd.DataFrame, arch: str) -> Iterator[tuple[int, int, int, int]]:
    naming = syscall_naming(arch)
    words = [_words(frame[name]) for name in ("flags", "at")]
    for position, parent, child, number, flags, at in zip(
        frame.index.tolist(), *(frame[name].tolist() for name in ("parent", "tid", "nr")), *words, strict=True
    ):
        # fork and vfork have no arguments: what is in the registers means nothing.
        name = naming(number)
        yield position, parent, child, flags if name == "clone" else at if name == "clone3" else 0


def _words(column: pd.Series[Any]) -> list[int]:
    words: list[int] = np.asarray(column).astype(np.uint64).tolist()
    return words


def _integers(frame: pd.DataFrame, name: str) -> list[int]:
    return frame[name].astype("int64").tolist() if name in frame else [0] * len(frame)


def _with(frame: pd.DataFrame, texts: list[str], paths: list[str]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name in frame.columns:
        if name in _HIDDEN:
            continue
        columns[name] = frame[name]
        if name == "ret" and "returned" in frame:
            columns[name] = frame[name].astype("Int64").where(frame["returned"])
        if name == ("nr_name" if "nr_name" in frame else "nr"):
            columns["call"] = text_array(np.array(texts, dtype=object))
            columns["path"] = text_array(np.array(paths, dtype=object))
    return pd.DataFrame(columns, index=frame.index, copy=False)
