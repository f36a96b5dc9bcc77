"""Numbers of types in the kernel's BTF: what fentry, LSM and BTF tracepoint programs name their target by.

Loading a program takes one number of some 150,000, and nothing of the types themselves: reading the
headers alone takes 60 ms, where building the types would take seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

VMLINUX = Path("/sys/kernel/btf/vmlinux")
FUNCTION, TYPEDEF = 12, 8
_MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
# Bytes behind a type's header, by kind: so many, and so many more for each of its members.
_BEHIND = {
    1: (4, 0),  # int
    3: (12, 0),  # array
    4: (0, 12),  # struct
    5: (0, 12),  # union
    6: (0, 8),  # enum
    13: (0, 8),  # function prototype
    14: (4, 0),  # variable
    15: (0, 12),  # data section
    17: (4, 0),  # declaration tag
    19: (0, 12),  # enum64
}


def kernel_ids(names: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Type numbers by name, of those of ``names`` (kind, name) that the kernel has.

    Raises
    ------
    OSError
        The kernel has no BTF.
    """
    return _kernel_ids(tuple(names))


@lru_cache(maxsize=8)
def _kernel_ids(names: tuple[tuple[int, str], ...]) -> dict[str, int]:
    return ids(VMLINUX.read_bytes(), names)


def ids(data: bytes, names: Iterable[tuple[int, str]]) -> dict[str, int]:
    """As :func:`kernel_ids`, for BTF in memory.

    Raises
    ------
    ValueError
        The bytes are not BTF.
    """
    if len(data) < _HEADER.size:
        raise ValueError("too short for BTF")
    magic, _, _, header, types, types_size, strings, strings_size = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError("not BTF")
    text = data[header + strings : header + strings + strings_size]
    wanted: dict[tuple[int, int], str] = {}
    for kind, name in names:
        # The strings are not sorted, and unique, so that a type's name is one place in them.
        at = text.find(b"\0" + name.encode() + b"\0")
        if at >= 0:
            wanted[kind, at + 1] = name
    found: dict[str, int] = {}
    at, end, number = header + types, header + types + types_size, 0
    while at + _TYPE.size <= end and len(found) < len(wanted):
        number += 1
        name_at, info, _ = _TYPE.unpack_from(data, at)
        kind = info >> 24 & 31
        if (kind, name_at) in wanted:
            found[wanted[kind, name_at]] = number
        fixed, each = _BEHIND.get(kind, (0, 0))
        at += _TYPE.size + fixed + each * (info & 0xFFFF)
    return found
