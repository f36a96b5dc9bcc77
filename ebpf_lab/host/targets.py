"""Where a probe goes on this machine, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserSite:
    """One place in a file on disk to put a user probe on.

    Attributes
    ----------
    path : str
        Real path of the ELF file.
    offset : int
        Offset in the file, bytes.
    semaphore : int
        File offset of the USDT semaphore (``ref_ctr_offset``), 0 for none.
    cookie : int
        ``bpf_get_attach_cookie`` value, 0 for none.
    """

    path: str
    offset: int
    semaphore: int = 0
    cookie: int = 0


@dataclass(frozen=True, slots=True)
class KernelFunction:
    """A kprobe (or kretprobe) on a kernel function: ``symbol`` as kallsyms has it, ``offset`` in bytes."""

    symbol: str
    offset: int = 0
    retprobe: bool = False


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """A tracepoint; ``id`` is the number that perf_event_open(2) knows it by."""

    group: str
    name: str
    id: int


@dataclass(frozen=True, slots=True)
class RawTracepoint:
    """A raw tracepoint, named as in the kernel's ``TRACE_EVENT``."""

    name: str


@dataclass(frozen=True, slots=True)
class KernelBtf:
    """fentry, fexit, lsm or tp_btf: the program named its target by BTF when it was loaded.

    ``function`` serves messages only.
    """

    function: str


@dataclass(frozen=True, slots=True)
class UserProbe:
    """uprobe, uretprobe or USDT: one PMU event a site."""

    sites: tuple[UserSite, ...]
    retprobe: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """Runs on every CPU, ``frequency`` times a second or every ``period`` nanoseconds; the other is None."""

    frequency: int | None
    period: int | None


Target = KernelFunction | Tracepoint | RawTracepoint | KernelBtf | UserProbe | Sampling
"""Any of the above."""
