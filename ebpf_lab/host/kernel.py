"""The running kernel: release, architecture, headers and configuration."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SUPPORTED = ("x86_64", "aarch64")
"""Architectures that the lab has system call numbers and argument conventions for."""


def release() -> str:
    """``uname -r``."""
    return platform.release()


def architecture() -> str:
    """``uname -m``: "x86_64" or "aarch64" where the lab works."""
    return platform.machine()


def version(text: str) -> tuple[int, int]:
    """Major and minor number at the start of a kernel release, (0, 0) where there are none.

    Examples
    --------
    >>> version("6.1.0-56-amd64")
    (6, 1)
    """
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


@dataclass(frozen=True, slots=True)
class Headers:
    """Kernel headers that a compiler can use: where they are, and which kernel's ("" when not said)."""

    path: Path
    release: str

    @property
    def foreign(self) -> bool:
        """They belong to another kernel than the running one, so that its structures may differ."""
        return self.release != release()


def headers(modules: Path = Path("/lib/modules")) -> Headers | None:
    """The headers under ``/lib/modules/$(uname -r)/build``, None when they are absent or incomplete.

    A distribution splits them: what is generated for one architecture is in ``build``, what all share may
    be in ``source``.  ``kconfig.h`` is included by every compilation, so that it stands for the shared part.
    """
    base = modules / release()
    build = base / "build"
    shared = any((base / tree / "include/linux/kconfig.h").exists() for tree in ("build", "source"))
    if not shared or not (build / "include/generated/autoconf.h").exists():
        return None
    return Headers(build, _headers_release(build))


def _headers_release(build: Path) -> str:
    try:
        text = (build / "include/generated/utsrelease.h").read_text()
    except OSError:
        return ""
    match = re.search(r'UTS_RELEASE "([^"]*)"', text)
    return match[1] if match else ""


@cache
def _config() -> str:
    """The kernel's configuration; empty where it is not published."""
    import gzip

    places = (Path("/proc/config.gz"), Path(f"/boot/config-{release()}"))
    for place in places:
        try:
            data = place.read_bytes()
        except OSError:
            continue
        return (gzip.decompress(data) if place.suffix == ".gz" else data).decode(errors="replace")
    return ""


def options() -> frozenset[str]:
    """The build options that the kernel's configuration speaks of, set or not ("CONFIG_KPROBES")."""
    return frozenset(re.findall(r"^(?:# )?(CONFIG_\w+)", _config(), re.MULTILINE))


def lacks(option: str) -> str:
    """The words "CONFIG_X is not set" when the kernel's configuration is published and says so, else ""."""
    text = _config()
    return f"{option} is not set" if text and not re.search(rf"^{option}=", text, re.MULTILINE) else ""
