"""Files out of Debian packages and out of compressed kernels."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ebpf_lab.errors import VirtualMachineError


def unpack_deb(package: Path, directory: Path, wanted: Callable[[PurePosixPath], bool]) -> None:
    """Put those files of a package under `directory` whose path `wanted` accepts.

    What older packages have in ``/lib`` goes to ``/usr/lib``: over a merged-/usr host, a directory ``/lib``
    would hide the host's link of that name and with it the dynamic loader.
    """
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as source:
        assert source.stdout is not None
        assert source.stderr is not None
        try:
            with tarfile.open(fileobj=source.stdout, mode="r|") as archive:
                for member in archive:
                    path = PurePosixPath(os.path.normpath(member.name))
                    if path.is_absolute() or ".." in path.parts:
                        raise VirtualMachineError(f"{package.name} has a file outside its own tree: {path}")
                    if path.parts[:1] == ("lib",):
                        path = "usr" / path
                    if not member.isdir() and wanted(path):
                        _place(archive, member, directory / path)
            problem = ""
        except tarfile.ReadError as error:
            problem = str(error)
        log = source.stderr.read().decode(errors="replace")
    if problem or source.returncode:
        raise VirtualMachineError(
            f"{package.name} is damaged", hint="run it again: it is fetched anew", log=log
        )


def _place(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        target.symlink_to(member.linkname)
        return
    content = archive.extractfile(member)
    if content is None:
        raise VirtualMachineError(f"{member.name} is of a kind that kernel packages do not have")
    with target.open("wb") as output:
        shutil.copyfileobj(content, output)
    target.chmod(member.mode & 0o755 | 0o444)


def vmlinux(vmlinuz: bytes) -> bytes:
    """The ELF image inside an x86 bzImage.

    QEMU starts it directly (by the PVH entry), which saves the guest the slow emulated unpacking.

    Notes
    -----
    The header's fields are in Linux's Documentation/arch/x86/boot.rst; payload_offset and payload_length
    since boot protocol 2.08.
    """
    sectors = vmlinuz[0x1F1] or 4
    offset, length = struct.unpack_from("<II", vmlinuz, 0x248)
    start = (sectors + 1) * 512 + offset
    # The last four bytes are the unpacked size, which the build appends to the compressed stream.
    payload, (size,) = (
        vmlinuz[start : start + length - 4],
        struct.unpack_from("<I", vmlinuz, start + length - 4),
    )
    if payload.startswith(b"\x1f\x8b"):
        image = gzip.decompress(payload)
    elif payload.startswith(b"\xfd7zXZ"):
        image = lzma.decompress(payload)
    elif payload.startswith(b"(\xb5/\xfd"):
        image = _zstd(payload)
    else:
        raise VirtualMachineError(
            f"the kernel is compressed in an unknown way (it begins {payload[:6].hex()})"
        )
    if len(image) != size or not image.startswith(b"\x7fELF"):
        raise VirtualMachineError("the unpacked kernel is damaged")
    return image


def _zstd(payload: bytes) -> bytes:
    try:
        done = subprocess.run(["zstd", "-dcq"], input=payload, capture_output=True, check=False)
    except FileNotFoundError:
        raise VirtualMachineError("zstd is not installed", hint="apt-get install zstd") from None
    if done.returncode:
        raise VirtualMachineError("the kernel does not unpack", log=done.stderr.decode(errors="replace"))
    return done.stdout


def module(path: Path) -> bytes:
    """A kernel module's ELF bytes, unpacked if the file is compressed."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    return _zstd(data) if path.suffix == ".zst" else data
