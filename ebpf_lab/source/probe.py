"""Probe names in bpftrace's syntax, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProbeKind = Literal[
    "kprobe",
    "kretprobe",
    "ksyscall",
    "kretsyscall",
    "tracepoint",
    "rawtracepoint",
    "tp_btf",
    "fentry",
    "fexit",
    "lsm",
    "uprobe",
    "uretprobe",
    "usdt",
    "profile",
]


@dataclass(frozen=True, slots=True)
class Probe:
    """One attach target.

    Attributes
    ----------
    kind : str
        Probe type, e.g. "kprobe".  "ksyscall" and "kretsyscall" name a system call plainly.
    name : str
        Kernel function, system call without prefix, tracepoint event, user symbol, USDT probe name or, for
        ``profile``, the unit ("hz", "s", "ms", "us").
    group : str
        Tracepoint category or USDT provider, else "".
    binary : str
        Library or executable of a user probe, as written: a soname ("libc") or a path.
    offset : int
        Bytes behind the symbol (kprobe, uprobe); a user probe with an empty ``name`` is at this address.
    rate : int
        Frequency or period of ``profile``, in the unit of ``name``.
    sleepable : bool
        The program may sleep (``uprobe.s``, ``fentry.s``, ``lsm.s``).
    """

    kind: ProbeKind
    name: str
    group: str = ""
    binary: str = ""
    offset: int = 0
    rate: int = 0
    sleepable: bool = False
