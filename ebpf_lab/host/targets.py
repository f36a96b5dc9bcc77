"""Where a probe goes on this machine: from its name to plain data that can be attached to."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

from ebpf_lab.errors import AttachError, MissingFeature
from ebpf_lab.host import absent, features, kallsyms, perf_events, system_calls, tracefs, usdt, userprobes
from ebpf_lab.host.listing import list_probes
from ebpf_lab.nearest import suggestion
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.words import did_you_mean, listing

__all__ = [
    "KernelBtf",
    "KernelFunction",
    "NetworkInterface",
    "RawTracepoint",
    "Sampling",
    "Target",
    "Tracepoint",
    "UserProbe",
    "UserSite",
    "list_probes",
    "resolve",
]

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3}
_SHORTEST_PERIOD = 10_000
"""The kernel silently makes shorter ones of its CPU clock this long (perf_swevent_start_hrtimer)."""
_SAMPLE_RATE = Path("/proc/sys/kernel/perf_event_max_sample_rate")


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


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """An interface whose incoming packets an XDP program sees; ``index`` is the kernel's number of it."""

    name: str
    index: int


Target = KernelFunction | Tracepoint | RawTracepoint | KernelBtf | UserProbe | Sampling | NetworkInterface
"""Any of the above."""


def resolve(probe: Probe) -> Target:
    """Find what a probe names on the running kernel.

    Raises
    ------
    AttachError
        There is no such place; the hint holds names that are near.
    MissingFeature
        The kernel has no probes of this kind; the hint names one that shows the same.
    MissingPrivilege
        This process may not look.
    """
    match probe.kind:
        case "kprobe" | "kretprobe" | "ksyscall" | "kretsyscall":
            return _kernel_function(probe)
        case "tracepoint":
            return _tracepoint(probe)
        case "rawtracepoint":
            return RawTracepoint(_known_tracepoint(probe))
        case "tp_btf":
            return KernelBtf(_known_tracepoint(probe))
        case "fentry" | "fexit":
            features.require("fentry")
            return KernelBtf(_symbol(probe))
        case "lsm":
            features.require("lsm")
            return KernelBtf(_hook(probe))
        case "uprobe" | "uretprobe":
            _require_device("uprobe", "this kernel has no uprobes")
            path, offset = userprobes.locate(probe)
            return UserProbe((UserSite(path, offset),), retprobe=probe.kind == "uretprobe")
        case "usdt":
            _require_device("uprobe", "this kernel has no uprobes, which USDT probes are made of")
            found = usdt.find(probe.binary, probe.group, probe.name)
            return UserProbe(tuple(UserSite(site.path, site.offset, site.semaphore) for site in found))
        case "profile":
            return _sampling(probe)
        case "xdp":
            return _interface(probe)


def _kernel_function(probe: Probe) -> KernelFunction:
    returns = probe.kind in ("kretprobe", "kretsyscall")
    if perf_events.device_type("kprobe") is None:
        call = f"sys_{probe.name}" if probe.kind.endswith("syscall") else probe.name
        raise features.no_kprobes(call, at_return=returns)
    symbol = _symbol(probe)
    size = kallsyms.names().size(symbol) if probe.offset else 0
    if size and probe.offset >= size:
        # The kernel would take it, and probe whatever function lies there.
        raise AttachError(
            f"{symbol}+{probe.offset:#x} is behind the end of {symbol}",
            why=f"the function has {size} bytes at most ({size:#x})",
        )
    return KernelFunction(symbol, probe.offset, returns)


def _symbol(probe: Probe) -> str:
    """The kernel's name of the function that a probe names; a system call may be named plainly."""
    if probe.kind in ("ksyscall", "kretsyscall"):
        function = system_calls.function_of(probe.name)
        if not function:
            raise absent.system_call(probe, probe.name)
        return function
    names = kallsyms.names()
    if not names or names.count(probe.name):
        return probe.name
    call = system_calls.plain_name(probe.name)
    function = system_calls.function_of(call) if call else ""
    if function:
        return function
    # Named as on some architecture, but for a call that none of this one's functions is.
    raise absent.system_call(probe, call) if call else absent.function(probe)


