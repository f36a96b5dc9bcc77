"""What there is to say of this machine besides the features of its kernel: what it runs, and what is missing.

Each function returns a remark, or raises :class:`~ebpf_lab.host.answers.Lacking`.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ebpf_lab.host import kernel, privileges, tool_probes
from ebpf_lab.host.answers import Answer, Feature, Lacking
from ebpf_lab.source.words import listing

_OLDEST = (5, 8)
_LEAST_SPACE = 1 << 30
"""Bytes: what is compiled once is kept, and a kernel for ``./lab vm`` takes half of it."""
_PARANOID, _RESTRICTED = 2, 1
_FRONT_ENDS = ("jupyterlab", "notebook")
_INSTALL = {
    "x86_64": "sudo apt install linux-headers-amd64",
    "aarch64": "sudo apt install linux-headers-arm64",
}


def kernel_release() -> str:
    """A Linux that is new enough.

    Ring buffers and CAP_BPF came with Linux kernel commits 457f44363a88 and a17b53c4a4b5 (in v5.8).
    """
    release = kernel.release()
    if kernel.version(release) < _OLDEST:
        raise Lacking(
            f"Linux {release} is older than 5.8, which brought ring buffers",
            "take a newer distribution, or ./lab vm -- COMMAND",
        )
    return f"Linux {release}"


def headers_fit() -> str:
    """Headers of the kernel that runs, not of another."""
    release = kernel.release()
    exact = f"sudo apt install linux-headers-{release}"
    found = kernel.headers()
    if found is None:
        raise Lacking(f"there are none of Linux {release}", exact)
    if found.foreign:
        newest = _INSTALL.get(kernel.architecture(), "")
        raise Lacking(
            f"those here are of Linux {found.release or '?'}: kernel structs may be laid out otherwise",
            f"{exact}; where apt has none, {newest} and a restart with that kernel",
        )
    return ""


def bcc_fits() -> str:
    """A bcc that can read the headers that it would take."""
    package = tool_probes.bcc_package()
    version = tool_probes.bcc_version(package) if package else ""
    if not version:
        raise Lacking("bcc is not installed", "sudo apt install python3-bpfcc")
    headers = kernel.headers()
    release = headers.release if headers and headers.release else kernel.release()
    floor = tool_probes.bcc_floor(release)
    if floor and tool_probes.version_parts(version) < tool_probes.version_parts(floor):
        raise Lacking(
            f"bcc {version} is too old for some headers of Linux {release}, which take {floor}",
            "write the libbpf dialect, which needs no headers, or take the distribution's own kernel",
        )
    return f"bcc {version}"


def capabilities() -> str:
    """Each capability that ``lima/ebpf-lab.service`` gives."""
    have = privileges.current()
    if not have.initial_namespace:
        refusal = privileges.judge(privileges.TRACING, have)
        raise Lacking(refusal.why, refusal.hint)
    if missing := have.missing(privileges.ALL):
        raise Lacking(
            f"this process lacks {listing(missing)}",
            "./lab start and ./lab shell give them to what they run",
        )
    return ""


def sysctls() -> str:
    """Switches of the kernel that keep out those who have the capabilities."""
    have = privileges.current()
    paranoid, restricted = have.perf_event_paranoid, have.kptr_restrict
    # Debian and Ubuntu added the levels above 2, which only CAP_SYS_ADMIN passes.
    if paranoid is not None and paranoid > _PARANOID and not have.has("CAP_SYS_ADMIN"):
        raise Lacking(
            f"kernel.perf_event_paranoid is {paranoid}, which keeps out CAP_PERFMON",
            f"sudo sysctl kernel.perf_event_paranoid={_PARANOID}",
        )
    if restricted is not None and restricted > _RESTRICTED:
        raise Lacking(
            f"kernel.kptr_restrict is {restricted}: functions of the kernel have no names in call chains",
            f"sudo sysctl kernel.kptr_restrict={_RESTRICTED}",
        )
    return ""


def lockdown() -> str:
    """No lockdown that hides the kernel's memory: "confidentiality" does, "integrity" does not."""
    state = privileges.current().lockdown
    if state == "confidentiality":
        raise Lacking(
            "the kernel is locked down (confidentiality), and lets nobody read its memory",
            "use a virtual machine (./lab vm), or turn off Secure Boot",
        )
    return state


def disk() -> str:
    """Room for what is compiled and fetched once."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    directory = Path(base) if base.startswith("/") else Path.home() / ".cache"
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    if free < _LEAST_SPACE:
        raise Lacking(
            f"{free >> 20} MiB are free in {directory}; the lab keeps up to {_LEAST_SPACE >> 20} MiB there",
            "make room (sudo apt clean, for one), or set XDG_CACHE_HOME to another disk's directory",
        )
    return f"{free >> 30:,} GiB free"


def jupyter() -> str:
    """Something to open notebooks with."""
    for name in _FRONT_ENDS:
        with suppress(importlib.metadata.PackageNotFoundError):
            # What a broken installation left behind has no version.
            if version := importlib.metadata.version(name):
                return f"{name} {version}"
    if "ipykernel" in sys.modules:
        return "this is a notebook"
    raise Lacking("JupyterLab is not installed in this Python", "./lab start, or: pip install jupyterlab")


CHECKS: dict[str, Callable[[], str]] = {
    "kernel": kernel_release,
    "headers_fit": headers_fit,
    "bcc_fits": bcc_fits,
    "capabilities": capabilities,
    "sysctls": sysctls,
    "lockdown": lockdown,
    "disk": disk,
    "jupyter": jupyter,
}
"""By name, in the order in which they are reported."""


def check(name: str) -> Feature:
    """Make one of :data:`CHECKS`."""
    if not sys.platform.startswith("linux"):
        return Feature(name, Answer.NO, f"BPF exists on Linux only, and this is {sys.platform}")
    try:
        return Feature(name, Answer.YES, CHECKS[name]())
    except Lacking as lacking:
        return Feature(name, Answer.NO, lacking.reason, lacking.remedy)
    except OSError as error:
        return Feature(name, Answer.UNKNOWN, f"trying it failed: {error}")
