"""The code of loaded programs, out of the kernel: bytecode, native code, and the C lines of both."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ebpf_lab.host.syscalls import BpfCommand, bpf
from ebpf_lab.inside.program import Function, NativeFunction, ProgramCode, SourceLine
from ebpf_lab.source.btf import Btf

# struct bpf_prog_info up to run_time_ns (include/uapi/linux/bpf.h, since Linux 5.1): sizes and numbers of
# what there is, and, where the caller has put addresses, what is filled in.
_INFO = struct.Struct("<II8sIIQQQIIQ16sIIQQIIQQIIQIIQQIIIIQ")
_ID = struct.Struct("<4xI")


@dataclass(slots=True)
class _Info:
    """The fields of ``struct bpf_prog_info``, by their names there."""

    type: int = 0
    id: int = 0
    tag: bytes = b""
    jited_prog_len: int = 0
    xlated_prog_len: int = 0
    jited_prog_insns: int = 0
    xlated_prog_insns: int = 0
    load_time: int = 0
    created_by_uid: int = 0
    nr_map_ids: int = 0
    map_ids: int = 0
    name: bytes = b""
    ifindex: int = 0
    gpl_compatible: int = 0
    netns_dev: int = 0
    netns_ino: int = 0
    nr_jited_ksyms: int = 0
    nr_jited_func_lens: int = 0
    jited_ksyms: int = 0
    jited_func_lens: int = 0
    btf_id: int = 0
    func_info_rec_size: int = 0
    func_info: int = 0
    nr_func_info: int = 0
    nr_line_info: int = 0
    line_info: int = 0
    jited_line_info: int = 0
    nr_jited_line_info: int = 0
    line_info_rec_size: int = 0
    jited_line_info_rec_size: int = 0
    nr_prog_tags: int = 0
    prog_tags: int = 0


_FIELDS = tuple(_Info.__dataclass_fields__)
_FUNCTION, _LINE, _ADDRESS, _LENGTH = (struct.Struct(form) for form in ("<II", "<IIII", "<Q", "<I"))

Place = Callable[[SourceLine], SourceLine]
"""From a line as the compiler knows it to the learner's."""


def read_code(name: str, fd: int, btf: Btf | None, place: Place, maps: Mapping[int, str]) -> ProgramCode:
    """Ask the kernel for what it made of a program (BPF_OBJ_GET_INFO_BY_FD).

    Parameters
    ----------
    name : str
        The learner's function.
    fd : int
    btf : Btf or None
        The types that the program was loaded with, None where it has none: functions and lines are then
        unknown.
    place : callable
    maps : mapping
        Names of maps by :func:`object_id`.

    Raises
    ------
    OSError
    """
    sizes = _ask(fd, _Info())
    bytecode = ctypes.create_string_buffer(sizes.xlated_prog_len)
    native = ctypes.create_string_buffer(sizes.jited_prog_len)
    addresses = ctypes.create_string_buffer(sizes.nr_jited_ksyms * _ADDRESS.size)
    lengths = ctypes.create_string_buffer(sizes.nr_jited_func_lens * _LENGTH.size)
    functions = ctypes.create_string_buffer(sizes.nr_func_info * _FUNCTION.size)
    lines = ctypes.create_string_buffer(sizes.nr_line_info * _LINE.size)
    native_lines = ctypes.create_string_buffer(sizes.nr_jited_line_info * _ADDRESS.size)
    filled = _ask(
        fd,
        _Info(
            xlated_prog_len=sizes.xlated_prog_len,
            xlated_prog_insns=ctypes.addressof(bytecode),
            jited_prog_len=sizes.jited_prog_len,
            jited_prog_insns=ctypes.addressof(native),
            nr_jited_ksyms=sizes.nr_jited_ksyms,
            jited_ksyms=ctypes.addressof(addresses),
            nr_jited_func_lens=sizes.nr_jited_func_lens,
            jited_func_lens=ctypes.addressof(lengths),
            nr_func_info=sizes.nr_func_info,
            func_info=ctypes.addressof(functions),
            func_info_rec_size=_FUNCTION.size,
            nr_line_info=sizes.nr_line_info,
            line_info=ctypes.addressof(lines),
            line_info_rec_size=_LINE.size,
            nr_jited_line_info=sizes.nr_jited_line_info,
            jited_line_info=ctypes.addressof(native_lines),
            jited_line_info_rec_size=_ADDRESS.size,
        ),
    )
    return ProgramCode(
        name,
        bytecode.raw if filled.xlated_prog_insns else b"",
        _functions(name, functions.raw, btf),
        tuple(place(each) for each in _lines(lines.raw, btf)),
        maps,
        _variables(btf),
        _native(native.raw if filled.jited_prog_insns else b"", addresses.raw, lengths.raw),
        sizes.jited_prog_len,
        tuple(address for (address,) in _ADDRESS.iter_unpack(native_lines.raw))
        if filled.jited_line_info
        else (),
    )


def object_id(fd: int) -> int:
    """The kernel's number of a map or a program."""
    buffer = ctypes.create_string_buffer(_ID.size)
    bpf(BpfCommand.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, _ID.size, ctypes.addressof(buffer)))
    (number,) = _ID.unpack(buffer.raw)
    return int(number)


def _ask(fd: int, info: _Info) -> _Info:
    buffer = ctypes.create_string_buffer(_INFO.pack(*(getattr(info, each) for each in _FIELDS)), _INFO.size)
    bpf(BpfCommand.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, _INFO.size, ctypes.addressof(buffer)))
    return _Info(*_INFO.unpack(buffer.raw))


def _functions(name: str, data: bytes, btf: Btf | None) -> tuple[Function, ...]:
    found = (
        [Function(btf.type(number).name, start) for start, number in _FUNCTION.iter_unpack(data)]
        if btf
        else []
    )
    # The first is the program; bcc may have another name for it.
    return (Function(name, 0), *found[1:])


def _lines(data: bytes, btf: Btf | None) -> list[SourceLine]:
    if btf is None:
        return []
    return [
        SourceLine(instruction, btf.string(file), position >> 10, position & 0x3FF, btf.string(text))
        for instruction, file, text, position in _LINE.iter_unpack(data)
    ]


def _variables(btf: Btf | None) -> dict[str, dict[int, str]]:
    if btf is None:
        return {}
    return {
        section: {each.offset: each.name for each in btf.datasec(section)}
        for section in (".bss", ".data", ".rodata")
    }


def _native(code: bytes, addresses: bytes, lengths: bytes) -> tuple[NativeFunction, ...]:
    found, at = [], 0
    for (address,), (length,) in zip(
        _ADDRESS.iter_unpack(addresses), _LENGTH.iter_unpack(lengths), strict=False
    ):
        found.append(NativeFunction(address, code[at : at + length]))
        at += length
    return tuple(found)
