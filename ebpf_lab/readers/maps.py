"""Read whole BPF maps: thousands of elements a system call where the kernel can, one where it cannot."""

from __future__ import annotations

import ctypes
import errno
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.host.syscalls import BpfCommand, MapType, bpf, possible_cpus
from ebpf_lab.readers.elements import lookup, next_key

_PER_CPU = {MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH}
_READABLE = {MapType.HASH, MapType.ARRAY, MapType.LRU_HASH, MapType.LPM_TRIE, *_PER_CPU}
_UNREADABLE: dict[int, str] = {
    MapType.RINGBUF: "a ring buffer holds events: they are the rows of its stream",
    MapType.PERF_EVENT_ARRAY: "a perf event array holds perf events: their data are the rows of its stream",
    MapType.STACK_TRACE: "a stack trace map has stacks for values: read_stacks gives them",
    MapType.PROG_ARRAY: "a program array holds programs, which user space cannot read back",
    MapType.QUEUE: "a queue can be read only by taking elements out",
    MapType.STACK: "a stack can be read only by taking elements out",
    MapType.BLOOM_FILTER: "a bloom filter can only be asked whether it may hold a value",
}

_BATCH_BYTES = 1 << 20
_LEAST_BATCH = 64
_ENOTSUPP = 524
"""The kernel's own "not supported", which has no name in user space."""


@dataclass(frozen=True, slots=True, eq=False)
class MapContents:
    """The elements of a map.

    Attributes
    ----------
    keys : (n, key_size) uint8
    values : (n, cpus, value_size) uint8
        One value for each possible CPU of a per-CPU map, else one.
    why : str
        Why there is nothing, where the map is of a kind that cannot be read; else "".
    complete : bool
        False when reading stopped at the limit.
    """

    keys: NDArray[np.uint8]
    values: NDArray[np.uint8]
    why: str = ""
    complete: bool = True


