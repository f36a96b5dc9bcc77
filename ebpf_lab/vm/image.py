"""A Debian kernel made ready to boot: unpacked once, then kept in the user's cache."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import unpack
from ebpf_lab.vm.alone import alone
from ebpf_lab.vm.arch import Architecture
from ebpf_lab.vm.packages import Progress, Suite

# Kernel series and the Debian suite whose archive has it.
KERNELS = {"6.1": "bookworm", "6.12": "trixie", "7.2": "trixie-backports"}

# Part of the cache's path: raise it when what is unpacked, or where to, changes.
_LAYOUT = "4"


_DRIVERS = (
    *("drivers/virtio/", "net/9p/", "fs/9p/", "fs/netfs/", "fs/fscache/", "fs/overlayfs/"),
    *("drivers/net/veth.ko", "drivers/block/loop.ko"),
    *("drivers/net/virtio_net.ko", "drivers/net/net_failover.ko", "net/core/failover.ko"),
    *("net/sched/sch_ingress.ko", "net/sched/cls_bpf.ko"),  # tc
)


@dataclass(frozen=True, slots=True)
class Image:
    """A kernel in the cache.

    Attributes
    ----------
    release : str
        What ``uname -r`` prints in the guest.
    kernel : Path
        The file that QEMU boots.
    tree : Path
        Files laid over the host's: the kernel's modules, configuration and, if Debian has them, headers.
    """

    release: str
    kernel: Path
    tree: Path

    @property
    def modules(self) -> Path:
        """The kernel's module directory."""
        return self.tree / "usr/lib/modules" / self.release


def image(kernel: str, arch: Architecture, progress: Progress) -> Image:
    """Find a kernel in the cache, or fetch and unpack it.

    Parameters
    ----------
    kernel : str
        One of :data:`KERNELS`.
    arch : Architecture
        The guest's architecture.
    progress : callable
        Told in a line, now and then, what a long step is doing.

    Raises
    ------
    VirtualMachineError
        When the kernel is unknown, or cannot be fetched or unpacked.
    """
    if kernel not in KERNELS:
        raise VirtualMachineError(f"no kernel {kernel!r}", why=f"known are {', '.join(KERNELS)}")
    directory = _directory(kernel, arch)
    directory.parent.mkdir(parents=True, exist_ok=True)
    if not directory.exists():
        with alone(directory.with_name(f"{kernel}.lock"), progress, "fetching this kernel"):
            if not directory.exists():
                _make(kernel, arch, directory, progress)
    return Image((directory / "release").read_text(), directory / "kernel", directory / "tree")


def is_cached(kernel: str, arch: Architecture) -> bool:
    """Whether a kernel needs not be fetched."""
    return _directory(kernel, arch).exists()


def _directory(kernel: str, arch: Architecture) -> Path:
    return cache() / _LAYOUT / arch.debian / kernel


def cache() -> Path:
    """The directory of the cache: ``$XDG_CACHE_HOME/ebpf-lab/vm``, or the same under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "ebpf-lab" / "vm"


def _make(kernel: str, arch: Architecture, directory: Path, progress: Progress) -> None:
    # What an interrupted run left is thrown away; only a whole image gets the final name.
    work = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    suite = Suite(KERNELS[kernel], arch.debian, work / "apt")
    progress(f"kernel {kernel}: looking it up in Debian {suite.name} ...")
    suite.update()
    names = suite.names("linux-")
    release = newest_release(kernel, arch.debian, names)
    packages = _packages(suite, release, names)
    downloads = suite.download(packages, progress)
    progress(f"unpacking kernel {release} ...")
    tree = work / "tree"
    for package in downloads:
        unpack.unpack_deb(package, tree, lambda path: _wanted(path, release))
    (work / "kernel").write_bytes(_bootable(tree, release, arch))
    (work / "release").write_text(release)
    shutil.rmtree(work / "apt")
    work.rename(directory)


def newest_release(kernel: str, flavour: str, names: Sequence[str]) -> str:
    """The newest release of a kernel series among package names.

    >>> newest_release("6.1", "amd64", ["linux-image-6.1.0-9-amd64", "linux-image-6.1.0-47-amd64",
    ...                                 "linux-image-6.12.107+deb13-amd64", "linux-image-6.1.0-50-rt-amd64"])
    '6.1.0-47-amd64'
    """
    # 7.2 and later have the kernel itself in linux-binary; linux-image only depends on it.  Words before
    # the flavour ("rt", "cloud") are other flavours.
    pattern = re.compile(rf"linux-(?:image|binary)-({re.escape(kernel)}\.[\d.]+(?:[+~-][\w.]*\d)?-{flavour})")
    releases = {match[1] for name in names if (match := pattern.fullmatch(name))}
    if not releases:
        raise VirtualMachineError(
            f"Debian's suites have no kernel {kernel} for {flavour} any more",
            why=f"it was in {KERNELS.get(kernel)}, where newer kernels replace older ones",
        )
    return max(releases, key=lambda release: [int(number) for number in re.findall(r"\d+", release)])


def _packages(suite: Suite, release: str, names: Sequence[str]) -> list[str]:
    parts = [f"linux-{part}-{release}" for part in ("image", "binary", "modules", "headers")]
    packages = [name for name in parts if name in names]
    # The suites drop a kernel's headers before the kernel.  The CO-RE dialect needs none.
    if parts[-1] in packages:
        depends = suite.fields(parts[-1]).get("Depends", "")
        packages += re.findall(r"linux-headers-\S+-common\b|linux-kbuild-[^\s,]+", depends)
    return packages


def _wanted(path: PurePosixPath, release: str) -> bool:
    text = str(path)
    modules = f"usr/lib/modules/{release}/"
    if text.startswith(f"{modules}kernel/"):
        # Only these drivers can matter in a machine without disks.
        return text.removeprefix(f"{modules}kernel/").startswith(_DRIVERS)
    return text.startswith(
        (modules, "usr/src/linux-headers-", "usr/lib/linux-kbuild-", "boot/vmlinuz-", "boot/config-")
    )


def _bootable(tree: Path, release: str, arch: Architecture) -> bytes:
    for place in (tree / "boot" / f"vmlinuz-{release}", tree / "usr/lib/modules" / release / "vmlinuz"):
        if place.exists():
            vmlinuz = place.read_bytes()
            place.unlink()
            return unpack.vmlinux(vmlinuz) if arch.machine == "x86_64" else vmlinuz
    raise VirtualMachineError(f"the packages of kernel {release} hold no kernel")
