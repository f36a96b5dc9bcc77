"""Which probes there are, by pattern."""

from __future__ import annotations

import difflib
import fnmatch
import os
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ebpf_lab.errors import UsageProblem
from ebpf_lab.host import features, kallsyms, libraries, perf_events, system_calls, tracefs, usdt
from ebpf_lab.host.elf import open_elf


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of probe: its short names, who lists it, and whether it is listed when the kind is a pattern.

    The others would list the same names again, or need a program's name.
    """

    short: tuple[str, ...]
    names: Callable[[str], Iterable[str]]
    in_patterns: Callable[[], bool] = lambda: False


def list_probes(pattern: str) -> list[tuple[str, str]]:
    """Probes of this machine that match a pattern.

    Parameters
    ----------
    pattern : str
        As ``bpftrace -l`` takes it: ``KIND:NAME`` with ``*``, ``?`` and ``[…]`` in either part
        ("kprobe:*openat*", "tracepoint:syscalls:*", "uprobe:libc:print*", "usdt:/usr/bin/python3:*").
        A word alone is looked for in all probes of the kernel.

    Returns
    -------
    list of (kind, name)
        Sorted; ``f"{kind}:{name}"`` is the probe.

    Raises
    ------
    UsageProblem
        No kind of probe is called so.
    AttachError
        No such program or library.
    MissingFeature, MissingPrivilege
        The kernel has none of the kind asked for, or this process may not look.
    """
    word, colon, rest = pattern.strip().partition(":")
    if not colon:
        word, rest = "*", pattern.strip() if re.search(r"[*?\[]", pattern) else f"*{pattern.strip()}*"
    if re.search(r"[*?\[]", word):
        chosen = [kind for kind in _KINDS if fnmatch.fnmatchcase(kind, word) and _KINDS[kind].in_patterns()]
    else:
        chosen = [kind for kind, entry in _KINDS.items() if word == kind or word in entry.short]
        if not chosen:
            near = difflib.get_close_matches(word, _KINDS, n=1)
            raise UsageProblem(
                f"{word!r} is no kind of probe that can be listed",
                why=f"there are {', '.join(_KINDS)}",
                hint=f"did you mean {near[0]}?" if near else "",
            )
    return sorted({(kind, name) for kind in chosen for name in _KINDS[kind].names(rest or "*")})


def _matching(names: Iterable[bytes], pattern: str) -> list[str]:
    match = re.compile(fnmatch.translate(pattern).encode()).match
    return [name.decode(errors="replace") for name in names if match(name)]


def _functions() -> list[bytes]:
    """Functions that ftrace can trace, where it says so, else all."""
    for place in tracefs.PLACES:
        try:
            text = (place / "available_filter_functions").read_bytes()
        except OSError:
            continue
        # Places of functions that were discarded at boot are listed under a made-up name.
        return re.findall(rb"^(?!__ftrace_invalid_address)(\S+)", text, re.MULTILINE)
    return kallsyms.names().functions()


def _kprobes(pattern: str) -> list[str]:
    features.require("kprobe")
    return _matching(_functions(), pattern)


def _calls(pattern: str) -> list[str]:
    features.require("kprobe")
    return _matching(system_calls.names(), pattern)


def _fentries(pattern: str) -> list[str]:
    features.require("fentry")
    return _matching(_functions(), pattern)


def _hooks(pattern: str) -> list[str]:
    features.require("lsm")
    prefix = b"bpf_lsm_"
    hooks = [name.removeprefix(prefix) for name in kallsyms.names().functions() if name.startswith(prefix)]
    return _matching(hooks, pattern)


def _tracepoints(pattern: str) -> list[str]:
    listed = (f"{group}:{name}".encode() for group, names in tracefs.events().items() for name in names)
    return _matching(listed, pattern)


def _raw_tracepoints(pattern: str) -> list[str]:
    return _matching(kallsyms.names().raw_tracepoints, pattern)


def _uprobes(pattern: str) -> list[str]:
    binary, colon, symbol = pattern.rpartition(":")
    if not colon:
        raise UsageProblem(
            f"uprobe:{pattern} names no program", hint="write it in front, as in uprobe:libc:print*"
        )
    names = _matching(open_elf(libraries.find(binary)).function_names(), symbol or "*")
    return [f"{binary}:{name}" for name in names]


def _usdts(pattern: str) -> list[str]:
    parts = pattern.split(":")
    if len(parts) > 3 or not parts[0] or re.search(r"[*?\[]", parts[0]):
        raise UsageProblem(
            f"usdt:{pattern} names no program", hint="write it in front, as in usdt:/usr/bin/python3:*"
        )
    binary, wanted = parts[0], ":".join(parts[1:]) or "*"
    if len(parts) < 3:
        wanted = f"*:{wanted}"
    sites = usdt.probes(libraries.find(binary))
    names = {f"{site.provider}:{site.name}".encode() for site in sites}
    return [f"{binary}:{name}" for name in _matching(names, wanted)]


def _interfaces(pattern: str) -> list[str]:
    return _matching((os.fsencode(name) for _, name in socket.if_nameindex()), pattern)


def _has_kprobes() -> bool:
    return perf_events.device_type("kprobe") is not None


_KINDS = {
    "kprobe": _Kind(("k",), _kprobes, _has_kprobes),
    "kretprobe": _Kind(("kr",), _kprobes),
    "ksyscall": _Kind((), _calls, _has_kprobes),
    "kretsyscall": _Kind((), _calls),
    "tracepoint": _Kind(("t", "tp"), _tracepoints, lambda: True),
    "rawtracepoint": _Kind(("rt", "raw_tp", "raw_tracepoint"), _raw_tracepoints, lambda: True),
    "tp_btf": _Kind((), _raw_tracepoints),
    "fentry": _Kind(("f", "kfunc"), _fentries),
    "fexit": _Kind(("fr", "kretfunc"), _fentries),
    "lsm": _Kind((), _hooks),
    "uprobe": _Kind(("u",), _uprobes),
    "uretprobe": _Kind(("ur",), _uprobes),
    "usdt": _Kind(("U",), _usdts),
    "xdp": _Kind((), _interfaces),
}
