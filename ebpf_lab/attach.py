"""Attaches loaded programs to their targets, and says in plain words why one does not go on."""

from __future__ import annotations

import errno
import os
import socket

from ebpf_lab.backends.loaded import LoadedProgram
from ebpf_lab.errors import AttachError, LabError, MissingFeature
from ebpf_lab.host import absent, kallsyms, perf_events, privileges
from ebpf_lab.host.targets import (
    KernelBtf,
    KernelFunction,
    NetworkInterface,
    RawTracepoint,
    Sampling,
    Target,
    Tracepoint,
    UserProbe,
)

_ENOTSUPP = 524


def attach(program: LoadedProgram, target: Target) -> list[int]:
    """Attach a program.

    Nothing is pinned: closing the descriptors, or the end of the process, however violent, detaches it.

    Parameters
    ----------
    program : LoadedProgram
        Its ``sites``, where there are any, go before those of ``target``: they carry the cookies by which a
        USDT program finds its arguments.
    target : Target

    Returns
    -------
    list of int
        Descriptors that hold the program attached; the caller closes them.

    Raises
    ------
    AttachError
        The target cannot be attached to.
    MissingPrivilege
        This process may not.
    MissingFeature
        The kernel cannot do it at all.
    """
    try:
        match target:
            case KernelFunction():
                event = perf_events.open_kprobe(target.symbol, target.offset, retprobe=target.retprobe)
                return [perf_events.link(program.fd, event)]
            case Tracepoint():
                return [perf_events.link(program.fd, perf_events.open_tracepoint(target.id))]
            case RawTracepoint():
                return [perf_events.raw_tracepoint_open(program.fd, target.name)]
            case KernelBtf():
                return [perf_events.raw_tracepoint_open(program.fd)]
            case UserProbe():
                return _attach_sites(program, target)
            case Sampling():
                return perf_events.sample(program.fd, frequency=target.frequency, period=target.period)
            case NetworkInterface():
                return [perf_events.xdp(program.fd, target.index)]
    except OSError as error:
        raise _explained(program, target, error) from None


def _attach_sites(program: LoadedProgram, target: UserProbe) -> list[int]:
    fds: list[int] = []
    try:
        for site in program.sites or target.sites:
            event = perf_events.open_uprobe(
                site.path, site.offset, retprobe=target.retprobe, semaphore=site.semaphore
            )
            fds.append(perf_events.link(program.fd, event, site.cookie))
    except OSError:
        perf_events.close_quietly(fds)
        raise
    return fds


def _explained(program: LoadedProgram, target: Target, error: OSError) -> LabError:
    name = str(program.probe) if program.probe else _label(target)
    number = error.errno or 0
    code = "ENOTSUPP" if number == _ENOTSUPP else errno.errorcode.get(number, str(number))
    what = f"cannot attach {program.function} to {name} ({code})"
    if number in (errno.EPERM, errno.EACCES):
        needed = privileges.ADMIN if isinstance(target, UserProbe) else privileges.TRACING
        # The kernel also says EACCES when a program reads more of a tracepoint's record than there is.
        if number == errno.EACCES and isinstance(target, Tracepoint) and _may(needed):
            return AttachError(
                what,
                why=f"{program.function} reads behind the end of the record of {target.group}:{target.name}",
                hint="/sys/kernel/tracing/events/"
                f"{target.group}/{target.name}/format shows the record: take a structure that fits it",
            )
        return privileges.explain_eperm(f"attach {program.function} to {name}", needed)
    if number in (errno.ENODEV, errno.ENOSYS, errno.EOPNOTSUPP, _ENOTSUPP):
        why = {
            KernelBtf: "this kernel cannot put trampolines on functions (on arm64 it takes Linux 6.4)",
            UserProbe: "this kernel knows no way to step over the instruction there",
            NetworkInterface: "neither the interface's driver nor the kernel in its place runs XDP programs",
        }.get(type(target), "this kernel has no probes of this kind")
        return MissingFeature(what, why=why, hint="./lab doctor shows what works here")
    why, hint = _cause(target, number)
    return AttachError(what, why=why, hint=hint)


def _cause(target: Target, number: int) -> tuple[str, str]:
    """Why and hint for what this errno means of this kind of target."""
    match target, number:
        case KernelFunction(), errno.EADDRNOTAVAIL:
            several = kallsyms.names().count(target.symbol)
            return (
                f"{several} functions are called {target.symbol}, and the kernel cannot know which is meant",
                "probe a function that calls it, or one that it calls",
            )
        case KernelFunction(), errno.ENOENT:
            return (
                f"this kernel has no function {target.symbol}",
                "%bpf probes kprobe:* lists those there are",
            )
        case KernelFunction(), errno.EILSEQ | errno.EINVAL if target.offset:
            return f"no instruction begins {target.offset:#x} bytes behind {target.symbol}", ""
        case KernelFunction(), errno.EINVAL | errno.EILSEQ:
            return (
                absent.why_untraceable(target.symbol) or f"the kernel lets nobody probe {target.symbol}",
                "probe a function that calls it",
            )
        case RawTracepoint(), errno.ENOENT:
            return (
                f"this kernel has no raw tracepoint {target.name}",
                "%bpf probes rawtracepoint:* lists them",
            )
        case ((RawTracepoint() | KernelBtf()), errno.EINVAL):
            return "the program reads more arguments than there are", ""
        case KernelBtf(), errno.E2BIG:
            return f"too many programs are attached to {target.function} already (38 at most)", ""
        case UserProbe(), errno.EIO:
            return (
                "programs on this file system cannot be probed: the kernel must read it page by page",
                "copy the program to a local disk, and run it from there",
            )
        case UserProbe(), errno.ENOENT:
            return "the file has gone since it was looked up", ""
        case NetworkInterface(), errno.EBUSY | errno.EEXIST:
            return (
                f"{target.name} has an XDP program already, and an interface takes one",
                f"stop the trace that put it there (%bpf status), or: ip link set dev {target.name} xdp off",
            )
        case NetworkInterface(), errno.EINVAL if not _exists(target):
            return "the interface has gone since it was looked up", ""
        case UserProbe(), errno.EINVAL:
            return (
                "the kernel cannot probe the instruction there, or has it probed with another semaphore",
                "",
            )
        case _, errno.EMFILE:
            return "this process has too many files open", "stop other traces: %bpf status"
        case _:
            return os.strerror(number), ""


def _may(needed: tuple[str, ...]) -> bool:
    return not privileges.current().missing(needed)


def _exists(interface: NetworkInterface) -> bool:
    return (interface.index, interface.name) in socket.if_nameindex()


def _label(target: Target) -> str:
    match target:
        case KernelFunction():
            return target.symbol
        case Tracepoint():
            return f"{target.group}:{target.name}"
        case RawTracepoint():
            return target.name
        case KernelBtf():
            return target.function
        case UserProbe():
            return ", ".join(f"{site.path}:{site.offset:#x}" for site in target.sites)
        case Sampling():
            return "the clock"
        case NetworkInterface():
            return target.name
