"""From an object that libbpf has loaded to plain data and descriptors of our own."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ebpf_lab.backends import clang, described, usdt
from ebpf_lab.backends.libbpf_object import BpfMap, BpfObject, BpfProgram
from ebpf_lab.backends.loaded import (
    Loaded,
    LoadedMap,
    LoadedProgram,
    LoadedStream,
    LossCounter,
    adopt,
    close_all,
)
from ebpf_lab.host import usdt as notes
from ebpf_lab.host.syscalls import BpfCommand, MapType, bpf
from ebpf_lab.host.targets import UserSite
from ebpf_lab.inside.program import ProgramCode, SourceLine
from ebpf_lab.readers.program_code import object_id, read_code
from ebpf_lab.source.btf import Btf
from ebpf_lab.source.ctype import CType, Struct
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.spec import MapDecl, ProgramSpec, Stream

LOSSES = ".data.lab_loss"
"""The section in which the lab's ``bpf_helpers.h`` counts failed reserves."""

_LOSS = struct.Struct("Q56s")
_VARIABLES = re.compile(r"\.(?:data|bss)(?:\..*)?")
_STREAMS = {"ringbuf": MapType.RINGBUF, "perfbuf": MapType.PERF_EVENT_ARRAY}


def loaded(opened: BpfObject, btf: Btf, spec: ProgramSpec, types: Sequence[str], counters: bytes) -> Loaded:
    """Take over what the kernel holds, before libbpf closes its own descriptors.

    Parameters
    ----------
    opened : BpfObject
        The object, loaded.
    btf : Btf
        Its types.
    spec : ProgramSpec
    types : sequence of str
        Event types in C, by number of their variable (:class:`~ebpf_lab.backends.additions.Additions`).
    counters : bytes
        What section :data:`LOSSES` held before it was loaded.
    """
    result = Loaded("libbpf", (), (), ())
    try:
        declared = {each.name: each for each in spec.maps}
        maps = {
            name: _map(each, btf, declared.get(name), result.fds)
            for name, each in opened.maps.items()
            if each.fd >= 0
        }
        numbers = {object_id(each.fd): name for name, each in maps.items()}
        places = _UsdtPlaces(maps.get(usdt.SPECS))
        result.programs = tuple(
            LoadedProgram(
                program.function,
                _own(opened.programs[program.function].fd, result.fds),
                opened.programs[program.function].type,
                program.probe,
                places.of(program.probe),
                program.line,
                _code(opened.programs[program.function], btf, numbers),
            )
            for program in spec.programs
            if program.probe is not None and program.function in opened.programs
        )
        found = described.event_types(btf, types)
        result.maps = tuple(each for each in maps.values() if _is_learners(each))
        result.streams = tuple(_stream(each, maps, found) for each in spec.streams)
        if LOSSES in maps:
            result.losses = _losses(counters, maps[LOSSES], result.streams)
    except BaseException:
        close_all(result.fds)
        raise
    return result


def _code(program: BpfProgram, btf: Btf, maps: Mapping[int, str]) -> ProgramCode:
    return read_code(program.name, program.fd, btf, _in_the_text, maps)


def _in_the_text(found: SourceLine) -> SourceLine:
    name = os.path.basename(found.file)
    return replace(found, file="" if name == clang.CELL else name)


def _own(fd: int, fds: list[int]) -> int:
    fds += adopt([fd])
    return fds[-1]


def _map(found: BpfMap, btf: Btf, declared: MapDecl | None, fds: list[int]) -> LoadedMap:
    key: CType | None
    value: CType | None
    if found.internal:
        key, value = described.SECTION_KEY, described.section(btf, found.name, found.value_size)
    else:
        key, value = described.key_and_value(btf, found.name)
    return LoadedMap(
        found.name,
        _own(found.fd, fds),
        found.type,
        found.key_size,
        found.value_size,
        found.max_entries,
        key,
        value,
        histogram=declared is not None and declared.histogram,
    )


def _is_learners(found: LoadedMap) -> bool:
    if found.name.startswith("."):
        return found.name != LOSSES and bool(_VARIABLES.fullmatch(found.name))
    return found.name not in usdt.INTERNAL and found.type not in _STREAMS.values()


def _stream(stream: Stream, maps: Mapping[str, LoadedMap], types: Mapping[str, CType]) -> LoadedStream:
    if stream.kind == "printk":
        return LoadedStream(stream.name, stream.kind, None, why=stream.why)
    unknown = [name for name in stream.c_types if name not in types]
    why = stream.why
    if unknown:
        why = f"{unknown[0]} is not a complete type at file scope (is it defined within a function?)"
    return LoadedStream(
        stream.name,
        stream.kind,
        maps.get(stream.name),
        () if unknown else tuple(types[name] for name in stream.c_types),
        why,
    )


def _losses(records: bytes, map_: LoadedMap, streams: Sequence[LoadedStream]) -> tuple[LossCounter, ...]:
    """A counter for each place that writes to a ring buffer, by the name that is written there."""
    rings = [stream.name for stream in streams if stream.kind == "ringbuf"]
    counters = []
    for offset in range(0, len(records), _LOSS.size):
        _, written = _LOSS.unpack_from(records, offset)
        name = written.rstrip(b"\0").decode("utf-8", "replace").lstrip("&( ").rstrip(") ")
        # A ring buffer that a function got as its argument has the argument's name: the main one's, then.
        stream = name if name in rings else next(iter(rings), "")
        counters.append(LossCounter(stream, map_, 0, offset))
    return tuple(counter for counter in counters if counter.stream)


class _UsdtPlaces:
    """Places of USDT probes; their arguments go into the specification map as they are looked up."""

    def __init__(self, specs: LoadedMap | None) -> None:
        self._specs = specs
        self._numbers: dict[bytes, int] = {}

    def of(self, probe: Probe) -> tuple[UserSite, ...]:
        if probe.kind != "usdt":
            return ()
        return tuple(
            UserSite(site.path, site.offset, site.semaphore, self._cookie(probe, site.arguments))
            for site in notes.find(probe.binary, probe.group, probe.name)
        )

    def _cookie(self, probe: Probe, text: str) -> int:
        if self._specs is None or not isinstance(self._specs.value, Struct):
            return 0  # the program asks for no arguments
        packed = usdt.pack(usdt.arguments(text), self._specs.value)
        if packed not in self._numbers:
            number = len(self._numbers)
            if number >= self._specs.max_entries:
                raise usdt.too_many(probe, self._specs.max_entries)
            _write(self._specs, number, packed)
            self._numbers[packed] = number
        return self._numbers[packed]


def _write(map_: LoadedMap, number: int, value: bytes) -> None:
    key, content = ctypes.c_uint32(number), ctypes.create_string_buffer(value, len(value))
    attributes = struct.pack("<I4xQQQ", map_.fd, ctypes.addressof(key), ctypes.addressof(content), 0)
    bpf(BpfCommand.MAP_UPDATE_ELEM, attributes)
