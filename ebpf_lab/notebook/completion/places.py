"""Where programs can be attached on this machine: behind ``SEC("…")``, and in bpftrace's names of probes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from functools import lru_cache

from ebpf_lab.errors import LabError
from ebpf_lab.host import kallsyms, libraries, system_calls, tracefs, usdt
from ebpf_lab.host.elf import open_elf
from ebpf_lab.host.kernel_names import Sorted
from ebpf_lab.notebook.completion.found import Found, choose, offer
from ebpf_lab.source.probe import section_kind

KINDS = (
    *("tracepoint", "rawtracepoint", "tp_btf", "kprobe", "kretprobe", "ksyscall", "kretsyscall"),
    *("fentry", "fexit", "lsm", "uprobe", "uretprobe", "usdt", "profile", "xdp"),
)
_SECTIONS = (
    *("tracepoint/", "raw_tp/", "tp_btf/", "kprobe/", "kretprobe/", "ksyscall/", "kretsyscall/"),
    *("fentry/", "fexit/", "lsm/", "uprobe/", "uretprobe/", "uprobe.s/", "usdt/", "perf_event", "xdp"),
)
_NO_PROGRAM = (".maps", "license")
_RATES = ("hz:49", "hz:99", "s:1", "ms:100")
_HOOK = "bpf_lsm_"


def sections(begun: str) -> Found:
    """What ``SEC("…")`` may name."""
    optional = "?" if begun.startswith("?") else ""
    word, slash, place = begun.removeprefix("?").partition("/")
    if not slash:
        programs = [optional + name for name in _SECTIONS]
        return choose(begun, (programs, "program"), ((), "") if optional else (_NO_PROGRAM, "section"))
    found = section_kind(word)
    if found is None:
        return Found(begun)
    return _behind(f"{optional}{word}/", _named(found[0], place, "/"), begun)


def probes(begun: str) -> Found:
    """What an option or ``%bpf probes`` may name."""
    optional = "?" if begun.startswith("?") else ""
    kind, colon, place = begun.removeprefix("?").partition(":")
    if not colon:
        return choose(begun, ([f"{optional}{name}:" for name in KINDS], "probe"))
    found = section_kind(kind) or (kind, False)
    return _behind(f"{optional}{kind}:", _named(found[0], place, ":"), begun)


def _behind(prefix: str, found: Found, begun: str) -> Found:
    return Found(begun, [(prefix + name, kind) for name, kind in found.names])


def _named(kind: str, begun: str, separator: str) -> Found:
    if kind == "tracepoint":
        group, divided, _ = begun.partition(separator)
        events = tracepoints()
        if not divided:
            return choose(begun, ([f"{name}{separator}" for name in events], "category"))
        return offer(begun, Sorted(f"{group}{separator}{name}" for name in events.get(group, ())), kind)
    if kind in ("uprobe", "uretprobe", "usdt"):
        binary, divided, _ = begun.partition(":")
        if not divided:
            return choose(begun, (_binaries(begun), "binary"))
        return offer(begun, _inside(binary, _markers if kind == "usdt" else _symbols), kind)
    if kind == "profile":
        return choose(begun, (_RATES, "rate"))
    if kind == "xdp":
        return choose(begun, ((name for _, name in socket.if_nameindex()), "interface"))
    return offer(begun, named(kind), kind)


def libc() -> None:
    """Read the names of libc's functions."""
    _inside("libc", _symbols)


def named(kind: str) -> Sorted:
    """The places of a kind of probe that is in the kernel and has one word as its name."""
    loaded = kallsyms.modules()
    if kind in ("rawtracepoint", "tp_btf"):
        return _listed("raw_tracepoints", loaded)
    return _listed(
        {"ksyscall": "calls", "kretsyscall": "calls", "lsm": "hooks"}.get(kind, "functions"), loaded
    )


def tracepoints() -> dict[str, list[str]]:
    """Names of tracepoints by category; none where this process may not look."""
    try:
        return _tracepoints(kallsyms.modules())
    except (LabError, OSError):
        return {}


# What is listed changes when a module comes or goes.
@lru_cache(maxsize=1)
def _tracepoints(_modules: frozenset[str]) -> dict[str, list[str]]:
    return tracefs.events()


@lru_cache(maxsize=4)
def _listed(what: str, _modules: frozenset[str]) -> Sorted:
    known = kallsyms.names()
    names: Iterable[bytes]
    match what:
        case "raw_tracepoints":
            names = known.raw_tracepoints
        case "calls":
            names = system_calls.names()
        case "hooks":
            functions = _listed("functions", _modules)
            names = (name.removeprefix(_HOOK).encode() for name in functions.beginning(_HOOK))
        case _:
            names = known.functions()
    return Sorted(name.decode(errors="replace") for name in names)


def _binaries(begun: str) -> list[str]:
    if begun.startswith("/"):
        directory = begun.rpartition("/")[0]
        try:
            with os.scandir(directory or "/") as entries:
                return [f"{entry.path}{'/' if entry.is_dir() else ':'}" for entry in entries]
        except OSError:
            return []
    return [f"{name}:" for name in _library_names()]


@lru_cache(maxsize=1)
def _library_names() -> list[str]:
    return sorted({soname.partition(".so")[0] for soname, _ in libraries.libraries()})


def _inside(binary: str, names: Callable[[str], Sorted]) -> Sorted:
    try:
        return names(binary)
    except (LabError, OSError):
        return Sorted(())


@lru_cache(maxsize=8)
def _symbols(binary: str) -> Sorted:
    names = open_elf(libraries.find(binary)).function_names()
    return Sorted(f"{binary}:{name.decode(errors='replace')}" for name in names)


@lru_cache(maxsize=8)
def _markers(binary: str) -> Sorted:
    sites = usdt.probes(libraries.find(binary))
    return Sorted(f"{binary}:{site.provider}:{site.name}" for site in sites)
