"""Instructions as the lab writes them, against the kernel: its verifier prints each as it comes to it."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Iterator

from support.bytecode import instruction

from ebpf_lab.host.programs import answer
from ebpf_lab.host.syscalls import BpfCommand, ProgType, bpf
from ebpf_lab.inside import bytecode

_BEFORE = 3 * instruction(0xB7)
_AFTER = 3 * instruction(0xB7) + answer(0)
_PRINTED = re.compile(r"^(\d+): \(([0-9a-f]{2})\) ([^;\n]*?) *(?:;.*)?$", re.MULTILINE)
_LOG, _EVERY_PATH = 1 << 16, 2
# What a kernel does not know it prints all the same, and then refuses: older ones those of newer kernels.
_UNKNOWN = re.compile(r"\(null\)|if \w+ (?:jmp|call|exit) |BUG_|reserved field|unknown|invalid BPF")

ATOMIC = (0x00, 0x40, 0x50, 0xA0, 0x01, 0x41, 0x51, 0xA1, 0xE1, 0xF1, 0x100, 0x110)


def said(code: bytes) -> str:
    """The verifier's log of a program, which it may refuse."""
    instructions = ctypes.create_string_buffer(code, len(code))
    licence, log = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(_LOG)
    attributes = struct.pack(
        "<IIQQIIQ",
        ProgType.SOCKET_FILTER,
        len(code) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(licence),
        _EVERY_PATH,
        _LOG,
        ctypes.addressof(log),
    )
    try:
        fd = bpf(BpfCommand.PROG_LOAD, attributes)
    except OSError:
        pass
    else:
        os.close(fd)
    return log.value.decode()


def forms() -> Iterator[bytes]:
    """One instruction of each form that there is, and many that there are not."""
    for code in range(256):
        if code == 0x18:
            yield instruction(code, 3, value=-2) + instruction(0, value=0x1234567)
            continue
        for offset in (0, 1, 2, -3, 8, 16, 32):
            for value in ATOMIC if code & 7 == 3 else (0, 1, 16, 32, 64, -7):
                if code == 0x85 and offset:
                    continue
                yield instruction(code, 3, 4, offset, value)
                yield instruction(code, 3, 0, offset, value)
                yield instruction(code, 0, 0, offset, value)


def test_every_form_is_written_as_by_the_kernel() -> None:
    compared: set[int] = set()
    different = []
    for one in forms():
        code = _BEFORE + one + _AFTER
        log = said(code)
        printed = {int(at): (int(opcode, 16), text) for at, opcode, text in _PRINTED.findall(log)}
        if 3 not in printed or _UNKNOWN.search(log):
            continue
        (made,) = (each for each in bytecode.decode(code) if each.number == 3)
        opcode, expected = printed[3]
        # The kernel also names the helper.
        expected = re.sub(r"call [\w.]+#", "call #", expected)
        if (opcode, expected) != (made.code, bytecode.text(made)):
            different.append((one.hex(" "), expected, bytecode.text(made)))
        compared.add(opcode)
    assert not different
    assert len(compared) > 90  # opcodes; 127 on Linux 6.18