def _tracepoint(probe: Probe) -> Tracepoint:
    number = tracefs.tracepoint_id(probe.group, probe.name)
    if number is None:
        raise _no_tracepoint(probe)
    return Tracepoint(probe.group, probe.name, number)


def _no_tracepoint(probe: Probe) -> AttachError:
    events = tracefs.events()
    wanted = f"{probe.group}:{probe.name}"
    what = f"this kernel has no tracepoint {wanted}"
    if call := re.fullmatch(r"(sys_(?:enter|exit)_)(\w+)", probe.name):
        calls = {name.removeprefix(call[1]).encode() for name in events.get("syscalls", ())}
        instead, why = absent.call_instead(call[2], calls)
        if instead:
            return AttachError(what, why=why, hint=f"tracepoint:syscalls:{call[1]}{instead}")
    # The event under another category is nearer than any other spelling.
    elsewhere = [f"{group}:{probe.name}" for group, names in events.items() if probe.name in names]
    if elsewhere:
        hint = f"did you mean {elsewhere[0]}?"
    else:
        known = [f"{group}:{name}".encode() for group, names in events.items() for name in names]
        hint = suggestion(wanted, known)
    missing = probe.group not in events
    return AttachError(
        what,
        why=f"it has no category {probe.group}" if missing else "",
        hint=hint or f"%bpf probes tracepoint:{'*' if missing else probe.group}:* lists them",
    )


def _known_tracepoint(probe: Probe) -> str:
    known = kallsyms.names().raw_tracepoints
    if not known or probe.name.encode() in known:
        return probe.name
    call = probe.name.removeprefix("sys_enter_").removeprefix("sys_exit_")
    if call != probe.name:
        common = probe.name[: -len(call) - 1]
        raise AttachError(
            f"this kernel has no raw tracepoint {probe.name}",
            why="all system calls share two: sys_enter and sys_exit",
            hint=f"tracepoint:syscalls:{probe.name}; or {probe.kind}:{common} and compare the call's number",
        )
    raise AttachError(
        f"this kernel has no raw tracepoint {probe.name}",
        hint=suggestion(probe.name, known) or f"%bpf probes {probe.kind}:* lists them",
    )


def _hook(probe: Probe) -> str:
    name = probe.name.removeprefix("bpf_lsm_")
    hooks = [
        hook.removeprefix(b"bpf_lsm_")
        for hook in kallsyms.names().functions()
        if hook.startswith(b"bpf_lsm_")
    ]
    if hooks and name.encode() not in hooks:
        raise AttachError(f"this kernel has no LSM hook {name}", hint=suggestion(name, hooks))
    return name


def _sampling(probe: Probe) -> Sampling:
    if probe.name == "hz":
        most = int(_SAMPLE_RATE.read_text()) if _SAMPLE_RATE.exists() else 0
        if most and probe.rate > most:
            raise AttachError(
                f"{probe.rate} samples a second are more than the kernel takes",
                why=f"kernel.perf_event_max_sample_rate is {most}",
                hint="profile:hz:99 is usual; sudo sysctl kernel.perf_event_max_sample_rate raises the limit",
            )
        return Sampling(probe.rate, None)
    period = probe.rate * _NANOSECONDS[probe.name]
    if period < _SHORTEST_PERIOD:
        raise AttachError(
            f"the kernel's clock cannot fire every {probe.rate} {probe.name}",
            why="10 microseconds is its shortest period",
            hint="profile:us:10 or longer",
        )
    return Sampling(None, period)


def _interface(probe: Probe) -> NetworkInterface:
    try:
        return NetworkInterface(probe.name, socket.if_nametoindex(probe.name))
    except OSError:
        names = [name for _, name in socket.if_nameindex()]
        raise AttachError(
            f"there is no network interface {probe.name}",
            why="interfaces of other network namespaces cannot be attached to from here",
            hint=did_you_mean(probe.name, names) or f"there are {listing(names)}",
        ) from None


def _require_device(device: str, what: str) -> None:
    if perf_events.device_type(device) is None:
        raise MissingFeature(what, hint="./lab vm boots a kernel that has them")
