"""Functions and addresses in ELF files: what a user probe is put on.

pyelftools finds the sections; symbols are read by numpy, because a debug build has 100,000 of them and
pyelftools makes a Python object for each.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.errors import AttachError

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

_NAME_IT = "name the program or library itself: a path, or a name with its version, as libc.so.6"
_NOTYPE, _FUNC, _IFUNC = 0, 2, 10
_GLOBAL = 1
_EXECUTABLE = 1
_HIDDEN_VERSION = 0x8000
# Elf64_Sym and Elf32_Sym hold the same in another order.
_OVERLAPPING = 8
_SYMBOL = {
    64: np.dtype(
        {
            "names": ["name", "info", "other", "section", "value", "size"],
            "formats": ["<u4", "u1", "u1", "<u2", "<u8", "<u8"],
        }
    ),
    32: np.dtype(
        {
            "names": ["name", "value", "size", "info", "other", "section"],
            "formats": ["<u4", "<u4", "<u4", "u1", "u1", "<u2"],
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Symbol:
    """One function.

    Attributes
    ----------
    name : str
    address : int
        As in the file (what ``nm`` prints), before the loader moves it.
    size : int
        Bytes, 0 where the file does not say.
    indirect : bool
        An IFUNC: the address is of code that chooses the function when the program starts.
    exported : bool
        A global symbol; others belong to one source file each and may share a name.
    version : str
        "" for none.
    default : bool
        What a program linked today gets; False for versions kept for old programs.
    """

    name: str
    address: int
    size: int = 0
    indirect: bool = False
    exported: bool = True
    version: str = ""
    default: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file that the loader maps, ``address`` as in the file."""

    address: int
    offset: int
    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class _Table:
    symbols: NDArray[np.void]
    strings: bytes
    versions: NDArray[np.uint16] | None


class Elf:
    """An ELF file of this machine's byte order.

    Parameters
    ----------
    path : str

    Attributes
    ----------
    build_id : bytes
        What the linker wrote to tell this build from others, b"" for nothing.

    Raises
    ------
    AttachError
        The file cannot be read or is not ELF.
    """

    def __init__(self, path: str) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
        from elftools.elf.enums import ENUM_E_MACHINE

        self.path = path
        try:
            with open(path, "rb") as file:
                elf = ELFFile(file)
                if not elf.little_endian:
                    raise AttachError(
                        f"{path} is for another byte order", hint="name a program of this machine"
                    )
                self.bits: int = elf.elfclass
                self.machine: int = ENUM_E_MACHINE.get(elf["e_machine"], 0)
                self.segments = tuple(
                    Segment(
                        part["p_vaddr"],
                        part["p_offset"],
                        part["p_filesz"],
                        bool(part["p_flags"] & _EXECUTABLE),
                    )
                    for part in elf.iter_segments("PT_LOAD")
                )
                self.build_id = _build_id(elf)
                self._tables = tuple(_tables(elf))
                self._version_names = _version_names(elf)
        except ELFError as error:
            raise AttachError(
                f"{path} is not an ELF program or library", why=_instead(path) or str(error), hint=_NAME_IT
            ) from None
        except OSError as error:
            raise AttachError(f"cannot read {path}: {error.strerror}") from None

    def file_offset(self, address: int) -> int | None:
        """Where in the file the code at ``address`` is, None when no code is there."""
        for part in self.segments:
            if part.executable and part.address <= address < part.address + part.size:
                return address - part.address + part.offset
        return None

    def address_of(self, offset: int) -> int | None:
        """The reverse of :meth:`file_offset`."""
        for part in self.segments:
            if part.executable and part.offset <= offset < part.offset + part.size:
                return offset - part.offset + part.address
        return None

    def functions(self, name: str) -> list[Symbol]:
        """Every definition of a function called ``name`` (one for each version), from both symbol tables."""
        found: dict[int, Symbol] = {}
        for table in self._tables:
            for index in _named(table, name.encode()):
                symbol = self._symbol(table, int(index), name)
                if symbol and (symbol.address not in found or (symbol.default and symbol.version)):
                    found[symbol.address] = symbol
        return list(found.values())

    def imports(self, name: str) -> bool:
        """Whether the file takes ``name`` from another library."""
        return any(
            bool((table.symbols["section"][_named(table, name.encode())] == 0).any())
            for table in self._tables
        )

    def has_data(self, name: str) -> bool:
        """Whether ``name`` is a variable of the file."""
        return any(
            bool((table.symbols["info"][_named(table, name.encode())] & 15 == 1).any())
            for table in self._tables
        )

    def function_names(self) -> list[bytes]:
        """Names of all functions, sorted, each once."""
        names: set[bytes] = set()
        for table in self._tables:
            for start in np.unique(table.symbols["name"][_is_function(table.symbols)]):
                names.add(_string(table.strings, int(start)))
        return sorted(names - {b""})

    def function_at(self, address: int) -> tuple[str, int] | None:
        """The function that ``address`` is in, and how far in; None where the file names none."""
        starts, sizes, names = self._by_address
        last = int(np.searchsorted(starts, np.uint64(address), side="right")) - 1
        # Symbols may share or cover an address: aliases, and entry points within a function.
        for index in range(last, max(last - _OVERLAPPING, -1), -1):
            distance = address - int(starts[index])
            if distance < int(sizes[index]) or distance == 0:
                return names[index].decode(errors="replace"), distance
        return None

    @cached_property
    def _by_address(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], list[bytes]]:
        addresses, sizes, names = [], [], []
        for table in self._tables:
            chosen = table.symbols[_is_function(table.symbols)]
            addresses.append(chosen["value"].astype(np.uint64))
            sizes.append(chosen["size"].astype(np.uint64))
            names += [_string(table.strings, int(start)) for start in chosen["name"]]
        if not names:
            return np.empty(0, np.uint64), np.empty(0, np.uint64), []
        address, size = np.concatenate(addresses), np.concatenate(sizes)
        order = np.argsort(address, kind="stable")
        return address[order], size[order], [names[index] for index in order]

    def _symbol(self, table: _Table, index: int, name: str) -> Symbol | None:
        entry = table.symbols[index]
        kind = int(entry["info"]) & 15
        address = int(entry["value"])
        # Functions written in assembler often have no type; what lies in code is one.
        code = kind in (_FUNC, _IFUNC) or (kind == _NOTYPE and self.file_offset(address) is not None)
        if not int(entry["section"]) or not code:
            return None
        version, default = "", True
        if table.versions is not None:
            number = int(table.versions[index])
            version = self._version_names.get(number & ~_HIDDEN_VERSION, "")
            default = not number & _HIDDEN_VERSION
        return Symbol(
            name,
            address,
            int(entry["size"]),
            kind == _IFUNC,
            int(entry["info"]) >> 4 >= _GLOBAL,
            version,
            default,
        )


