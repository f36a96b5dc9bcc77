"""What a virtual machine needs of this one."""

from __future__ import annotations

import shutil

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import initramfs, packages, qemu
from ebpf_lab.vm.arch import architecture
from ebpf_lab.vm.image import is_cached


def missing(kernel: str) -> VirtualMachineError | None:
    """Why no virtual machine with a kernel can start here; None when one can.

    The network is not tried: a kernel that is not in the cache yet may still turn out not to be had.
    """
    try:
        arch = architecture()
        qemu.program(arch)
        initramfs.busybox()
        if not is_cached(kernel, arch):
            for program in ("apt-get", "dpkg-deb"):
                if shutil.which(program) is None:
                    return VirtualMachineError(f"{program} is not installed", why="kernels come as packages")
            packages.keyring()
            packages.mirror()
    except VirtualMachineError as error:
        return error
    return None
