"""QEMU's command line, and the directories of machines that run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm.arch import Architecture

_PREFIX = "ebpf-lab-vm-"
_PASSED_VARIABLES = {
    "COLUMNS", "HOME", "LANG", "LINES", "LOGNAME", "PATH", "SHELL", "TERM", "TZ", "USER", "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
}  # fmt: skip
_PASSED_PREFIXES = ("EBPF_LAB_", "LC_", "PYTHON", "PYTEST_")

EMULATED = ("-accel", "tcg,thread=single")
"""One thread for all processors: with one each, QEMU before 8.1 may run a stale translation of code that
another processor has just patched, and setting a kprobe ends in "Oops: int3"."""

ENDS_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
"""QEMU gets SIGKILL from the kernel when the thread that started it ends, however it ends."""


def program(arch: Architecture) -> str:
    """The path of QEMU's program.

    Raises
    ------
    VirtualMachineError
        When it is not installed.
    """
    found = shutil.which(arch.qemu)
    if found is None:
        raise VirtualMachineError(f"{arch.qemu} is not installed", hint=f"apt-get install {arch.package}")
    return found


def bare() -> list[str]:
    """Options for a machine without any of QEMU's default devices."""
    return ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]


def arguments(arch: Architecture) -> str:
    """The guest kernel's own command line."""
    return f"console={arch.console} quiet panic=-1 mitigations=off"


def share(tag: str, path: str | os.PathLike[str], *options: str, owners: str = "none") -> list[str]:
    """Options that share a directory with the guest over 9p.

    What the guest's users write belongs to the user who runs QEMU; with "mapped-file" as `owners`, files next
    to it remember for the guest whose it is in there.
    """
    # multidevs=remap: inode numbers stay unique although the host's tree spans several file systems.
    backend = ["local", f"id={tag}", f"path={quoted(path)}", f"security_model={owners}", "multidevs=remap"]
    device = f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"
    return ["-fsdev", ",".join([*backend, *options]), "-device", device]


def quoted(path: str | os.PathLike[str]) -> str:
    """A path in QEMU's lists of options, where a comma is written twice."""
    return os.fspath(path).replace(",", ",,")


def environment(added: Mapping[str, str] | None) -> dict[str, str]:
    """The variables that pass from this process to the guest's, and those added."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_VARIABLES or name.startswith(_PASSED_PREFIXES)
    }
    return passed | dict(added or {})


@contextmanager
def directory() -> Iterator[Path]:
    """A directory for one machine that runs, gone at its end."""
    # Left by processes that were killed, in which case nothing of theirs could clean up.
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = path.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as name:
        yield Path(name)


def said(place: Path) -> str:
    """What QEMU (file ``qemu``) and the guest's console (``console``) said, in a machine's directory."""
    parts = [place / "qemu", place / "console"]
    return "".join(part.read_text(errors="replace") for part in parts if part.exists())
