"""USDT probes: the notes that SystemTap's ``sys/sdt.h`` leaves in ELF files.

A note (``.note.stapsdt``, type 3) holds three addresses (the probe's, that of ``.stapsdt.base`` when the
note was written, the semaphore's), then provider, name and arguments as strings.  Where prelink or a linker
moved the file, the section's address today and the address noted differ by how far everything moved
(https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ebpf_lab.errors import AttachError
from ebpf_lab.host import libraries
from ebpf_lab.host.elf import open_elf
from ebpf_lab.nearest import suggestion

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

_NOTE_TYPE = 3


@dataclass(frozen=True, slots=True)
class UsdtSite:
    """One place where a USDT probe was compiled in; inlining may make several of one probe.

    Attributes
    ----------
    path : str
        Real path of the file.
    provider, name : str
    offset : int
        Offset in the file, bytes.
    semaphore : int
        File offset of the counter that turns the probe on, 0 for none.
    arguments : str
        Sizes and places, as the assembler wrote them ("-4@%edi 8@-24(%rbp)").
    address : int
        Address as in the file, before the loader moves it.
    """

    path: str
    provider: str
    name: str
    offset: int
    semaphore: int
    arguments: str
    address: int


def find(binary: str, provider: str, name: str) -> list[UsdtSite]:
    """The sites of one probe, by address.

    Parameters
    ----------
    binary : str
        Path, soname or program, as for uprobes.
    provider : str
        "" when the name alone says it.
    name : str

    Raises
    ------
    AttachError
        There is no such file or probe; the hint names those that are nearly called so.
    """
    path = libraries.find(binary)
    known = probes(path)
    found = [site for site in known if site.name == name and provider in ("", site.provider)]
    if not found:
        label = f"{provider}:{name}" if provider else name
        names = sorted({(f"{site.provider}:" if provider else "") + site.name for site in known})
        raise AttachError(
            f"{path} has no USDT probe {label}",
            why="" if known else "it was built without any (no .note.stapsdt section)",
            hint=suggestion(label, [name.encode() for name in names])
            or (f"%bpf probes usdt:{path}:* lists them" if known else ""),
        )
    providers = sorted({site.provider for site in found})
    if len(providers) > 1:
        raise AttachError(
            f"{len(providers)} USDT probes of {path} are called {name}",
            hint="name the provider: " + ", ".join(f"usdt:{binary}:{one}:{name}" for one in providers),
        )
    return sorted(found, key=lambda site: site.address)


def probes(path: str) -> list[UsdtSite]:
    """Every USDT site of a file."""
    from elftools.elf.elffile import ELFFile

    located = open_elf(path)
    with open(path, "rb") as file:
        elf = ELFFile(file)
        section = elf.get_section_by_name(".note.stapsdt")
        if section is None:
            return []
        base = elf.get_section_by_name(".stapsdt.base")
        moved_to = None if base is None else int(base["sh_addr"])
        found = []
        for provider, name, arguments, (address, noted_base, semaphore) in _notes(
            section.data(), located.bits
        ):
            # Before sys/sdt.h v3 no base was noted.
            shift = moved_to - noted_base if moved_to is not None and noted_base else 0
            offset = located.file_offset(address + shift)
            if offset is not None:
                found.append(
                    UsdtSite(
                        path,
                        provider,
                        name,
                        offset,
                        _data_offset(elf, semaphore + shift) if semaphore else 0,
                        arguments,
                        address + shift,
                    )
                )
    return found


def _notes(data: bytes, bits: int) -> Iterator[tuple[str, str, str, tuple[int, int, int]]]:
    addresses = struct.Struct("<QQQ" if bits == 64 else "<III")
    at = 0
    while at + 12 <= len(data):
        name_size, size, kind = struct.unpack_from("<III", data, at)
        start = at + 12 + _aligned(name_size)
        at = start + _aligned(size)
        payload = data[start : start + size]
        if kind != _NOTE_TYPE or len(payload) < addresses.size:
            continue
        words = payload[addresses.size :].split(b"\0")
        if len(words) >= 3:
            provider, name, arguments = (word.decode(errors="replace") for word in words[:3])
            yield provider, name, arguments, addresses.unpack_from(payload)


def _data_offset(elf: ELFFile, address: int) -> int:
    # The semaphore is in a writable segment, which is moved by another amount than code is.
    segment: Any
    for segment in elf.iter_segments("PT_LOAD"):
        if segment["p_vaddr"] <= address < segment["p_vaddr"] + segment["p_filesz"]:
            return int(address - segment["p_vaddr"] + segment["p_offset"])
    return 0


def _aligned(size: int) -> int:
    return (size + 3) & ~3
