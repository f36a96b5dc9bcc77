"""Load BPF programs without attaching them, and run them by hand: a producer of exactly so many events."""

from __future__ import annotations

import contextlib
import ctypes
import struct
from collections.abc import Iterator

from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.backends.loaded import Loaded, LoadedMap
from ebpf_lab.host.syscalls import BpfCommand, bpf
from ebpf_lab.source.analyse import analyse

_ON_CPU = 1


@contextlib.contextmanager
def loaded(text: str) -> Iterator[Loaded]:
    """Compile and load a text of programs that need no target."""
    spec = analyse(text)
    compiled = backend_for(spec.dialect)(spec, BuildOptions())
    try:
        programs = compiled.load({})
    finally:
        compiled.close()
    try:
        yield programs
    finally:
        programs.close()


def run(programs: Loaded, *arguments: int, function: str = "produce", cpu: int | None = None) -> int:
    """Run a raw tracepoint program once (BPF_PROG_TEST_RUN) and return what it returned."""
    (fd,) = (program.fd for program in programs.programs if program.function == function)
    context = ctypes.create_string_buffer(struct.pack(f"<{len(arguments)}Q", *arguments))
    attributes = ctypes.create_string_buffer(
        struct.pack(
            "<IIIIQQIIIIQQIII",
            *(fd, 0, 0, 0, 0, 0, 0, 0),
            *(8 * len(arguments), 0, ctypes.addressof(context), 0),
            *(0 if cpu is None else _ON_CPU, cpu or 0, 0),
        ),
        80,
    )
    bpf(BpfCommand.PROG_TEST_RUN, attributes)
    return int(struct.unpack_from("<I", attributes, 4)[0])


def the_map(programs: Loaded, name: str) -> LoadedMap:
    """The learner's map of that name."""
    return next(found for found in programs.maps if found.name == name)
