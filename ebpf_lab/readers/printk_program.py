"""The BPF program behind :mod:`ebpf_lab.readers.printk`, as bytecode: no compiler is needed to read lines.

In C it would be::

    SEC("raw_tp/bpf_trace_printk") int lab_printk(struct bpf_raw_tracepoint_args *ctx)
    {
        const char *text = (const char *)ctx->args[0];
        char start[SHORT];
        if (bpf_probe_read_kernel_str(start, SHORT, text) < SHORT)
            return pass_on(text, SHORT);
        return pass_on(text, LONG);
    }

where ``pass_on`` reserves a record, fills in who printed and when, reads the text again into the record, and
submits it; or adds one to the count of lost lines when there is no room.  Two sizes of record, because the
verifier wants a constant and a line may have 1023 characters but hardly ever has more than 100.
"""

from __future__ import annotations

import ctypes
import struct

from ebpf_lab.host.syscalls import BpfCommand, ProgType, bpf
from ebpf_lab.readers.printk_lines import HEAD

SHORT, LONG = 128, 1024
"""Bytes of text a record has room for; no line is longer (``MAX_BPRINTF_BUF`` in ``include/linux/bpf.h``)."""

_NAME = b"lab_printk"
_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE = 1, 2
_KTIME_GET_NS, _GET_SMP_PROCESSOR_ID, _GET_CURRENT_PID_TGID, _GET_CURRENT_COMM = 5, 8, 14, 16
_PROBE_READ_KERNEL_STR, _RINGBUF_RESERVE, _RINGBUF_SUBMIT = 115, 131, 132
_R0, _R1, _R2, _R3 = range(4)
_TEXT, _RECORD, _STACK = 6, 8, 10  # registers that calls leave alone


def load(ring_fd: int, lost_fd: int) -> int:
    """Load the program.

    Parameters
    ----------
    ring_fd : int
        Ring buffer for the records.
    lost_fd : int
        Array map of one u64 that counts the lines for which the ring buffer had no room.

    Returns
    -------
    int
        Descriptor of the program.
    """
    program = ctypes.create_string_buffer(_assemble(ring_fd, lost_fd))
    license_text = ctypes.create_string_buffer(b"GPL")
    count = (len(program) - 1) // 8
    return bpf(
        BpfCommand.PROG_LOAD,
        struct.pack(
            "<IIQQIIQII16s",
            ProgType.RAW_TRACEPOINT,
            count,
            ctypes.addressof(program),
            ctypes.addressof(license_text),
            0,
            0,
            0,
            0,
            0,
            _NAME,
        ),
    )


def _assemble(ring_fd: int, lost_fd: int) -> bytes:
    short, long = _pass_on(SHORT, ring_fd, lost_fd), _pass_on(LONG, ring_fd, lost_fd)
    return b"".join(
        [
            _load(_TEXT, _R1, 0),
            _move(_R1, _STACK),
            _add(_R1, -SHORT),
            _set(_R2, SHORT),
            _move(_R3, _TEXT),
            _call(_PROBE_READ_KERNEL_STR),
            _jump_greater_equal(_R0, SHORT, len(short) // 8),
            short,
            long,
        ]
    )


def _pass_on(room: int, ring_fd: int, lost_fd: int) -> bytes:
    fill = b"".join(
        [
            _move(_RECORD, _R0),
            _call(_KTIME_GET_NS),
            _store(_RECORD, _at("ts"), _R0, wide=True),
            _call(_GET_CURRENT_PID_TGID),
            _store(_RECORD, _at("tid"), _R0, wide=True),  # the upper half is the process, which lies behind
            _call(_GET_SMP_PROCESSOR_ID),
            _store(_RECORD, _at("cpu"), _R0),
            _move(_R1, _RECORD),
            _add(_R1, _at("comm")),
            _set(_R2, 16),
            _call(_GET_CURRENT_COMM),
            _move(_R1, _RECORD),
            _add(_R1, HEAD.itemsize),
            _set(_R2, room),
            _move(_R3, _TEXT),
            _call(_PROBE_READ_KERNEL_STR),
            _store(_RECORD, _at("length"), _R0),
            _move(_R1, _RECORD),
            _set(_R2, 0),
            _call(_RINGBUF_SUBMIT),
            _set(_R0, 0),
            _exit(),
        ]
    )
    return b"".join(
        [
            _address(_R1, _PSEUDO_MAP_FD, ring_fd),
            _set(_R2, HEAD.itemsize + room),
            _set(_R3, 0),
            _call(_RINGBUF_RESERVE),
            _jump_equal(_R0, 0, len(fill) // 8),
            fill,
            _address(_R1, _PSEUDO_MAP_VALUE, lost_fd),
            _set(_R2, 1),
            _atomic_add(_R1, _R2),
            _set(_R0, 0),
            _exit(),
        ]
    )


def _at(field: str) -> int:
    assert HEAD.fields is not None
    return HEAD.fields[field][1]


# ``struct bpf_insn``: opcode, source and destination register, offset, immediate
# (Documentation/bpf/standardization/instruction-set.rst).


def _instruction(code: int, target: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    return struct.pack("<BBhi", code, source << 4 | target, offset, immediate)


def _move(target: int, source: int) -> bytes:
    return _instruction(0xBF, target, source)


def _set(target: int, value: int) -> bytes:
    return _instruction(0xB7, target, immediate=value)


def _add(target: int, value: int) -> bytes:
    return _instruction(0x07, target, immediate=value)


def _load(target: int, source: int, offset: int) -> bytes:
    return _instruction(0x79, target, source, offset)


def _store(target: int, offset: int, source: int, *, wide: bool = False) -> bytes:
    return _instruction(0x7B if wide else 0x63, target, source, offset)


def _atomic_add(target: int, source: int) -> bytes:
    return _instruction(0xDB, target, source)


def _call(helper: int) -> bytes:
    return _instruction(0x85, immediate=helper)


def _jump_equal(register: int, value: int, skip: int) -> bytes:
    return _instruction(0x15, register, offset=skip, immediate=value)


def _jump_greater_equal(register: int, value: int, skip: int) -> bytes:
    return _instruction(0x75, register, offset=skip, immediate=value)


def _address(target: int, kind: int, fd: int) -> bytes:
    return _instruction(0x18, target, kind, immediate=fd) + _instruction(0)


def _exit() -> bytes:
    return _instruction(0x95)
