"""Kernel objects that BPF programs hang on: perf events and links.

Everything raises :class:`OSError`; who calls knows what was meant and words the error.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from contextlib import suppress
from pathlib import Path

from ebpf_lab.host.syscalls import BpfCommand, bpf, online_cpus, perf_attributes, perf_event_open

DEVICES = Path("/sys/bus/event_source/devices")
_SOFTWARE, _TRACEPOINT = 1, 2
_CPU_CLOCK = 0
_FREQUENCY = 1 << 10
_IOC_ENABLE = 0x2400
_IOC_SET_BPF = 0x40042408
_BPF_PERF_EVENT = 41
_BPF_XDP = 37
_XDP_GENERIC = 1 << 1


def device_type(name: str) -> int | None:
    """The number of the PMU ``kprobe`` or ``uprobe``, None when the kernel was built without it."""
    try:
        return int((DEVICES / name / "type").read_text())
    except OSError:
        return None


def open_kprobe(symbol: str, offset: int, *, retprobe: bool) -> int:
    """A perf event that fires at ``symbol`` + ``offset`` on every CPU."""
    return _open_probe("kprobe", os.fsencode(symbol), offset, retprobe=retprobe)


def open_uprobe(path: str, offset: int, *, retprobe: bool, semaphore: int = 0) -> int:
    """A perf event that fires at ``offset`` of the file ``path`` in every process.

    ``semaphore`` is the file offset of a counter that the kernel raises while the event is open
    (``ref_ctr_offset``, since Linux kernel commit a6ca88b241d5 ("trace_uprobe: support reference counter
    in fd-based uprobe") in v4.20).
    """
    return _open_probe("uprobe", os.fsencode(path), offset, retprobe=retprobe, semaphore=semaphore)


def open_tracepoint(identifier: int) -> int:
    """A perf event for a tracepoint."""
    return _open_everywhere(perf_attributes(_TRACEPOINT, identifier))


def open_sampling(cpu: int, *, frequency: int | None, period: int | None) -> int:
    """A perf event that fires on one CPU: ``frequency`` times a second or every ``period`` nanoseconds."""
    flags = 0 if frequency is None else _FREQUENCY
    return perf_event_open(
        perf_attributes(_SOFTWARE, _CPU_CLOCK, period=frequency or period or 0, flags=flags), cpu=cpu
    )


def _open_probe(device: str, name: bytes, offset: int, *, retprobe: bool, semaphore: int = 0) -> int:
    number = device_type(device)
    if number is None:
        raise OSError(errno.ENODEV, f"the kernel has no {device}s")
    text = ctypes.create_string_buffer(name)
    config = semaphore << 32 | (1 << _retprobe_bit(device) if retprobe else 0)
    return _open_everywhere(perf_attributes(number, config, config1=ctypes.addressof(text), config2=offset))


def _retprobe_bit(device: str) -> int:
    text = (DEVICES / device / "format/retprobe").read_text()
    return int(text.partition(":")[2])


def _open_everywhere(attributes: bytes) -> int:
    # Programs on these events run on every CPU; the one named only says where the event itself counts.
    return perf_event_open(attributes, cpu=online_cpus()[0])


def link(program: int, event: int, cookie: int = 0) -> int:
    """Put a program on a perf event; both live until the descriptor returned is closed.

    That is a BPF link (since Linux kernel commit b89fbfbb854c ("bpf: Implement minimal BPF perf link") in
    v5.15) or, where the kernel has none of this kind, the event itself.  ``event`` is used up: the
    caller must not close it, neither after success nor after a failure.
    """
    try:
        try:
            made = link_create(program, event, _BPF_PERF_EVENT, struct.pack("<Q", cookie))
        except OSError as error:
            if error.errno != errno.EINVAL or cookie:
                raise
            _ioctl(event, _IOC_SET_BPF, program)
            made = os.dup(event)
        try:
            _ioctl(event, _IOC_ENABLE, 0)
        except OSError:
            os.close(made)
            raise
        return made
    finally:
        os.close(event)


def link_create(program: int, target: int, attach_type: int, rest: bytes = b"", flags: int = 0) -> int:
    """BPF_LINK_CREATE; ``rest`` is the part of ``union bpf_attr`` that depends on ``attach_type``."""
    return bpf(BpfCommand.LINK_CREATE, struct.pack("<IIII", program, target, attach_type, flags) + rest)


def raw_tracepoint_open(program: int, name: str = "") -> int:
    """Attach a raw tracepoint program by ``name``; tp_btf, fentry, fexit and lsm were named at load."""
    text = ctypes.create_string_buffer(name.encode())
    pointer = ctypes.addressof(text) if name else 0
    return bpf(BpfCommand.RAW_TRACEPOINT_OPEN, struct.pack("<QII", pointer, program, 0))


def sample(program: int, *, frequency: int | None, period: int | None) -> list[int]:
    """Run a program by the clock on every CPU that is online."""
    fds: list[int] = []
    for cpu in online_cpus():
        try:
            fds.append(link(program, open_sampling(cpu, frequency=frequency, period=period)))
        except OSError as error:
            # A CPU may go offline between the listing and here.
            if error.errno == errno.ENODEV:
                continue
            close_quietly(fds)
            raise
    return fds


def xdp(program: int, interface: int) -> int:
    """Let a program see the packets that arrive at an interface.

    The driver runs it, or the kernel does for drivers that cannot, or will not as the interface is set up.

    Parameters
    ----------
    program : int
    interface : int
        The interface's number.
    """
    try:
        return link_create(program, interface, _BPF_XDP)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ERANGE, errno.ENOMEM):
            raise
    return link_create(program, interface, _BPF_XDP, flags=_XDP_GENERIC)


def close_quietly(fds: list[int]) -> None:
    """Close and forget descriptors on the way out of a failure, whose own error must not be hidden."""
    while fds:
        with suppress(OSError):
            os.close(fds.pop())


def _ioctl(fd: int, request: int, argument: int) -> None:
    # fcntl exists on Unix only, and this module must be importable elsewhere.
    import fcntl

    fcntl.ioctl(fd, request, argument)
