"""``vmlinux.h``: every type of the running kernel as C, written by libbpf from the kernel's BTF."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from pathlib import Path

from ebpf_lab.backends import cache, libbpf_api
from ebpf_lab.errors import MissingFeature
from ebpf_lab.progress import step

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")

# The same guards and pragma as in bpftool's output, so that texts written for that behave the same: each
# access to a kernel struct becomes a CO-RE relocation.
_HEAD = b"""#ifndef __VMLINUX_H__
#define __VMLINUX_H__
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif
"""
_TAIL = b"""
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif
#endif
"""


@functools.cache
def identity() -> str:
    """A digest of the kernel's BTF: two kernels with the same one have the same types.

    Raises
    ------
    MissingFeature
        The kernel has no BTF.
    """
    try:
        return cache.digest(KERNEL_BTF.read_bytes())
    except FileNotFoundError:
        raise MissingFeature(
            f"the libbpf dialect needs the kernel's BTF, and {KERNEL_BTF} does not exist",
            why="this kernel was built without CONFIG_DEBUG_INFO_BTF",
            hint='a program that includes <linux/bpf.h> in place of "vmlinux.h" needs no BTF;'
            " the bcc dialect needs kernel headers instead",
        ) from None


def header_directory() -> Path:
    """The directory that holds this kernel's ``vmlinux.h``, made by the first call.

    Notes
    -----
    Types come from ``/sys/kernel/btf/vmlinux``; those of modules are not in it.
    """
    # Another libbpf may write the same types as other text.
    with libbpf_api.exclusive:
        return cache.entry("vmlinux", cache.digest(identity(), libbpf_api.version(), _HEAD, _TAIL), _write)


def _write(directory: Path) -> None:
    step("writing vmlinux.h, every type of this kernel: once for each kernel")
    library = libbpf_api.library()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fopen.restype = ctypes.c_void_p
    path = directory / "vmlinux.h"
    stream = ctypes.c_void_p(libc.fopen(bytes(path), b"w"))
    if not stream:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    btf = library.btf__parse(bytes(KERNEL_BTF), None)
    # libbpf asks for a callback void (*)(void *ctx, const char *format, va_list): vfprintf is one.
    write = ctypes.cast(libc.vfprintf, ctypes.c_void_p)
    dump = library.btf_dump__new(btf, write, stream, None) if btf else None
    try:
        libc.fputs(_HEAD, stream)
        failed = dump is None or any(
            library.btf_dump__dump_type(dump, number) for number in range(1, library.btf__type_cnt(btf))
        )
        libc.fputs(_TAIL, stream)
    finally:
        library.btf_dump__free(dump)
        library.btf__free(btf)
        unwritten = libc.ferror(stream) | libc.fclose(stream)
    if failed:
        raise MissingFeature(
            "vmlinux.h cannot be made from the kernel's BTF",
            why=f"libbpf {libbpf_api.version()} does not understand it: it may be older than the kernel",
            log=libbpf_api.messages(),
        )
    if unwritten:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
