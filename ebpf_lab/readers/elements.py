"""One element of a BPF map at a time: bpf(2)'s lookup, update, delete and next key."""

from __future__ import annotations

import ctypes
import errno
import struct

from ebpf_lab.host.syscalls import BpfCommand, bpf


def lookup(map_fd: int, key: bytes, size: int) -> bytes | None:
    """The value under ``key``, None where there is none.

    Parameters
    ----------
    map_fd : int
    key : bytes
    size : int
        Bytes that the kernel writes; for a per-CPU map those of all possible CPUs.
    """
    value = ctypes.create_string_buffer(size)
    try:
        _element(BpfCommand.MAP_LOOKUP_ELEM, map_fd, key, ctypes.addressof(value))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return value.raw


def update(map_fd: int, key: bytes, value: bytes) -> None:
    """Set the value under ``key``."""
    buffer = ctypes.create_string_buffer(value, len(value))
    _element(BpfCommand.MAP_UPDATE_ELEM, map_fd, key, ctypes.addressof(buffer))


def delete(map_fd: int, key: bytes) -> None:
    """Delete ``key``."""
    _element(BpfCommand.MAP_DELETE_ELEM, map_fd, key, 0)


def next_key(map_fd: int, key: bytes | None, size: int) -> bytes | None:
    """The key behind ``key`` (the first one for None, or where ``key`` is gone), None behind the last."""
    following = ctypes.create_string_buffer(size)
    try:
        _element(BpfCommand.MAP_GET_NEXT_KEY, map_fd, key, ctypes.addressof(following))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return following.raw


def _element(command: BpfCommand, map_fd: int, key: bytes | None, value: int) -> None:
    buffer = None if key is None else ctypes.create_string_buffer(key, len(key))
    address = 0 if buffer is None else ctypes.addressof(buffer)
    bpf(command, struct.pack("<IIQQQ", map_fd, 0, address, value, 0))
