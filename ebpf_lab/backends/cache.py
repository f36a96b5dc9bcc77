"""What earlier runs compiled, in ``~/.cache/ebpf-lab`` (``$XDG_CACHE_HOME`` is honoured).

Entries are named by a digest of everything they are made from, so that nothing ever has to be invalidated;
they appear whole or not at all, and each kind keeps only the entries used last.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from ebpf_lab.errors import MissingFeature

_KEPT = {"vmlinux": 4, "pch": 4, "objects": 500, "warnings": 500}


def digest(*parts: str | bytes) -> str:
    """A name for what ``parts`` produce; parts are told apart, so that ("ab", "c") is not ("a", "bc")."""
    sha = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        sha.update(len(data).to_bytes(8, "little") + data)
    return sha.hexdigest()


@functools.cache
def root() -> Path:
    """The cache directory; a temporary one for this process where none of ours can be had.

    A directory that belongs to somebody else, or that others may write, is not used: root, under ``sudo``,
    must not load objects that a user could have put there.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    directory = (Path(base) if base.startswith("/") else Path.home() / ".cache") / "ebpf-lab"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
        if status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            with tempfile.TemporaryFile(dir=directory):
                return directory
    except OSError:
        pass
    return Path(_temporary().name)


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    # Kept alive by the cache of this function; its finaliser removes the directory when Python ends.
    return tempfile.TemporaryDirectory(prefix="ebpf-lab-")


def entry(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """The directory ``kind/name``, filled by ``make`` when it is not there yet.

    Parameters
    ----------
    kind : str
        "vmlinux" or "pch".
    name : str
        A :func:`digest`.
    make : callable
        Fills the empty directory it is given; what it raises leaves nothing behind.

    Raises
    ------
    MissingFeature
        It cannot be written.
    """
    place = root() / kind / name
    if place.is_dir():
        _touch(place)
        return place
    try:
        _fill(place, make)
        _prune(place.parent, _KEPT[kind])
    except OSError as error:
        raise MissingFeature(
            f"cannot write to {root()}, where the lab keeps what it compiled",
            why=str(error),
            hint="free some space there, or name another directory in XDG_CACHE_HOME",
        ) from error
    return place


def _fill(place: Path, make: Callable[[Path], None]) -> None:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
    try:
        make(work)
        for file in work.iterdir():
            _sync(file)
        try:
            work.rename(place)
        except OSError as error:
            # Another process made the same entry meanwhile, which is as good.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def load(kind: str, name: str) -> bytes | None:
    """The bytes stored as ``kind/name``; None when there are none, or when they are damaged."""
    place = root() / kind / name
    try:
        stored = place.read_bytes()
    except OSError:
        return None
    check, data = stored[:32], stored[32:]
    if hashlib.sha256(data).digest() != check:
        return None
    _touch(place)
    return data


def store(kind: str, name: str, data: bytes) -> None:
    """Keep ``data`` as ``kind/name``; a full or read-only disk is no error, only a slower next time."""
    place = root() / kind / name
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".new-", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest() + data)
            os.replace(temporary, place)
        except OSError:
            os.unlink(temporary)
        _prune(place.parent, _KEPT[kind])


def _touch(place: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(place)


def _sync(file: Path) -> None:
    # A rename may reach the disk before the data: after a power cut the entry would be there, but empty.
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _prune(directory: Path, kept: int) -> None:
    entries = [(item.stat().st_mtime, item.path) for item in os.scandir(directory) if item.name[0] != "."]
    for _, path in sorted(entries, reverse=True)[kept:]:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