def open_elf(path: str) -> Elf:
    """The file at ``path``, parsed once for as long as it does not change."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise AttachError(f"cannot read {path}: {error.strerror}") from None
    return _parsed(path, status.st_ino, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _parsed(path: str, _inode: int, _modified: int, _size: int) -> Elf:
    return Elf(path)


def _instead(path: str) -> str:
    """What a file is that is no ELF file, "" where its first line does not say."""
    with open(path, "rb") as file:
        first = file.readline(256).decode(errors="replace").strip()
    if first.startswith("#!"):
        return f"it is a script for {first.removeprefix('#!').strip()}"
    return "it is a text for the linker" if first.startswith("/* GNU ld script") else ""


def _build_id(elf: ELFFile) -> bytes:
    from elftools.elf.segments import NoteSegment

    for segment in elf.iter_segments("PT_NOTE"):
        for note in segment.iter_notes() if isinstance(segment, NoteSegment) else ():
            if note["n_name"] == "GNU" and note["n_type"] == "NT_GNU_BUILD_ID":
                return bytes.fromhex(note["n_desc"])
    return b""


def _tables(elf: ELFFile) -> list[_Table]:
    tables = []
    for name in (".dynsym", ".symtab"):
        section = elf.get_section_by_name(name)
        if section is None or section["sh_type"] == "SHT_NOBITS":
            continue
        strings = elf.get_section(section["sh_link"]).data()
        symbols = np.frombuffer(_whole(section.data(), _SYMBOL[elf.elfclass].itemsize), _SYMBOL[elf.elfclass])
        versions = elf.get_section_by_name(".gnu.version") if name == ".dynsym" else None
        numbers = None if versions is None else np.frombuffer(_whole(versions.data(), 2), "<u2")
        if numbers is not None and len(numbers) != len(symbols):
            numbers = None
        tables.append(_Table(symbols, strings, numbers))
    return tables


def _whole(data: bytes, size: int) -> bytes:
    return data[: len(data) // size * size]


def _version_names(elf: ELFFile) -> dict[int, str]:
    section: Any = elf.get_section_by_name(".gnu.version_d")
    if section is None:
        return {}
    return {definition["vd_ndx"]: next(auxiliary).name for definition, auxiliary in section.iter_versions()}


def _is_function(symbols: NDArray[np.void]) -> NDArray[np.bool_]:
    defined: NDArray[np.bool_] = symbols["section"] != 0
    return defined & np.isin(symbols["info"] & 15, (_FUNC, _IFUNC))


def _named(table: _Table, name: bytes) -> NDArray[np.intp]:
    # A linker lets "printf" point into the tail of "fprintf", so that every place where the name ends counts.
    places = []
    at = table.strings.find(name + b"\0")
    while at >= 0:
        places.append(at)
        at = table.strings.find(name + b"\0", at + 1)
    return np.flatnonzero(np.isin(table.symbols["name"], places))


def _string(strings: bytes, start: int) -> bytes:
    return strings[start : strings.find(b"\0", start)]
