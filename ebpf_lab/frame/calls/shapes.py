"""Which arguments of a system call point to something that is worth copying, and how much of it.

The kernel side copies by these shapes and knows nothing else of the calls (``syscall_trace`` in
``bpf_snippets``, map ``shapes``); :mod:`ebpf_lab.frame.calls.text` reads the copies by the same ones.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from ebpf_lab.frame.calls.tables import Argument, arguments

MOST = 3
"""Shapes of one call."""
PACKED_SIZE = 4 + 8 * MOST
"""Bytes of a value of the map ``shapes``."""

_PATH_MAX = 4096
_SOCKET_ADDRESS = 128  # sizeof(struct sockaddr_storage)
_INTERNET_ADDRESS = 28  # sizeof(struct sockaddr_in6), the longest that is returned but for paths


class ShapeKind(IntEnum):
    """How much there is to copy."""

    STRING = 1
    """Up to the first NUL."""
    STRINGS = 2
    """An array of addresses of strings."""
    FIXED = 3
    """Always so much."""
    SIZED = 4
    """As much as another argument says."""
    RETURNED = 5
    """As much as the call returned."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an argument points to.

    Attributes
    ----------
    kind : ShapeKind
    argument : int
        Which one points, from 0.
    size : int
        Most bytes; 0 for as many as the tracing program shows of data.
    length : int
        Of a sized one, the argument with the number of bytes.
    """

    kind: ShapeKind
    argument: int
    size: int = 0
    length: int = 0


_BY_TYPE = {
    "struct clone_args *": 64,
    "struct open_how *": 24,
    "const struct __kernel_timespec *": 16,
    "const struct rlimit64 *": 16,
    "struct rlimit64 *": 16,
    "struct rlimit *": 16,
    "sigset_t *": 8,
    "const sigset_t *": 8,
}
_BY_NAME = {"fildes": 8, "usockvec": 8, "stat_addr": 4, "rqtp": 16, "tsp": 16}
# Data that the call is given: how many bytes, a later argument says.
_GIVEN = {"write": "count", "pwrite64": "count", "sendto": "len"}
# Data that the call brings, and most of it; paths are shown whole.
_BROUGHT = {
    ("read", "buf"): 0,
    ("pread64", "buf"): 0,
    ("recvfrom", "ubuf"): 0,
    ("getrandom", "buf"): 0,
    ("readlink", "buf"): _PATH_MAX,
    ("readlinkat", "buf"): _PATH_MAX,
    ("getcwd", "buf"): _PATH_MAX,
}
# Named by a char * that is not const, or const and no string.
_STRINGS = {("mount", "dev_name"), ("mount", "dir_name"), ("mount", "type"), ("umount2", "name"),
            ("utime", "filename"), ("utimes", "filename")}  # fmt: skip
_NOT_STRINGS = {("mq_timedsend", "msg_ptr"), ("write", "buf"), ("pwrite64", "buf")}


@cache
def shapes(arch: str) -> Mapping[str, tuple[Shape, ...]]:
    """The shapes of an architecture's system calls, by name; calls without any are absent."""
    found = {}
    for call, known in arguments(arch).items():
        made = [shape for at in range(len(known)) if (shape := _shape(call, known, at))]
        if made:
            found[call] = tuple(made[:MOST])
    return found


def is_early(made: tuple[Shape, ...]) -> bool:
    """Whether the memory must be read before the call, which replaces it: execve."""
    return any(shape.kind is ShapeKind.STRINGS for shape in made)


def packed(made: tuple[Shape, ...]) -> bytes:
    """A call's shapes as the map ``shapes`` has them: a ``u32 early``, and three of ``{u8 kind, argument, length, unused; u32 size;}``."""  # noqa: E501
    parts = [struct.pack("<BBBxI", each.kind, each.argument, each.length, each.size) for each in made]
    return (struct.pack("<I", is_early(made)) + b"".join(parts)).ljust(PACKED_SIZE, b"\0")


def _shape(call: str, known: tuple[Argument, ...], at: int) -> Shape | None:
    argument = known[at]
    names = [each.name for each in known]
    key = (call, argument.name)
    if key in _BROUGHT:
        return Shape(ShapeKind.RETURNED, at, _BROUGHT[key])
    if argument.name in ("buf", "buff") and call in _GIVEN:
        return Shape(ShapeKind.SIZED, at, 0, names.index(_GIVEN[call]))
    if argument.type == "struct sockaddr *":
        if known[at + 1].pointer:
            return Shape(ShapeKind.FIXED, at, _INTERNET_ADDRESS)
        return Shape(ShapeKind.SIZED, at, _SOCKET_ADDRESS, at + 1)
    if (argument.type == "const char *" and key not in _NOT_STRINGS) or key in _STRINGS:
        return Shape(ShapeKind.STRING, at, _PATH_MAX)
    if argument.type == "const char * const *" and argument.name == "argv":
        return Shape(ShapeKind.STRINGS, at, _PATH_MAX)
    # Some of futex's operations take a number there.
    size = 0 if call == "futex" else _BY_TYPE.get(argument.type, _BY_NAME.get(argument.name, 0))
    return Shape(ShapeKind.FIXED, at, size) if size and argument.pointer else None
