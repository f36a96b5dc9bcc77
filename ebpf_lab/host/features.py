"""What this machine can do, each feature found out by trying it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ebpf_lab.errors import MissingFeature, MissingPrivilege
from ebpf_lab.host import kernel_probes, privileges, system_calls, tool_probes
from ebpf_lab.host.answers import Answer, Feature, Lacking, Undecided

__all__ = ["NAMES", "Answer", "Feature", "missing", "no_kprobes", "probe", "probe_all", "require"]

_ENOTSUPP = 524
"""The kernel's own EOPNOTSUPP, which escapes to user space from bpf(2)."""
# The kernel does not know the command, program type, attach type, attribute or device.
_CONCLUSIVE = {
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.E2BIG,
    errno.ENODEV,
    errno.ENOENT,
    errno.ENXIO,
    _ENOTSUPP,
}
_VM = "./lab vm -- COMMAND runs a command on a Debian kernel that has it"


@dataclass(frozen=True, slots=True)
class _Trial:
    """How a feature is tried, what it takes, what it is in words, and what to do where it is missing."""

    attempt: Callable[[], str]
    what: str
    needed: tuple[str, ...] = ()
    remedy: str = ""


_TRIALS: dict[str, _Trial] = {
    "arch": _Trial(tool_probes.architecture, "an architecture the lab supports"),
    "bpf": _Trial(kernel_probes.basic, "loading of BPF programs", privileges.TRACING),
    "btf": _Trial(kernel_probes.btf, "BTF, the kernel's description of its own types", remedy=_VM),
    "tracefs": _Trial(kernel_probes.tracing_directory, "tracefs", privileges.TRACEFS),
    "tracepoint": _Trial(kernel_probes.tracepoint, "BPF on tracepoints", privileges.TRACEFS, _VM),
    "raw_tracepoint": _Trial(kernel_probes.raw_tracepoint, "raw tracepoints", privileges.TRACING, _VM),
    "tp_btf": _Trial(kernel_probes.tp_btf, "typed raw tracepoints (tp_btf)", privileges.TRACING, _VM),
    "kprobe": _Trial(kernel_probes.kprobe, "kprobes", privileges.TRACING, _VM),
    "kprobe_multi": _Trial(kernel_probes.kprobe_multi, "links to many kprobes", privileges.TRACING, _VM),
    "fentry": _Trial(kernel_probes.fentry, "fentry and fexit programs", privileges.TRACING, _VM),
    "lsm": _Trial(kernel_probes.lsm, "BPF security hooks", privileges.TRACING, _VM),
    "uprobe": _Trial(kernel_probes.uprobe, "uprobes", privileges.ADMIN, _VM),
    "uprobe_multi": _Trial(kernel_probes.uprobe_multi, "links to many uprobes", privileges.TRACING, _VM),
    "usdt": _Trial(kernel_probes.usdt, "USDT probes", privileges.ADMIN, _VM),
    "perf_event": _Trial(kernel_probes.perf_event, "sampling by the clock", privileges.TRACING, _VM),
    "ringbuf": _Trial(kernel_probes.ringbuf, "ring buffers", privileges.TRACING, _VM),
    "perfbuf": _Trial(kernel_probes.perfbuf, "perf buffers", privileges.TRACING, _VM),
    "printk": _Trial(kernel_probes.printk, "bpf_printk", privileges.TRACEFS, _VM),
    "stats": _Trial(kernel_probes.stats, "run counts of BPF programs", privileges.ADMIN),
    "xdp": _Trial(kernel_probes.xdp, "XDP", privileges.NETWORK, _VM),
    "tc": _Trial(kernel_probes.tc, "BPF in traffic control", privileges.NETWORK, _VM),
    "bcc": _Trial(tool_probes.bcc, "bcc"),
    "headers": _Trial(tool_probes.headers, "kernel headers"),
    "libbpf": _Trial(tool_probes.libbpf, "libbpf"),
    "clang": _Trial(tool_probes.clang, "clang for BPF"),
    "veth": _Trial(
        tool_probes.veth, "pairs of virtual network interfaces", ("CAP_SYS_ADMIN", "CAP_NET_ADMIN")
    ),
    "loop": _Trial(tool_probes.loop, "disks kept in files", privileges.ADMIN),
}

