"""``.BTF.ext``: which source line each BPF instruction comes from."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ebpf_lab.source.btf import Btf, cut, damaged, read_header


@dataclass(frozen=True, slots=True)
class LineInfo:
    """The source of one instruction and of those behind it, up to the next of these.

    Attributes
    ----------
    section : str
        ELF section of the program, e.g. "kprobe/do_unlinkat".
    offset : int
        Where the instruction starts in that section, bytes (eight to an instruction).
    file : str
        Source file, as the compiler was given it.
    text : str
        The source line.
    line, column : int
        Position in the file, from 1.
    """

    section: str
    offset: int
    file: str
    text: str
    line: int
    column: int


def line_info(btf: Btf, data: bytes) -> tuple[LineInfo, ...]:
    """Read the line records of a ``.BTF.ext`` section.

    Parameters
    ----------
    btf : Btf
        The object's ``.BTF`` section, which holds the strings.
    data : bytes
        The ``.BTF.ext`` section.

    Raises
    ------
    EventDecodeError
        The bytes are damaged.
    """
    order, body = read_header(data, 24)
    start, length = struct.unpack_from(f"{order}2I", data, 16)
    records = cut(data, body + start, length, "line records")
    if not records:
        return ()
    if length < 4:
        raise damaged("its line records are cut short")
    (size,) = struct.unpack_from(f"{order}I", records, 0)
    if size < 16 or size % 4:
        raise damaged(f"line records of {size} bytes")
    found: list[LineInfo] = []
    at = 4
    while at < len(records):
        section, count = struct.unpack(f"{order}2I", cut(records, at, 8, "line records"))
        at += 8
        cut(records, at, count * size, "line records")
        for _ in range(count):
            offset, file, text, position = struct.unpack_from(f"{order}4I", records, at)
            at += size
            found.append(
                LineInfo(
                    btf.string(section),
                    offset,
                    btf.string(file),
                    btf.string(text),
                    position >> 10,
                    position & 0x3FF,
                )
            )
    return tuple(found)
