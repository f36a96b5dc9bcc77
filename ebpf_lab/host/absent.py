"""Why a kernel function that someone wants to probe is not there, and what there is in its place."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

from ebpf_lab.errors import AttachError
from ebpf_lab.host import kallsyms, kernel, system_calls, tracefs
from ebpf_lab.nearest import nearest, suggestion
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.words import listing

_MODULES = Path("/lib/modules")
_BLACKLIST = Path("/sys/kernel/debug/kprobes/blacklist")
_HEADERS = ("linux", "net", "asm-generic")

_RENAMED = {
    # Names in books and older scripts, and what took their place.
    "_do_fork": "kernel_clone",  # Linux kernel commit cad6967ac108 (in v5.10)
    "do_fork": "kernel_clone",
    "blk_account_io_start": "__blk_account_io_start",  # commit be6bfe36db17 (in v5.14)
    "blk_account_io_done": "__blk_account_io_done",
    "flush_old_exec": "begin_new_exec",  # commit 2388777a0a59 (in v5.8)
}

_CALLS_INSTEAD = {
    # System calls that newer architectures never had, and what programs there make in their place.
    "access": "faccessat",
    "chmod": "fchmodat",
    "chown": "fchownat",
    "creat": "openat",
    "dup2": "dup3",
    "epoll_create": "epoll_create1",
    "epoll_wait": "epoll_pwait",
    "fork": "clone",
    "getdents": "getdents64",
    "link": "linkat",
    "lstat": "newfstatat",
    "mkdir": "mkdirat",
    "mknod": "mknodat",
    "open": "openat",
    "pipe": "pipe2",
    "poll": "ppoll",
    "readlink": "readlinkat",
    "rename": "renameat2",
    "rmdir": "unlinkat",
    "select": "pselect6",
    "stat": "newfstatat",
    "symlink": "symlinkat",
    "unlink": "unlinkat",
    "utimes": "utimensat",
    "vfork": "clone",
}


_OWN_NAMES = {
    # System calls that are functions of another name inside the kernel, and tracepoints of that name.
    "fstat": "newfstat",
    "lstat": "newlstat",
    "sendfile": "sendfile64",
    "sigaction": "rt_sigaction",
    "sigprocmask": "rt_sigprocmask",
    "stat": "newstat",
    "umount2": "umount",
    "uname": "newuname",
}


def call_instead(name: str, known: Collection[bytes]) -> tuple[str, str]:
    """The system call to name in place of one that is not among ``known``, and why; "" twice for none."""
    own, instead = _OWN_NAMES.get(name, ""), _CALLS_INSTEAD.get(name, "")
    if own.encode() in known:
        return own, f"inside the kernel {name} is called {own}"
    if instead.encode() in known:
        return instead, f"{kernel.architecture()} has none of that name: programs make {instead} there"
    return "", ""


def system_call(probe: Probe, name: str) -> AttachError:
    """The error for a system call that this kernel has not; ``name`` is its plain name."""
    known = system_calls.names()
    written = "" if probe.kind.endswith("syscall") else "sys_"
    instead, why = call_instead(name, known)
    if instead:
        hint = f"{probe.kind}:{written}{instead}"
        return AttachError(f"this kernel has no system call {name}", why=why, hint=hint)
    return AttachError(
        f"this kernel has no system call {name}",
        hint=suggestion(name, known, prefix=written) or "%bpf probes ksyscall:* lists those there are",
    )


def function(probe: Probe) -> AttachError:
    """The error for a function that is not among the kernel's symbols."""
    names, wanted = kallsyms.names(), probe.name
    what = f"this kernel has no function {wanted}"
    if names.is_data(wanted):
        return AttachError(
            what, why=f"{wanted} is a variable", hint="probe a function that reads or writes it"
        )
    if variants := names.variants(wanted):
        return AttachError(
            what,
            why=f"the compiler made {listing(variants)} of it, which may take other arguments",
            hint=f"{probe.kind}:{variants[0]}",
        )
    renamed = _RENAMED.get(wanted, "")
    if renamed and names.count(renamed):
        return AttachError(
            what, why="other kernel versions have it by that name", hint=f"{probe.kind}:{renamed}"
        )
    instead = system_calls.shown_by(wanted, at_return=probe.kind in ("kretprobe", "fexit"))
    if header := _inlined_by(wanted):
        return AttachError(
            what,
            why=f"it is compiled into each of its callers (static inline in <{header}>)",
            hint=_or(instead, "probe a function that calls it"),
        )
    if module := _module_of(wanted):
        return AttachError(what, why=f"the module {module} is not loaded", hint=f"sudo modprobe {module}")
    near = nearest(wanted, names.functions())
    if instead:
        return AttachError(
            what, why="other kernel versions have it", hint=_or(instead, suggestion(wanted, near))
        )
    return AttachError(
        what,
        hint=suggestion(wanted, near)
        or "it may be compiled into its callers, or be of another kernel version: probe one that calls it",
    )


def why_untraceable(symbol: str) -> str:
    """Why the kernel lets nobody probe a function that it has, "" where nothing says."""
    try:
        listed = _BLACKLIST.read_text().splitlines()
    except OSError:
        listed = []
    if any(line.split()[1:2] == [symbol] for line in listed):
        return f"its own probing may run through {symbol}, which is in {_BLACKLIST}"
    for place in tracefs.PLACES:
        try:
            text = (place / "available_filter_functions").read_bytes()
        except OSError:
            continue
        if not re.search(rb"^%b(?:\s|$)" % re.escape(symbol.encode()), text, re.MULTILINE):
            return f"{symbol} is marked notrace, and is not in {place}/available_filter_functions"
    return ""


def _or(first: str, second: str) -> str:
    shows = f"{first} shows the same" if first else ""
    return "; ".join(filter(None, (shows, second)))


@cache
def _inlined_by(name: str) -> str:
    """The header that has a function as an inline one, "" where none has or there are no headers."""
    headers = kernel.headers()
    define = re.compile(rf"^static (?:__always_)?inline\b[^;{{(]*?\b{re.escape(name)}\(", re.MULTILINE)
    for tree in () if headers is None else (headers.path.parent / "source", headers.path):
        for part in _HEADERS:
            for path in sorted((tree / "include" / part).rglob("*.h")):
                text = path.read_text(errors="replace")
                if name in text and define.search(text):
                    return str(path.relative_to(tree / "include"))
    return ""


def _module_of(name: str) -> str:
    """The module that a function is named for, where it exists and is not loaded; "" for none."""
    prefix = name.partition("_")[0]
    try:
        listed = (_MODULES / kernel.release() / "modules.dep").read_text()
    except OSError:
        return ""
    loaded = kallsyms.modules()
    if re.search(rf"/{re.escape(prefix)}\.ko(?:\.\w+)?:", listed) and prefix not in loaded:
        return prefix
    return ""
