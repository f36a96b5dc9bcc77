"""Names for addresses, of the kernel and of user programs: what stack traces are read with."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.errors import LabError
from ebpf_lab.host import kallsyms, maps
from ebpf_lab.host.elf import open_elf

_ENTRY = re.compile(rb"^([0-9a-f]+) ([tTwW]) (\S+)(?:\t\[(\S+)\])?", re.MULTILINE)
_LARGEST_FUNCTION = 1 << 20
"""An address further behind the last symbol than this is in no known function."""


class KernelSymbols:
    """Names for kernel addresses.

    Parameters
    ----------
    text : bytes
        What ``/proc/kallsyms`` holds.

    Attributes
    ----------
    why : str
        Why there are no names, "" when there are.
    """

    def __init__(self, text: bytes) -> None:
        entries = sorted(
            (int(address, 16), _rank(kind, name), name, module)
            for address, kind, name, module in _ENTRY.findall(text)
        )
        # kptr_restrict shows every address as zero.
        entries = [entry for entry in entries if entry[0]]
        self._starts = np.array([entry[0] for entry in entries], np.uint64)
        self._names = [(entry[2].decode(errors="replace"), entry[3].decode()) for entry in entries]
        self.why = ""
        if not text:
            self.why = "this kernel lists no symbols (/proc/kallsyms)"
        elif not entries:
            self.why = "the kernel hides its addresses: it takes CAP_SYSLOG and kernel.kptr_restrict below 2"

    @classmethod
    def of_running_kernel(cls) -> KernelSymbols:
        """The symbols of now; modules come and go, so that the list is read anew each time."""
        return _parsed(kallsyms.read())

    def lookup(self, addresses: NDArray[np.uint64]) -> list[str]:
        """A name for each address: "vfs_read+0x1f", or the address in hex where no function is known.

        Parameters
        ----------
        addresses : ndarray of uint64

        Returns
        -------
        list of str
            As long as ``addresses``; of functions in a module, "name+0x1f [module]".
        """
        unique, inverse = np.unique(np.asarray(addresses, np.uint64), return_inverse=True)
        at = np.searchsorted(self._starts, unique, side="right") - 1
        names = [self._name(int(address), int(index)) for address, index in zip(unique, at, strict=True)]
        return [names[position] for position in inverse]

    def _name(self, address: int, index: int) -> str:
        distance = address - int(self._starts[index]) if index >= 0 else _LARGEST_FUNCTION
        if distance >= _LARGEST_FUNCTION:
            return f"{address:#x}"
        name, module = self._names[index]
        return _with_offset(name, distance) + (f" [{module}]" if module else "")


def user_symbols(
    pid: int, addresses: Sequence[int] | NDArray[np.uint64], noted: Sequence[maps.Mapping] = ()
) -> list[str]:
    """Names for code addresses of a process.

    Parameters
    ----------
    pid : int
    addresses : sequence of int
    noted : sequence of Mapping
        The process's executable mappings, in the order in which they were made, where they were noted while
        it ran; a process that still runs is asked for those that are not among them.

    Returns
    -------
    list of str
        "printf+0x1f [libc.so.6]"; "[libc.so.6+0x525b0]" where the file names no function (a stripped file's
        own functions) or is another by now; the address in hex where nothing is known to be mapped.
    """
    try:
        present = maps.executable(pid)
    except OSError:
        present = []
    mappings = [*reversed(noted), *present]
    return [_user_symbol(pid, int(address), mappings) for address in addresses]


def _user_symbol(pid: int, address: int, mappings: Sequence[maps.Mapping]) -> str:
    for mapping in mappings:
        if mapping.start <= address < mapping.end:
            break
    else:
        return f"{address:#x}"
    offset = address - mapping.start + mapping.offset
    label = Path(mapping.path).name if mapping.path else "anonymous"
    if not mapping.path.startswith("/"):
        return f"{address:#x} [{label.strip('[]')}]"
    found = _function_at(_file(pid, mapping.path), offset, mapping.build_id)
    return f"{found} [{label}]" if found else f"[{label}+{offset:#x}]"


def _file(pid: int, path: str) -> str:
    """A path of the process, which may be in a container, as a path of ours."""
    inside = f"/proc/{pid}/root{path}"
    try:
        # The plain path lets all processes share one parsed file.
        return path if os.path.samefile(path, inside) else inside
    except OSError:
        return inside if os.path.exists(inside) else path


def _function_at(path: str, offset: int, build_id: bytes) -> str:
    try:
        elf = open_elf(path)
    except LabError:
        return ""
    if build_id and elf.build_id and build_id != elf.build_id:
        return ""  # an update has replaced the file, or the process was in a container with one of its own
    address = elf.address_of(offset)
    found = None if address is None else elf.function_at(address)
    return _with_offset(*found) if found else ""


def _with_offset(name: str, distance: int) -> str:
    return name + (f"+{distance:#x}" if distance else "")


def _rank(kind: bytes, name: bytes) -> tuple[bool, int]:
    # Of several names for one address the last in order is used: a global one, with few underscores in front.
    return kind == b"T", len(name.lstrip(b"_")) - len(name)


@lru_cache(maxsize=1)
def _parsed(text: bytes) -> KernelSymbols:
    return KernelSymbols(text)
