"""The guest's first file system: busybox, a few kernel modules, the first process's script, other files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import unpack

# 9p over virtio brings the host's files, overlayfs makes them writable; virtio_net reaches a Jupyter kernel.
# Pairs of interfaces and disks in files are there to be traced, and nothing in the guest would load them
# later.  What a kernel has built in has no file and is passed over.
_NEEDED = ("virtio_pci", "9p", "9pnet_virtio", "overlay", "virtio_net", "veth", "loop")

DIRECTORY = 0o040755
PROGRAM = 0o100755
FILE = 0o100644
LINK = 0o120777


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, directory or link of the archive.

    Attributes
    ----------
    path : str
        Where, relative to the root.
    mode : int
        Kind and permissions, as in ``st_mode``.
    content : bytes
        A file's content, or a link's target.
    modified : int
        Seconds since 1970.
    """

    path: str
    mode: int
    content: bytes = b""
    modified: int = 0


def build(modules: Path, init: str, more: Iterable[Entry] = (), root: Path = Path("/")) -> bytes:
    """Make the archive that the kernel unpacks at boot.

    Parameters
    ----------
    modules : Path
        The kernel's ``/usr/lib/modules/RELEASE``.
    init : str
        The first process's script, a file of this package.
    more : iterable of Entry
        What else is to be there; what is there already is passed over.
    root : Path
        The file system with the busybox to start with, which is of the guest's architecture.

    Returns
    -------
    bytes
        A cpio archive, uncompressed: unpacking it would cost the emulated guest more than reading it.
    """
    program = busybox(root).read_bytes()
    package = resources.files("ebpf_lab.vm")
    entries = [
        Entry("bin", DIRECTORY),
        Entry("bin/busybox", PROGRAM, program),
        Entry("init", PROGRAM, package.joinpath(init).read_bytes()),
        Entry("common", FILE, package.joinpath("guest_common.sh").read_bytes()),
        Entry("modules", DIRECTORY),
    ]
    for number, content in enumerate(_in_order(modules)):
        entries.append(Entry(f"modules/{number:02}.ko", FILE, content))
    there = {entry.path for entry in entries}
    return archive([*entries, *(entry for entry in more if entry.path not in there)])


def busybox(root: Path = Path("/")) -> Path:
    """The program that is the guest's first shell, of a root file system: this machine's unless told.

    Raises
    ------
    VirtualMachineError
        When it is not installed, or would need libraries.
    """
    # This machine's own may be anywhere on the PATH.
    found = shutil.which("busybox", path=None if root == Path("/") else f"{root}/usr/bin")
    if found is None:
        raise VirtualMachineError("busybox is not installed", hint="apt-get install busybox-static")
    with open(found, "rb") as file:
        if b"/ld-" in file.read(4096):
            raise VirtualMachineError(
                f"{found} is dynamically linked, and the guest starts with no libraries",
                hint="apt-get install busybox-static",
            )
    return Path(found)


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


def archive(entries: Iterable[Entry]) -> bytes:
    """Pack entries as a "newc" cpio archive (Linux's driver-api/early-userspace)."""
    parts: list[bytes] = []
    for inode, entry in enumerate([*entries, Entry("TRAILER!!!", 0)], start=1):
        name = entry.path.encode() + b"\0"
        size = len(entry.content)
        # inode, mode, uid, gid, links, mtime, size, four device numbers, length of the name, checksum
        fields = (inode, entry.mode, 0, 0, 1, entry.modified, size, 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        parts += [_padded(header + name), _padded(entry.content)]
    return b"".join(parts)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