def read_map(source: LoadedMap, limit: int = 256 << 20) -> MapContents:
    """Read every element of a map.

    Programs may change the map meanwhile.  Each element is whole or absent, and none comes twice; one that
    is added or deleted meanwhile may be there or not.

    Parameters
    ----------
    source : LoadedMap
    limit : int
        Stop after about so many bytes.
    """
    if source.type not in _READABLE:
        why = _UNREADABLE.get(source.type, f"maps of type {source.type} have no elements to list")
        return _contents(source, b"", b"", why=why)
    cpus, stride = value_layout(source)
    width = cpus * stride
    most = max(limit // (source.key_size + width), 1)
    # A trie begins again where the key at hand was deleted: only single steps see that a key came before.
    elements = None if source.type == MapType.LPM_TRIE else _read_batches(source, width, most)
    keys, values, complete = elements or _read_singly(source, width, most)
    return _contents(source, keys, values, complete=complete)


def readable(source: LoadedMap) -> bool:
    """Whether the map's elements can be read without changing it."""
    return source.type in _READABLE


def per_cpu(source: LoadedMap) -> bool:
    """Whether there is a value for each CPU under a key."""
    return source.type in _PER_CPU


def value_layout(source: LoadedMap) -> tuple[int, int]:
    """Values under each key, and the distance between them in bytes.

    Values of per-CPU maps lie on eight-byte boundaries (``bpf_percpu_hash_copy`` in
    ``kernel/bpf/hashtab.c``).
    """
    if per_cpu(source):
        return len(possible_cpus()), (source.value_size + 7) // 8 * 8
    return 1, source.value_size


def _contents(
    source: LoadedMap, keys: bytes, values: bytes, *, why: str = "", complete: bool = True
) -> MapContents:
    cpus, stride = value_layout(source)
    count = len(keys) // source.key_size if source.key_size else 0
    cells = np.frombuffer(values, np.uint8).reshape(count, cpus, stride)
    return MapContents(
        keys=np.frombuffer(keys, np.uint8).reshape(count, source.key_size),
        values=np.ascontiguousarray(cells[:, :, : source.value_size]),
        why=why,
        complete=complete,
    )


def _read_batches(source: LoadedMap, width: int, most: int) -> tuple[bytes, bytes, bool] | None:
    """Keys, values and whether that is all, by BPF_MAP_LOOKUP_BATCH; None where this map has no such call.

    Since Linux kernel commit cb4d03ab499d ("bpf: Add generic support for lookup batch op") in v5.6, but for
    per-CPU arrays since commit f008d732ab18 ("bpf: Add batched ops support for percpu array") in v5.13.
    """
    size = max(_BATCH_BYTES // (source.key_size + width), _LEAST_BATCH)
    size = min(size, max(source.max_entries, 1))
    # The kernel keeps its place in a u32 for hashes, in a key for the others.
    places = [ctypes.create_string_buffer(max(source.key_size, 4)) for _ in range(2)]
    have_place = False
    keys, values = bytearray(), bytearray()
    found = 0
    while found < most:
        key_buffer = ctypes.create_string_buffer(size * source.key_size)
        value_buffer = ctypes.create_string_buffer(size * width)
        attributes = ctypes.create_string_buffer(
            struct.pack(
                "<QQQQIIQQ",
                ctypes.addressof(places[0]) if have_place else 0,
                ctypes.addressof(places[1]),
                ctypes.addressof(key_buffer),
                ctypes.addressof(value_buffer),
                size,
                source.fd,
                0,
                0,
            ),
            56,
        )
        done = False
        try:
            bpf(BpfCommand.MAP_LOOKUP_BATCH, attributes)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, _ENOTSUPP) and not have_place:
                return None
            if error.errno == errno.ENOSPC:  # a bucket of the hash holds more elements than were asked for
                size *= 2
                continue
            # A program that was interrupted within a bucket keeps it locked: EBUSY, with what came before it.
            if error.errno not in (errno.ENOENT, errno.EBUSY):
                raise
            done = error.errno == errno.ENOENT
        count = struct.unpack_from("<I", attributes, 32)[0]
        keys += key_buffer.raw[: count * source.key_size]
        values += value_buffer.raw[: count * width]
        found += count
        if done:
            return bytes(keys), bytes(values), True
        places.reverse()
        have_place = True
    return bytes(keys), bytes(values), False


def _read_singly(source: LoadedMap, width: int, most: int) -> tuple[bytes, bytes, bool]:
    """As :func:`_read_batches`, an element a call, which every kernel can.

    Where a program deletes the key at hand, the kernel starts again from the first key.  The dictionary
    keeps an element from coming twice, and the number of steps is bounded: it may otherwise never end.
    """
    elements: dict[bytes, bytes] = {}
    key = next_key(source.fd, None, source.key_size)
    for _ in range(2 * source.max_entries + 1):
        if key is None:
            return b"".join(elements), b"".join(elements.values()), True
        if len(elements) >= most:
            break
        value = lookup(source.fd, key, width)
        if value is not None:
            elements[key] = value
        key = next_key(source.fd, key, source.key_size)
    return b"".join(elements), b"".join(elements.values()), key is None


def read_stacks(source: LoadedMap) -> dict[int, NDArray[np.uint64]]:
    """Read a stack trace map (BPF_MAP_TYPE_STACK_TRACE).

    Returns
    -------
    dict
        Addresses by stack id, the innermost frame first.
    """
    stacks: dict[int, NDArray[np.uint64]] = {}
    key = next_key(source.fd, None, source.key_size)
    for _ in range(2 * source.max_entries + 1):
        if key is None:
            break
        value = lookup(source.fd, key, source.value_size)
        if value is not None:
            addresses = np.frombuffer(value, np.uint64)
            # The kernel fills what is behind the outermost frame with zeros.
            stacks[int.from_bytes(key, "little")] = addresses[: np.flatnonzero(addresses).max(initial=-1) + 1]
        key = next_key(source.fd, key, source.key_size)
    return stacks
