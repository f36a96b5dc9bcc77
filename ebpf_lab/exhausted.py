"""What the machine or this process has no more of, in words."""

from __future__ import annotations

import errno

from ebpf_lab.errors import LabError, MissingFeature

_WORDS = {
    errno.EMFILE: ("this process has too many files open", "stop other traces: %bpf status"),
    errno.ENFILE: ("this machine has too many files open", "end other programs"),
    errno.ENOMEM: (
        "the kernel has no memory left for it",
        "make maps and buffers smaller",
    ),
    errno.ENOSPC: ("a disk is full", "free some space; df -h shows where there is none"),
}


def exhausted(error: BaseException) -> LabError | None:
    """The error of ours for one of the system's that only says what there is no more of, else None."""
    if not isinstance(error, OSError) or error.errno not in _WORDS:
        return None
    why, hint = _WORDS[error.errno]
    place = f": {error.filename}" if error.filename else ""
    return MissingFeature("the trace could not go on", why=why + place, hint=hint, log=str(error))
