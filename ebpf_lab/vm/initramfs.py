"""The guest's first file system: busybox, a few kernel modules and ``guest_init.sh``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import unpack

# 9p over virtio brings the host's files, overlayfs makes them writable.  Pairs of interfaces and disks in
# files are there to be traced, and nothing in the guest would load them later.  What a kernel has built in
# has no file and is passed over.
_NEEDED = ("virtio_pci", "9p", "9pnet_virtio", "overlay", "veth", "loop")

_DIRECTORY = 0o040755
_PROGRAM = 0o100755
_FILE = 0o100644


def build(modules: Path) -> bytes:
    """Make the archive that the kernel unpacks at boot.

    Parameters
    ----------
    modules : Path
        The kernel's ``/usr/lib/modules/RELEASE``.

    Returns
    -------
    bytes
        A cpio archive, uncompressed: unpacking it would cost the emulated guest more than reading it.
    """
    busybox = shutil.which("busybox")
    if busybox is None:
        raise VirtualMachineError("busybox is not installed", hint="apt-get install busybox-static")
    program = Path(busybox).read_bytes()
    if b"/ld-" in program[:4096]:
        raise VirtualMachineError(
            f"{busybox} is dynamically linked, and the guest starts with no libraries",
            hint="apt-get install busybox-static",
        )
    init = resources.files("ebpf_lab.vm").joinpath("guest_init.sh").read_bytes()
    entries: list[tuple[str, int, bytes]] = [
        ("bin", _DIRECTORY, b""),
        ("bin/busybox", _PROGRAM, program),
        ("init", _PROGRAM, init),
        ("modules", _DIRECTORY, b""),
    ]
    for number, content in enumerate(_in_order(modules)):
        entries.append((f"modules/{number:02}.ko", _FILE, content))
    return archive(entries)


def _in_order(modules: Path) -> Iterable[bytes]:
    # Which of netfs and fscache needs the other changed between kernels, so the modules are asked.
    files = {path.name.split(".")[0].replace("-", "_"): path for path in modules.rglob("*.ko*")}
    loaded: dict[str, bytes] = {}

    def load(name: str) -> None:
        if name in loaded or name not in files:
            return
        content = unpack.module(files[name])
        for dependency in dependencies(content):
            load(dependency)
        loaded[name] = content

    for name in _NEEDED:
        load(name)
    return loaded.values()


def dependencies(module: bytes) -> list[str]:
    """Names of the modules that a module needs, from its ``.modinfo``."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def archive(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Pack (path, mode, content) triples as a "newc" cpio archive (Linux's driver-api/early-userspace)."""
    parts: list[bytes] = []
    for inode, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        name = path.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, four device numbers, length of the name, checksum
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        parts += [_padded(header + name), _padded(content)]
    return b"".join(parts)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
