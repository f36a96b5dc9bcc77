"""BPF programs of a few instructions, loaded straight through bpf(2): to try what the kernel can do."""

from __future__ import annotations

import ctypes
import struct

from ebpf_lab.host.syscalls import BpfCommand, MapType, ProgType, bpf

_INSTRUCTION = struct.Struct("<BBhi")


def _instruction(code: int, destination: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, source << 4 | destination, offset, value)


def answer(value: int) -> bytes:
    """``return value;``."""
    return _instruction(0xB7, 0, value=value) + _instruction(0x95)


def printk() -> bytes:
    """``bpf_trace_printk("", 1); return 0;``."""
    return b"".join(
        (
            _instruction(0x7A, 10, offset=-8),  # *(u64 *)(r10 - 8) = 0
            _instruction(0xBF, 1, 10),  # r1 = r10
            _instruction(0x07, 1, value=-8),  # r1 += -8
            _instruction(0xB7, 2, value=1),  # r2 = 1
            _instruction(0x85, value=6),  # call bpf_trace_printk
            answer(0),
        )
    )


def note_a_run(map_fd: int) -> bytes:
    """``*(u64 *)&array[0] = 1; return 0;`` for the array map ``map_fd``."""
    return b"".join(
        (
            _instruction(0x18, 1, 1, value=map_fd) + _instruction(0),  # r1 = map
            _instruction(0x62, 10, offset=-4),  # *(u32 *)(r10 - 4) = 0
            _instruction(0xBF, 2, 10),  # r2 = r10
            _instruction(0x07, 2, value=-4),  # r2 += -4
            _instruction(0x85, value=1),  # call bpf_map_lookup_elem
            _instruction(0x15, 0, offset=1),  # if r0 == 0 skip one
            _instruction(0x7A, 0, value=1),  # *(u64 *)r0 = 1
            answer(0),
        )
    )


def load(program_type: ProgType, code: bytes, *, attach_type: int = 0, btf_id: int = 0) -> int:
    """Load a program under the GPL.

    Parameters
    ----------
    program_type : ProgType
    code : bytes
        Instructions.
    attach_type : int
        ``expected_attach_type``.
    btf_id : int
        Type of the kernel's BTF that the program is for (``attach_btf_id``).

    Returns
    -------
    int
        Descriptor of the program.

    Raises
    ------
    OSError
        With the kernel's errno.
    """
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    # The gaps are log, flags and debug information: none.
    attributes = struct.pack(
        "<IIQQ24x16s4xI36xI",
        program_type,
        len(code) // _INSTRUCTION.size,
        ctypes.addressof(instructions),
        ctypes.addressof(licence),
        b"lab_probe",
        attach_type,
        btf_id,
    )
    return bpf(BpfCommand.PROG_LOAD, attributes)


def create_map(map_type: MapType, *, key: int, value: int, entries: int) -> int:
    """Create a map; sizes in bytes.  Raises :class:`OSError`."""
    return bpf(BpfCommand.MAP_CREATE, struct.pack("<IIIII", map_type, key, value, entries, 0))


def read_u64(map_fd: int, key: int) -> int:
    """One u64 of an array map.  Raises :class:`OSError`."""
    index = ctypes.c_uint32(key)
    value = ctypes.c_uint64()
    attributes = struct.pack("<IIQQQ", map_fd, 0, ctypes.addressof(index), ctypes.addressof(value), 0)
    bpf(BpfCommand.MAP_LOOKUP_ELEM, attributes)
    return value.value
