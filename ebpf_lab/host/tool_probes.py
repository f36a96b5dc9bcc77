"""Finds out which tools are installed: bcc, libbpf, clang, the kernel's headers, and what examples work on.

Each function returns a remark, or raises :class:`~ebpf_lab.host.answers.Lacking`.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from pathlib import Path

from ebpf_lab.errors import AttachError
from ebpf_lab.host import kernel, libraries
from ebpf_lab.host.answers import Lacking

_PACKAGES = Path("/usr/lib")
_CLANG_SECONDS = 30
_LOOP_CONTROL = "/dev/loop-control"
_FLOORS = (
    # From these kernels' headers on, at least this bcc: older ones cannot parse them (bcc issues 5231,
    # 5388, 5444, 5451, 5501 and 5525).
    ((6, 19), (0, 37, 0)),
    ((6, 18), (0, 36, 1)),
    ((6, 15), (0, 35, 0)),
    ((6, 10), (0, 31, 0)),
)


def bcc_package(root: Path = _PACKAGES) -> Path | None:
    """The directory of the ``bcc`` Python package that belongs to ``libbcc``, None when there is none.

    The package of that name in Python's index is another one, and has no ``libbcc.py``.
    """
    for pattern in ("python3/dist-packages/bcc", "python3*/site-packages/bcc", "python3*/dist-packages/bcc"):
        for place in sorted(root.glob(pattern), reverse=True):
            if (place / "libbcc.py").exists():
                return place
    return None


def bcc_version(package: Path) -> str:
    """The package's version, "" when it does not say."""
    try:
        match = re.search(r"__version__ = ['\"]([^'\"]+)", (package / "version.py").read_text())
    except OSError:
        return ""
    return match[1] if match else ""


def bcc_floor(release: str) -> str:
    """The oldest bcc that can read the headers of a kernel release, "" for any.

    Examples
    --------
    >>> bcc_floor("6.12.9-amd64"), bcc_floor("6.1.0-56-amd64")
    ('0.31.0', '')
    """
    for first, floor in _FLOORS:
        if kernel.version(release) >= first:
            return ".".join(str(number) for number in floor)
    return ""


def bcc() -> str:
    """bcc's Python package and library."""
    install = "sudo apt install python3-bpfcc"
    package = bcc_package()
    if package is None:
        raise Lacking("the Python package bcc (python3-bpfcc) is not installed", install)
    try:
        libraries.find("libbcc.so.0")
    except AttachError:
        raise Lacking("the library libbcc.so.0 is not installed", install) from None
    version = bcc_version(package)
    headers = kernel.headers()
    release = headers.release if headers and headers.release else kernel.release()
    floor = bcc_floor(release)
    if floor and version and version_parts(version) < version_parts(floor):
        # Not a "no": 0.26 compiles on 7.2 what includes none of the headers that reach linux/bpf.h.
        return f"bcc {version}, too old for some headers of Linux {release}, which take {floor}"
    return f"bcc {version}" if version else ""


def libbpf() -> str:
    """libbpf's library, with the interface that stays since its version 1.0."""
    try:
        path = libraries.find("libbpf.so.1")
    except AttachError:
        raise Lacking(
            "the library libbpf.so.1 is not installed", "sudo apt install libbpf1 libbpf-dev"
        ) from None
    version = Path(path).name.partition(".so.")[2]
    return f"libbpf {version}"


def clang() -> str:
    """clang, by compiling for BPF."""
    install = "sudo apt install clang"
    command = _find_clang()
    if command is None:
        raise Lacking("clang is not installed", install)
    try:
        done = subprocess.run(
            [command, "-target", "bpf", "-c", "-x", "c", "-o", "/dev/null", "-"],
            input="int answer(void) { return 42; }\n",
            capture_output=True,
            text=True,
            timeout=_CLANG_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Lacking(f"{command} does not run: {error}", install) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Lacking(f"{command} does not compile for BPF: {lines[0]}", install)
    return command


def _find_clang() -> str | None:
    """``clang`` on PATH, else the newest ``clang-N``."""
    numbered = (f"clang-{version}" for version in range(30, 9, -1))
    return next((path for name in ("clang", *numbered) if (path := shutil.which(name))), None)


def headers() -> str:
    """Headers of the running kernel, where compilers look for them."""
    found = kernel.headers()
    release = kernel.release()
    if found is None:
        raise Lacking(
            f"/lib/modules/{release}/build holds no kernel headers",
            f"sudo apt install linux-headers-{release} (the libbpf dialect needs none)",
        )
    if found.foreign and found.release:
        return f"of Linux {found.release}: structures may differ from the running kernel's"
    return ""


def architecture() -> str:
    """An architecture that the lab knows."""
    machine = kernel.architecture()
    if machine not in kernel.SUPPORTED:
        raise Lacking(f"this machine is {machine}", f"the lab works on {' and '.join(kernel.SUPPORTED)}")
    return machine


def veth() -> str:
    """A pair of virtual network interfaces, made in a network namespace that ends with the attempt."""
    if shutil.which("ip") is None:
        raise Lacking("the program ip is not installed", "sudo apt install iproute2")
    command = ["unshare", "--net", "ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1"]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C"},
        check=False,
    )
    if "not permitted" in done.stderr:
        raise PermissionError(errno.EPERM, done.stderr.strip())
    if done.returncode:
        raise Lacking(f"ip could not make one: {done.stderr.strip()}", "sudo modprobe veth")
    return ""


def loop() -> str:
    """The kernel's disks that are kept in files, and the program that sets them up."""
    if shutil.which("losetup") is None:
        raise Lacking("the program losetup is not installed", "sudo apt install mount")
    try:
        os.close(os.open(_LOOP_CONTROL, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        raise Lacking(f"there is no {_LOOP_CONTROL}", "sudo modprobe loop") from None
    return ""


def version_parts(version: str) -> list[int]:
    """A version as numbers, to compare it by.

    Examples
    --------
    >>> version_parts("0.26.0") < version_parts("0.31.0")
    True
    """
    return [int(number) for number in re.findall(r"\d+", version)]