NAMES = tuple(_TRIALS)
"""Every feature, in the order in which they are reported."""

_known: dict[str, Feature] = {}


def probe(name: str) -> Feature:
    """Try a feature.

    What works is tried once; what does not, anew each time, since the learner may have mended it.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.

    Raises
    ------
    KeyError
        There is no feature of this name.
    """
    trial = _TRIALS[name]
    if name not in _known:
        feature = _tried(name, trial)
        if feature.answer is not Answer.YES:
            return feature
        _known[name] = feature
    return _known[name]


def probe_all() -> list[Feature]:
    """Every feature, tried anew."""
    _known.clear()
    return [probe(name) for name in NAMES]


def missing(names: Iterable[str]) -> Feature | None:
    """The first of these features that this machine does not have for certain, None where it has all."""
    return next((feature for feature in map(probe, names) if feature.answer is not Answer.YES), None)


def require(name: str) -> None:
    """Raise one of the lab's errors unless the machine has a feature.

    An answer that is unknown for any other reason than this process's rights raises nothing: what is
    wanted will be tried in earnest, and that error says more.

    Raises
    ------
    MissingFeature
        The machine has it not.
    MissingPrivilege
        This process may not use it.
    """
    feature = probe(name)
    what = _TRIALS[name].what
    if feature.answer is Answer.NO:
        raise MissingFeature(f"this machine lacks {what}", why=feature.reason, hint=feature.remedy)
    if feature.answer is Answer.UNKNOWN and feature.errno in (errno.EPERM, errno.EACCES):
        raise MissingPrivilege(f"may not use {what}", why=feature.reason, hint=feature.remedy)


def no_kprobes(function: str, *, at_return: bool) -> MissingFeature:
    """The error for a kprobe on a kernel without kprobes, which names the probe that shows the same.

    Parameters
    ----------
    function : str
        The kernel function meant.
    at_return : bool
        A kretprobe was asked for.
    """
    feature = probe("kprobe")
    instead = system_calls.shown_by(function, at_return=at_return)
    if instead:
        hint = f"{instead} shows the same here, with arguments of its own; {_VM}"
    else:
        hint = f"no tracepoint shows {function}; {_VM}"
    return MissingFeature("this kernel has no kprobes", why=feature.reason, hint=hint)


def _tried(name: str, trial: _Trial) -> Feature:
    if not sys.platform.startswith("linux"):
        return Feature(name, Answer.NO, f"BPF exists on Linux only, and this is {sys.platform}")
    try:
        return Feature(name, Answer.YES, trial.attempt())
    except Undecided as undecided:
        return Feature(name, Answer.UNKNOWN, undecided.reason, undecided.remedy)
    except Lacking as lacking:
        return Feature(name, Answer.NO, lacking.reason, lacking.remedy or trial.remedy)
    except MissingFeature as missing:
        return Feature(name, Answer.NO, f"{missing.what}: {missing.why}", missing.hint)
    except MissingPrivilege as missing:
        return Feature(name, Answer.UNKNOWN, missing.why, missing.hint, errno.EACCES)
    except OSError as error:
        return _from_errno(name, trial, error)


def _from_errno(name: str, trial: _Trial, error: OSError) -> Feature:
    number = error.errno or 0
    said = f"{errno.errorcode.get(number, 'ENOTSUPP' if number == _ENOTSUPP else number)}"
    if number in (errno.EPERM, errno.EACCES):
        refusal = privileges.judge(trial.needed or privileges.TRACING, privileges.current())
        answer = Answer.NO if refusal.final else Answer.UNKNOWN
        return Feature(name, answer, f"{refusal.why} ({said})", refusal.hint, number)
    if number in _CONCLUSIVE:
        return Feature(name, Answer.NO, f"the kernel does not know it ({said})", trial.remedy, number)
    words = os.strerror(number) if number else str(error)
    return Feature(name, Answer.UNKNOWN, f"trying it failed: {words} ({said})", errno=number)
