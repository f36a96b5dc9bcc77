"""The mapped files of a process (``/proc/PID/maps``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mapping:
    """Executable memory from ``start`` to ``end``, which shows ``path`` ("[vdso]", "") from ``offset`` on.

    ``build_id`` is the file's, b"" where it is not known.
    """

    start: int
    end: int
    offset: int
    path: str
    build_id: bytes = b""


def forbidden(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process is there, and its mappings are not for us to see: that takes CAP_SYS_PTRACE."""
    try:
        with (proc / str(pid) / "maps").open():
            return False
    except PermissionError:
        return True
    except OSError:
        return False


def executable(pid: int | str = "self", proc: Path = Path("/proc")) -> list[Mapping]:
    """Executable mappings of a process, by address.

    Raises
    ------
    OSError
        The process is gone or not ours to look at.
    """
    found = []
    for line in (proc / str(pid) / "maps").read_text(errors="surrogateescape").splitlines():
        fields = line.split(None, 5)
        if "x" in fields[1]:
            start, _, end = fields[0].partition("-")
            path = fields[5].removesuffix(" (deleted)") if len(fields) > 5 else ""
            found.append(Mapping(int(start, 16), int(end, 16), int(fields[2], 16), path))
    return found
