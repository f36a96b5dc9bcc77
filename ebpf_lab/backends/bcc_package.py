"""What bcc needs on this machine: its Python package and the kernel's headers."""

from __future__ import annotations

import os
from pathlib import Path

from ebpf_lab.errors import MissingFeature
from ebpf_lab.host import kernel, tool_probes
from ebpf_lab.host.answers import Lacking

OVERRIDE = "EBPF_LAB_BCC"
"""Environment variable with the directory of the ``bcc`` package, where it is in an unusual place."""

_PACKED_HEADERS = Path("/sys/kernel/kheaders.tar.xz")  # libbcc unpacks them by itself


def find() -> Path:
    """The directory of the ``bcc`` package.

    Raises
    ------
    MissingFeature
    """
    named = os.environ.get(OVERRIDE)
    found = Path(named) if named else tool_probes.bcc_package()
    if found is None or not (found / "libbcc.py").exists():
        why = "the package of that name on Python's index is another one"
        if named:
            why = f"{OVERRIDE} says {named}, where there is none"
        raise MissingFeature(
            "the bcc dialect needs bcc, and its Python package is not installed",
            why=why,
            hint=f"{INSTALL}, or {OTHER_DIALECT}",
        )
    return found


def require_headers() -> None:
    """Make sure that bcc finds kernel headers: without, it prints to the screen and fails for other reasons.

    Raises
    ------
    MissingFeature
    """
    if "BCC_KERNEL_SOURCE" in os.environ or _PACKED_HEADERS.exists():
        return
    try:
        tool_probes.headers()
    except Lacking as lacking:
        raise MissingFeature(
            "the bcc dialect needs the kernel's headers", why=lacking.reason, hint=lacking.remedy
        ) from None


def unusable(reason: str) -> MissingFeature:
    """The error for a package that cannot be imported."""
    return MissingFeature("bcc's Python package cannot be imported", why=reason, hint=INSTALL)


def too_old(package: Path, complaint: str, log: str) -> MissingFeature:
    """The error for kernel headers that this bcc's compiler cannot read."""
    headers = kernel.headers()
    release = (headers.release if headers else "") or kernel.release()
    floor = tool_probes.bcc_floor(release)
    newer = f"bcc {floor} or later" if floor else "a newer bcc"
    return MissingFeature(
        f"bcc {tool_probes.bcc_version(package)} cannot read the headers of Linux {release}",
        why=complaint,
        hint=f"{OTHER_DIALECT}, include fewer headers, or install {newer}",
        log=log,
    )


INSTALL = "sudo apt install python3-bpfcc"
OTHER_DIALECT = 'use the libbpf dialect (SEC("…")), which needs neither bcc nor headers'
