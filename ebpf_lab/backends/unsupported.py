"""What the kernel refuses to load or to create, whichever backend asks for it."""

from __future__ import annotations

import errno
import os
import re

from ebpf_lab.errors import LabError, Mark, MissingPrivilege, UsageProblem
from ebpf_lab.host import features, privileges
from ebpf_lab.source.probe import ProbeKind
from ebpf_lab.source.spec import Program, ProgramSpec

_FEATURES: dict[ProbeKind, str] = {
    "kprobe": "kprobe",
    "kretprobe": "kprobe",
    "ksyscall": "kprobe",
    "kretsyscall": "kprobe",
    "tracepoint": "tracepoint",
    "rawtracepoint": "raw_tracepoint",
    "tp_btf": "tp_btf",
    "fentry": "fentry",
    "fexit": "fentry",
    "lsm": "lsm",
    "uprobe": "uprobe",
    "uretprobe": "uprobe",
    "usdt": "usdt",
    "profile": "perf_event",
    "xdp": "xdp",
}


def require(program: Program) -> None:
    """Raise the error that says why this kind of program cannot be loaded here, if it cannot.

    Raises
    ------
    MissingFeature, MissingPrivilege
    """
    if program.probe is not None:
        features.require(_FEATURES[program.probe.kind])


_NEEDED: dict[ProbeKind, tuple[str, ...]] = {
    "tracepoint": privileges.TRACEFS,
    "uprobe": privileges.ADMIN,
    "uretprobe": privileges.ADMIN,
    "usdt": privileges.ADMIN,
    "xdp": privileges.NETWORK,
}


def not_permitted(action: str, spec: ProgramSpec) -> MissingPrivilege:
    """The error for an EPERM: with all that the text will need, so that the next step fails no more."""
    kinds = (program.probe.kind for program in spec.programs if program.probe is not None)
    needed = dict.fromkeys(name for kind in kinds for name in _NEEDED.get(kind, privileges.TRACING))
    return privileges.explain_eperm(action, tuple(needed) or privileges.TRACING)


_KEPT_BACK = re.compile(
    r"(?:unknown func|cannot use helper) (?P<helper>bpf_probe_(?:read(?:_kernel)?(?:_str)?|write_user))#"
)


def locked_down(error: LabError) -> LabError:
    """``error`` of the verifier, or what is behind it: a kernel that keeps a helper from every program."""
    state = privileges.current().lockdown
    found = _KEPT_BACK.search(error.log)
    writes = found is not None and found["helper"] == "bpf_probe_write_user"
    if found is None or state not in ("confidentiality", *(["integrity"] if writes else [])):
        return error
    kept = "write to the memory of processes" if writes else "read the kernel's memory"
    return MissingPrivilege(
        f"may not call {found['helper']}: Operation not permitted",
        where=error.where,
        why=f"the kernel is locked down ({state}), as it may be under Secure Boot: no program may {kept}",
        hint="use a virtual machine (./lab vm), or turn off Secure Boot",
        log=error.log,
    )


def map_refused(name: str, code: int, spec: ProgramSpec, log: str) -> LabError:
    """The error for a map that the kernel did not create; ``code`` is its errno."""
    if code == errno.EPERM:
        return not_permitted("create BPF maps", spec)
    causes = {
        errno.EINVAL: "a size, the number of entries or a flag does not suit this type of map",
        errno.E2BIG: "a key or value is larger than the kernel allows, or there are too many entries",
        errno.ENOMEM: "there is not enough memory for all its entries",
    }
    why = causes.get(code, "")
    if code == errno.EINVAL and any(each.name == name and each.kind == "ringbuf" for each in spec.maps):
        why = "the size of a ring buffer is a power of two, and no less than a page"
    return UsageProblem(
        f"map {name}: the kernel refused to create it: {os.strerror(code)}",
        where=map_marks(name, spec),
        why=why,
        log=log,
    )


def map_marks(name: str, spec: ProgramSpec) -> tuple[Mark, ...]:
    """The line that declares a map."""
    lines = spec.text.splitlines()
    return tuple(
        Mark(declared.line, lines[declared.line - 1] if declared.line <= len(lines) else "")
        for declared in spec.maps
        if declared.name == name and declared.line
    )


def log_too_long(size: int) -> UsageProblem:
    """The error for a program that is accepted, and whose log would take more than ``size`` bytes."""
    return UsageProblem(
        f"the verifier's log is longer than {size >> 20} MiB",
        why="the program has so many paths that each instruction was verified thousands of times",
        hint="ask for the log of a part of it: --attach, or a smaller text",
    )
