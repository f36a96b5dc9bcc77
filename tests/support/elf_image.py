"""Small ELF files made by hand, so that their symbols and notes are known to the byte on any system."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

FUNC, IFUNC, NOTYPE, OBJECT = 2, 10, 0, 1
LOCAL, GLOBAL = 0, 1
_TYPES = {
    "progbits": 1,
    "strtab": 3,
    "note": 7,
    "dynsym": 11,
    "symtab": 2,
    "versym": 0x6FFFFFFF,
    "verdef": 0x6FFFFFFD,
}

CODE, CODE_ADDRESS, CODE_SIZE = 0x1000, 0x401000, 0x1000
DATA, DATA_ADDRESS, DATA_SIZE = 0x2000, 0x403000, 0x1000
"""File offset, address and size of the executable and of the writable segment."""


@dataclass(frozen=True)
class Sym:
    """One symbol; ``version`` is an index of ``versions``, with 0x8000 for one that is not the default."""

    name: str
    address: int
    size: int = 16
    kind: int = FUNC
    bind: int = GLOBAL
    section: int = 1
    version: int = 1


def note(
    address: int, base: int, semaphore: int, provider: str, name: str, arguments: str, kind: int = 3
) -> bytes:
    """One entry of ``.note.stapsdt``."""
    payload = struct.pack("<QQQ", address, base, semaphore)
    payload += b"".join(word.encode() + b"\0" for word in (provider, name, arguments))
    padding = -len(payload) % 4
    return struct.pack("<III8s", 8, len(payload), kind, b"stapsdt\0") + payload + bytes(padding)


def build(
    dynamic: Sequence[Sym] = (),
    static: Sequence[Sym] = (),
    *,
    versions: Sequence[str] = (),
    notes: bytes = b"",
    base: int | None = None,
) -> bytes:
    """A 64-bit shared object with a code and a data segment.

    Parameters
    ----------
    dynamic, static : sequence of Sym
        ``.dynsym`` and ``.symtab``.
    versions : sequence of str
        Names of the versions with index 2, 3, ...
    notes : bytes
        ``.note.stapsdt``.
    base : int
        Address of ``.stapsdt.base``.
    """
    sections: list[tuple[str, str, int, bytes, int, int]] = []  # name, type, address, data, link, entry size
    sections.append((".text", "progbits", CODE_ADDRESS, b"", 0, 0))
    if dynamic:
        symbols, strings = _symbols(dynamic, versions)
        sections.append((".dynsym", "dynsym", 0, symbols, len(sections) + 2, 24))
        sections.append((".dynstr", "strtab", 0, strings, 0, 0))
        if versions:
            text = len(sections)
            numbers = struct.pack(f"<{len(dynamic) + 1}H", 0, *(symbol.version for symbol in dynamic))
            sections.append((".gnu.version", "versym", 0, numbers, text - 1, 2))
            sections.append((".gnu.version_d", "verdef", 0, _definitions(versions, strings), text, 0))
    if static:
        symbols, strings = _symbols(static, ())
        sections.append((".symtab", "symtab", 0, symbols, len(sections) + 2, 24))
        sections.append((".strtab", "strtab", 0, strings, 0, 0))
    if notes:
        sections.append((".note.stapsdt", "note", 0, notes, 0, 0))
    if base is not None:
        sections.append((".stapsdt.base", "progbits", base, b"\0", 0, 0))
    return _file(sections)


def _symbols(symbols: Sequence[Sym], versions: Sequence[str]) -> tuple[bytes, bytes]:
    strings = b"\0"
    # Longest first, so that a name that is another's tail points into it, as linkers do.
    for name in sorted({symbol.name for symbol in symbols} | set(versions), key=len, reverse=True):
        if name.encode() + b"\0" not in strings:
            strings += name.encode() + b"\0"
    entries = bytes(24)
    for symbol in symbols:
        at = strings.index(symbol.name.encode() + b"\0")
        info = symbol.bind << 4 | symbol.kind
        entries += struct.pack("<IBBHQQ", at, info, 0, symbol.section, symbol.address, symbol.size)
    return entries, strings


def _definitions(versions: Sequence[str], strings: bytes) -> bytes:
    data = b""
    for place, name in enumerate(versions):
        last = place == len(versions) - 1
        data += struct.pack("<HHHHIII", 1, 0, place + 2, 1, 0, 20, 0 if last else 28)
        data += struct.pack("<II", strings.index(name.encode() + b"\0"), 0)
    return data


def _file(sections: list[tuple[str, str, int, bytes, int, int]]) -> bytes:
    names = b"\0"
    contents = b""
    start = DATA + DATA_SIZE
    headers = [bytes(64)]
    sections = [*sections, (".shstrtab", "strtab", 0, b"", 0, 0)]
    for name, _, _, _, _, _ in sections:
        names += name.encode() + b"\0"
    at = 1
    for name, kind, address, data, link, entry in sections:
        if name == ".shstrtab":
            data = names
        # sh_info: the first global symbol, or the number of version definitions (28 bytes each here).
        info = {"dynsym": 1, "symtab": 1, "verdef": len(data) // 28}.get(kind, 0)
        headers.append(
            struct.pack(
                "<IIQQQQIIQQ",
                at,
                _TYPES[kind],
                0,
                address,
                start + len(contents),
                len(data),
                link,
                info,
                8,
                entry,
            )
        )
        contents += data + bytes(-len(data) % 8)
        at += len(name) + 1
    segments = [
        struct.pack("<IIQQQQQQ", 1, 5, CODE, CODE_ADDRESS, CODE_ADDRESS, CODE_SIZE, CODE_SIZE, 0x1000),
        struct.pack("<IIQQQQQQ", 1, 6, DATA, DATA_ADDRESS, DATA_ADDRESS, DATA_SIZE, DATA_SIZE, 0x1000),
    ]
    table = start + len(contents)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", 3, 62, 1, CODE_ADDRESS, 64, table, 0, 64, 56, len(segments), 64),
        *(len(headers), len(headers) - 1),
    )
    front = header + b"".join(segments)
    return front + bytes(start - len(front)) + contents + b"".join(headers)
