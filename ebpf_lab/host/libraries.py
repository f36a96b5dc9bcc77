"""From "libc" or "bash" to the file: libraries by soname, programs by PATH."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from ebpf_lab.errors import AttachError
from ebpf_lab.host import kernel
from ebpf_lab.nearest import suggestion

CACHE = Path("/etc/ld.so.cache")
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<II20x")
_ENTRY = struct.Struct("<iIIIQ")
# FLAG_ELF_LIBC6 with the architecture's own bit (glibc, sysdeps/generic/ldconfig.h).
_FLAGS = {"x86_64": 0x0303, "aarch64": 0x0A03}
_TRIPLETS = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}
_STANDARD = (
    "/usr/local/lib/{}",
    "/usr/lib/{}",
    "/lib/{}",
    "/usr/local/lib",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/lib",
)


def find(name: str) -> str:
    """The real path of a library or program.

    Parameters
    ----------
    name : str
        A path, a soname with or without version ("libc", "libssl.so.3"), or a program on PATH.

    Raises
    ------
    AttachError
        There is none; the hint names libraries that are nearly called so.
    """
    if "/" in name:
        path = os.path.realpath(os.path.expanduser(name))
        if not os.path.isfile(path):
            raise AttachError(
                f"{name} does not exist" if not os.path.exists(path) else f"{name} is not a file",
                hint=_beside(name)
                or "paths start at the current directory; a library may be named without one, as libc",
            )
        return path
    installed = dict(libraries())
    for found in (_library(name, installed), shutil.which(name), _library(f"lib{name}", installed)):
        if found:
            return os.path.realpath(found)
    raise AttachError(
        f"no library or program is called {name!r}",
        why="it is neither in the loader's cache, nor in the standard library directories, nor on PATH",
        hint=suggestion(name, sorted({soname.partition(".so")[0] for soname in installed} | _programs()))
        or "give its path",
    )


def _beside(path: str) -> str:
    """The hint that names the files whose paths are nearly this one, "" for none."""
    directory, _, name = path.rpartition("/")
    with contextlib.suppress(OSError):
        return suggestion(
            name, sorted(os.listdir(os.path.expanduser(directory) or "/")), prefix=f"{directory}/"
        )
    return ""


def _programs() -> set[str]:
    """The programs on PATH, by name."""
    found: set[str] = set()
    for directory in os.get_exec_path():
        with contextlib.suppress(OSError):
            found.update(os.listdir(directory))
    return found


def libraries() -> Iterator[tuple[str, str]]:
    """(soname, path) of each library of this architecture that the loader finds, its own choice last."""
    directories = [part.format(_TRIPLETS.get(kernel.architecture(), "")) for part in reversed(_STANDARD)]
    yield from _in_directories(directories)
    try:
        data = CACHE.read_bytes()
    except OSError:
        return
    # Of several entries for one soname the loader takes the first.
    yield from reversed(list(parse_cache(data, kernel.architecture())))


def parse_cache(data: bytes, architecture: str) -> Iterator[tuple[str, str]]:
    """(soname, path) of the libraries for ``architecture`` in an ``ld.so.cache`` of glibc's new format.

    The file is binary so that the loader need not parse it; reading it here works also where ``ldconfig``,
    which prints it, is not on PATH (as for ordinary users on Debian).
    """
    start = data.find(_MAGIC)
    header = start + len(_MAGIC)
    if start < 0 or len(data) < header + _HEADER.size:
        return
    number, _ = _HEADER.unpack_from(data, header)
    entries = data[header + _HEADER.size :][: number * _ENTRY.size]
    for flags, key, value, _, _ in _ENTRY.iter_unpack(entries[: len(entries) // _ENTRY.size * _ENTRY.size]):
        if flags == _FLAGS.get(architecture):
            yield _string(data, start + key), _string(data, start + value)


def _in_directories(directories: Iterable[str]) -> Iterator[tuple[str, str]]:
    # Without a cache (an image never booted, musl) these are the loader's built-in places.
    for directory in directories:
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        for name in names:
            if ".so." in name or name.endswith(".so"):
                yield name, os.path.join(directory, name)


def _library(name: str, installed: dict[str, str]) -> str | None:
    if name in installed:
        return installed[name]
    stem = name + "." if ".so" in name else name + ".so."
    versions = [soname for soname in installed if soname.startswith(stem)]
    if versions:
        return installed[max(versions, key=_numbers)]
    return installed.get(name + ".so")


def _numbers(soname: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", soname.partition(".so")[2])]


def _string(data: bytes, start: int) -> str:
    return data[start : data.find(b"\0", start)].decode(errors="surrogateescape")
