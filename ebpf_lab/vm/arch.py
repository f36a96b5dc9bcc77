"""What differs between the processor architectures a guest can have."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from ebpf_lab.errors import VirtualMachineError


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of the table of architectures.

    Attributes
    ----------
    machine : str
        The kernel's name for it, as ``uname -m`` prints it.
    debian : str
        Debian's name for it, which is also the name of the generic kernel flavour.  The cloud flavour
        lacks 9p, over which the guest sees the host's files.
    qemu : str
        QEMU's program.
    package : str
        The Debian and Ubuntu package that has this program.
    options : tuple of str
        QEMU's machine type and processor.
    virtualised : tuple of str
        What is added to the options where the host's own processor runs the guest.
    console : str
        The kernel's name for QEMU's first serial port.
    """

    machine: str
    debian: str
    qemu: str
    package: str
    options: tuple[str, ...]
    virtualised: tuple[str, ...]
    console: str


ARCHITECTURES = (
    # An old processor model: fewer features to emulate, and no mitigations to pay for. With rdrand the kernel
    # has random numbers at once; without, the first to ask for some waits seconds.
    Architecture(
        "x86_64",
        "amd64",
        "qemu-system-x86_64",
        "qemu-system-x86",
        ("-machine", "q35,usb=off,vmport=off", "-cpu", "Nehalem-v1,+rdrand"),
        ("-accel", "kvm", "-cpu", "host"),
        "ttyS0",
    ),
    Architecture(
        "aarch64",
        "arm64",
        "qemu-system-aarch64",
        "qemu-system-arm",
        ("-machine", "virt", "-cpu", "cortex-a72"),
        ("-accel", "kvm", "-cpu", "host", "-machine", "gic-version=max"),
        "ttyAMA0",
    ),
)


def architecture(machine: str | None = None) -> Architecture:
    """Look up an architecture by the kernel's name for it; this machine's unless named.

    Raises
    ------
    VirtualMachineError
        When the table has no such architecture.
    """
    wanted = machine or platform.machine()
    for row in ARCHITECTURES:
        if row.machine == wanted:
            return row
    known = ", ".join(row.machine for row in ARCHITECTURES)
    raise VirtualMachineError(f"no virtual machine is described for {wanted!r}", why=f"known are {known}")
