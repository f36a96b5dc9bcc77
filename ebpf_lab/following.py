"""Maps that the lab fills for a text which follows a command, before the command starts.

A text asks for them by declaring maps of these names and types:

============  =======================  ==============================================================
``followed``  ``HASH``, u32 to u32     the thread that starts the command, with the value 1: a program
                                       on ``sched_process_fork`` finds it there as the parent.  The
                                       thread is taken out once the command is started
``shapes``    ``ARRAY``, u32 to        by system call number, which arguments point to what
              ``struct shapes``        (:mod:`ebpf_lab.frame.calls.shapes`)
============  =======================  ==============================================================

Both are there before the first instruction of the command, so that nothing of it is missed and nobody needs
to wait.  ``bpf_snippets/syscall_trace`` uses both.
"""

from __future__ import annotations

import contextlib
import struct
import threading
from collections.abc import Iterator, Sequence

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.frame.calls import shapes
from ebpf_lab.frame.decoders import machine, syscall_numbers
from ebpf_lab.host.syscalls import MapType
from ebpf_lab.readers import elements

FOLLOWED, SHAPES = "followed", "shapes"
_LAUNCHER = struct.pack("<I", 1)


def follows(maps: Sequence[LoadedMap]) -> bool:
    """Whether a text follows the command by itself."""
    return _followed(maps) is not None


def fill_shapes(maps: Sequence[LoadedMap]) -> None:
    """Tell the kernel side which arguments of which system call point to what."""
    wanted = next(
        (
            each
            for each in maps
            if each.name == SHAPES
            and each.type == MapType.ARRAY
            and (each.key_size, each.value_size) == (4, shapes.PACKED_SIZE)
        ),
        None,
    )
    if wanted is None:
        return
    known = shapes.shapes(machine())
    for name, number in syscall_numbers(machine()).items():
        if name in known and number < wanted.max_entries:
            elements.update(wanted.fd, struct.pack("<I", number), shapes.packed(known[name]))


@contextlib.contextmanager
def launching(maps: Sequence[LoadedMap]) -> Iterator[None]:
    """Mark the calling thread as the one that starts the command."""
    followed = _followed(maps)
    if followed is None:
        yield
        return
    thread = struct.pack("<I", threading.get_native_id())
    elements.update(followed.fd, thread, _LAUNCHER)
    try:
        yield
    finally:
        elements.delete(followed.fd, thread)


def _followed(maps: Sequence[LoadedMap]) -> LoadedMap | None:
    return next(
        (
            each
            for each in maps
            if each.name == FOLLOWED
            and each.type == MapType.HASH
            and (each.key_size, each.value_size) == (4, 4)
        ),
        None,
    )
