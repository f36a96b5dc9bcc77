"""The file: a ZIP archive of known members, bounded and read into memory alone.

ZIP, because everybody has a program that shows what is in it, and Python has one without anything to install.
Nothing is ever unpacked to disk, so that no name in it is a path.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ebpf_lab.errors import RecordingDamaged, UsageProblem
from ebpf_lab.recordings import limits

MEMBER = re.compile(
    r"recording\.json|names\.json|programs\.json|program\.c|output|verifier/[0-9]{1,4}\.log"
    r"|streams/[0-9]{1,4}/(?:data|batches|index)|maps/[0-9]{1,4}/(?:keys|values)"
    r"|stacks/[0-9]{1,4}/(?:ids|lengths|addresses)"
)
"""The members that there may be."""

_END = struct.Struct("<4s4H2IH")
_END_SIGNATURE, _LOCATOR_SIGNATURE, _LOCATOR = b"PK\5\6", b"PK\6\7", 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every member, so that equal recordings are equal files; when it was made is inside."""
_ENTRY = 512
"""Bytes of the directory for each member, at most."""


def pack(members: Mapping[str, bytes]) -> bytes:
    """A file's content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)
    return buffer.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Only its owner may read it: it holds what took rights to see.  Whoever shares it decides to.

    Raises
    ------
    UsageProblem
        It cannot be written there.
    """
    try:
        # The name is the file's only once all of it is there; mkstemp makes it its owner's alone.
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def check_place(path: Path) -> None:
    """Say now, not after the trace, that there can be no file of this name.

    Raises
    ------
    UsageProblem
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a directory")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> UsageProblem:
    """Why a recording is not written."""
    return UsageProblem(f"{path}: the recording cannot be written", why=error.strerror or str(error))


def read(path: Path) -> dict[str, bytes]:
    """All members of a file.

    Raises
    ------
    UsageProblem
        There is no such file, or it may not be read.
    RecordingDamaged
        It is no recording, or not a whole one, or larger than any recording is.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(limits.FILE + 1)
    except OSError as error:
        raise UsageProblem(f"{path}: no recording can be read", why=error.strerror or str(error)) from error
    return unpack(data, str(path))


def unpack(data: bytes, name: str) -> dict[str, bytes]:
    """All members of a file's content; ``name`` is what errors call it."""
    if len(data) > limits.FILE:
        raise RecordingDamaged(
            f"{name}: larger than any recording", why=f"the limit is {limits.FILE:,} bytes"
        )
    _check_end(data, name)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            odd = [each for each in names if not MEMBER.fullmatch(each)]
            if odd or len(set(names)) != len(names):
                raise RecordingDamaged(
                    f"{name}: no recording", why=f"there is {odd[0]!r} in it" if odd else ""
                )
            # What the directory says is what is read at most, whatever is packed there.
            if sum(entry.file_size for entry in entries) > limits.CONTENT:
                raise RecordingDamaged(
                    f"{name}: unpacks to more than any recording holds",
                    why=f"the limit is {limits.CONTENT:,} bytes",
                )
            if any(
                entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries
            ):
                raise RecordingDamaged(f"{name}: no recording", why="it is packed in another way")
            return {entry.filename: _content(archive, entry) for entry in entries}
    except RecordingDamaged:
        raise
    except Exception as error:  # zipfile fails in many ways on what is no archive
        raise RecordingDamaged(f"{name}: the file is damaged", why=str(error)) from error


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    # No more than the directory says, as read() without a number would unpack before it cuts.
    with archive.open(entry) as member:
        return member.read(entry.file_size)


def _check_end(data: bytes, name: str) -> None:
    """Bound what zipfile makes of the directory before it looks at it."""
    if len(data) < _END.size or not data.startswith(b"PK"):
        raise RecordingDamaged(f"{name}: no recording", why="a recording is a ZIP archive")
    signature, disk, start, here, entries, size, offset, comment = _END.unpack_from(
        data, len(data) - _END.size
    )
    whole = signature == _END_SIGNATURE and comment == 0 and offset + size + _END.size == len(data)
    if not whole or disk or start or here != entries:
        raise RecordingDamaged(f"{name}: the file is not whole", why="its end is missing or damaged")
    larger = data[-_END.size - _LOCATOR :].startswith(_LOCATOR_SIGNATURE)
    if larger or entries > limits.MEMBERS or size > limits.MEMBERS * _ENTRY:
        raise RecordingDamaged(f"{name}: no recording", why="there is more in it than in any recording")
