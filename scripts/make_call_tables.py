#!/usr/bin/env python3
"""Make ``ebpf_lab/frame/calls/tables.json`` from a kernel's headers.

Arguments of the system calls (C types and names) and the constants that they take, for x86-64 and aarch64.
Debian's package linux-headers-VERSION-common has the headers; those of the newest kernel should be used,
because old calls and constants stay what they are.  Where the headers name no arguments, the running kernel
is asked, on x86-64::

    scripts/make_call_tables.py UNPACKED/usr/src/linux-headers-VERSION-common
"""

from __future__ import annotations

import argparse
import ast
import json
import operator
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TABLES = Path(__file__).resolve().parent.parent / "ebpf_lab" / "frame" / "calls" / "tables.json"
DIRECTORIES = {"x86_64": "x86", "aarch64": "arm64"}

# Declared for several architectures, without names and in an order of their own: kernel/fork.c has the names.
_CLONE_BEGIN = ["unsigned long clone_flags", "unsigned long newsp", "int * parent_tidptr"]
_CLONE = {
    "x86_64": [*_CLONE_BEGIN, "int * child_tidptr", "unsigned long tls"],
    "aarch64": [*_CLONE_BEGIN, "unsigned long tls", "int * child_tidptr"],
}

# The function of a call, where include/uapi/asm-generic/unistd.h does not say another name: x86-64 has the
# second version of these calls under the first one's name.
_SECOND_VERSIONS = {"stat": "newstat", "lstat": "newlstat"}

_MMAN_COMMON = "uapi/asm-generic/mman-common.h"
_MMAN = (
    "uapi/linux/mman.h", _MMAN_COMMON, "uapi/asm-generic/mman.h", "../arch/{}/include/uapi/asm/mman.h"
)  # fmt: skip
_FCNTL = ("uapi/asm-generic/fcntl.h", "uapi/linux/fcntl.h")
# Groups of constants: what their names look like, and the headers that have them.  Of several names of a
# value the first one stands.
_GROUPS: dict[str, tuple[str, ...]] = {
    "access_mode": (r"MAY_(EXEC|WRITE|READ)", "linux/fs.h"),
    "address_family": (r"AF_(?!MAX)\w+", "linux/socket.h"),
    "advice": (r"MADV_\w+", _MMAN_COMMON),
    "arch_prctl": (r"ARCH_\w+", "../arch/x86/include/uapi/asm/prctl.h"),
    "at": (
        r"AT_(SYMLINK_\w+|REMOVEDIR|EMPTY_PATH|NO_AUTOMOUNT|STATX_(FORCE|DONT)_SYNC|RECURSIVE)",
        "uapi/linux/fcntl.h",
    ),
    "at_fdcwd": (r"AT_FDCWD", "uapi/linux/fcntl.h"),
    "clock": (r"CLOCK_(?!MONO$|.*MASK)\w+", "uapi/linux/time.h"),
    "clone": (r"CLONE_(?!ARGS_)\w+", "uapi/linux/sched.h"),
    "epoll_control": (r"EPOLL_CTL_\w+", "uapi/linux/eventpoll.h"),
    "file_advice": (
        r"POSIX_FADV_(NORMAL|RANDOM|SEQUENTIAL|WILLNEED|DONTNEED|NOREUSE)",
        "uapi/linux/fadvise.h",
    ),
    "fcntl": (
        r"F_(DUPFD|[GS]ET\w+|NOTIFY|DUPFD_\w+|ADD_SEALS|CANCELLK|CREATED_QUERY)(?<!64)(?<!_EX)",
        *_FCNTL,
    ),
    "futex": (r"FUTEX_(WAIT|WAKE|FD|REQUEUE|CMP_\w+|WAKE_OP|\w*_PI2?|\w+_BITSET)", "uapi/linux/futex.h"),
    "futex_flag": (r"FUTEX_(PRIVATE_FLAG|CLOCK_REALTIME)", "uapi/linux/futex.h"),
    "ioctl": (r"(TC[GSXF]|TIO(?!CPKT_|CSER_)|FIO)\w+", "uapi/asm-generic/ioctls.h"),
    "lock": (r"LOCK_(SH|EX|UN|NB)", "uapi/asm-generic/fcntl.h"),
    "map_type": (r"MAP_(SHARED|PRIVATE|SHARED_VALIDATE)", "uapi/linux/mman.h"),
    "map": (r"MAP_(?!SHARED|PRIVATE|TYPE|FILE|HUGE_|UNINIT)\w+", *_MMAN),
    "memfd": (r"MFD_(?!HUGE_)\w+", "uapi/linux/memfd.h"),
    "message": (r"MSG_(?!EOF|INTERNAL|SENDPAGE|NO_SHARED)\w+", "linux/socket.h"),
    "mremap": (r"MREMAP_\w+", "uapi/linux/mman.h"),
    "msync": (r"MS_\w+", _MMAN_COMMON),
    "prctl": (r"PR_(SET_(?!MM_|VMA_)|GET|CAP)\w+(?<!AMBIENT_RAISE)(?<!AMBIENT_LOWER)", "uapi/linux/prctl.h"),
    "protection": (r"PROT_(?!NONE)\w+", *_MMAN),
    "random": (r"GRND_\w+", "uapi/linux/random.h"),
    "rename": (r"RENAME_\w+", "uapi/linux/fs.h"),
    "resource": (r"RLIMIT_\w+", "uapi/asm-generic/resource.h"),
    "seek": (r"SEEK_(?!MAX)\w+", "uapi/linux/fs.h"),
    "signal_mask": (r"SIG_(BLOCK|UNBLOCK|SETMASK)", "uapi/asm-generic/signal-defs.h"),
    "socket_level": (r"SOL_\w+", "uapi/asm-generic/socket.h", "linux/socket.h"),
    "socket_option": (r"SO_\w+(?<!_OLD|_NEW)", "uapi/asm-generic/socket.h"),
    "socket_type": (r"SOCK_(STREAM|DGRAM|RAW|RDM|SEQPACKET|DCCP|PACKET)", "linux/net.h"),
    "statx": (r"STATX_(?!ATTR|_)\w+", "uapi/linux/stat.h"),
    "unmount": (r"(MNT_(FORCE|DETACH|EXPIRE)|UMOUNT_NOFOLLOW)", "linux/fs.h"),
    "wait": (r"(W(NOHANG|UNTRACED|STOPPED|EXITED|CONTINUED|NOWAIT)|__W[A-Z]+)", "uapi/linux/wait.h"),
    "wait_id": (r"P_\w+", "uapi/linux/wait.h"),
}

_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.BitOr: operator.or_, ast.BitAnd: operator.and_,
    ast.LShift: operator.lshift, ast.Invert: operator.invert, ast.USub: operator.neg,
}  # fmt: skip


def prototypes(common: Path) -> dict[str, list[str]]:
    """Return the arguments ("const char * filename") of each system call function in the headers."""
    found: dict[str, list[str]] = {}
    for header in ("linux/syscalls.h", "asm-generic/syscalls.h"):
        text = (common / "include" / header).read_text()
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
        for name, arguments in re.findall(r"asmlinkage long sys_(\w+)\(([^()]*)\);", text):
            plain = [_argument(each) for each in arguments.split(",")]
            # Of several declarations, which are for several architectures, the one with names is better.
            if name not in found or all(map(_is_named, plain)):
                found[name] = [] if plain in (["void"], [""]) else plain
    return found


def _argument(text: str) -> str:
    words = re.sub(r"\b(__user|__capability)\b", "", text).replace("*", " * ").split()
    joined = " ".join(words)
    # "const char * const * argv", "u32 seals[]": as pointers, which they are when passed.
    return re.sub(r"(\w+) ?\[\w*\]$", r"* \1", joined)


def _is_named(argument: str) -> bool:
    words = argument.replace("*", " * ").split()
    types = {
        "*",
        "const",
        "struct",
        "int",
        "long",
        "char",
        "short",
        "unsigned",
        "__u32",
        "u32",
        "size_t",
        "loff_t",
    }
    return len(words) > 1 and words[-1] not in types and words[-2] != "struct"


def described(formats: Path) -> dict[str, list[str]]:
    """Return what the running kernel says of its system call functions, in tracefs."""
    found = {}
    for path in formats.glob("sys_enter_*/format"):
        fields = re.findall(r"field:([^;]+?) ?(\w+);\toffset:(\d+)", path.read_text())
        found[path.parent.name.removeprefix("sys_enter_")] = [
            _argument(f"{kind} {name}") for kind, name, offset in fields if int(offset) >= 16
        ]
    return found


def functions(common: Path) -> dict[str, str]:
    """Return the functions of calls with another name, by the call's name."""
    text = (common / "include/uapi/asm-generic/unistd.h").read_text()
    pairs = dict(re.findall(r"__SYSCALL\(__NR_(\w+), sys_(\w+)\)", text))
    pairs |= re.findall(r"__SC_COMP\(__NR_(\w+), sys_(\w+),", text)
    pairs |= re.findall(r"__SC_(?:COMP_)?3264\(__NR_(\w+), \w+, sys_(\w+)", text)
    # Some are there under a name of their own for both word lengths: __NR3264_fstat is fstat and fstat64.
    pairs |= {name: function for name, function in re.findall(r"__NR3264_(\w+), sys_\w+, sys_(\w+)", text)}
    # What is no longer there is still listed, as a call that does nothing.
    gone = {name for name, function in pairs.items() if function == "ni_syscall"}
    return {name: pairs[name] for name in pairs.keys() - gone if pairs[name] != name} | _SECOND_VERSIONS


def arguments(
    common: Path, calls: Iterable[str], arch: str, formats: Path | None = None
) -> dict[str, list[str]]:
    """Return the arguments of an architecture's system calls, by name.

    Where the headers leave names out, those that the running kernel says are taken from ``formats``; calls
    without declaration there too are absent.
    """
    declared, other = prototypes(common), functions(common)
    running = {} if formats is None else described(formats)
    found = {}
    for name in calls:
        function = other.get(name, name)
        known = declared.get(function, declared.get(name))
        if name == "clone":
            known = _CLONE[arch]
        elif known is None or not all(map(_is_named, known)):
            known = running.get(function, running.get(name))
        if known is not None:
            found[name] = known
    return found


def constants(common: Path, group: str, arch: str) -> dict[int, str]:
    """Return the names of a group of constants by value."""
    pattern, *headers = _GROUPS[group]
    defined: dict[str, str] = {}
    for header in headers:
        text = (common / "include" / header.format(DIRECTORIES[arch])).read_text()
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
        for name, value in re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(.+)$", text, re.MULTILINE):
            defined.setdefault(name, value)
        defined |= re.findall(r"^\s+([A-Z]\w+)\s*=\s*(\w+),", text, re.MULTILINE)
    found: dict[int, str] = {}
    for name in defined:
        if re.fullmatch(pattern, name) and (value := evaluate(defined, name)) is not None:
            found.setdefault(value, name)
    return dict(sorted(found.items()))


def evaluate(defined: Mapping[str, str], name: str, depth: int = 8) -> int | None:
    """Return the value of a macro that is a constant C expression, None where it is not."""
    if depth == 0 or name not in defined:
        return None

    def expand(match: re.Match[str]) -> str:
        value = evaluate(defined, match[0], depth - 1)
        return "?" if value is None else str(value)

    text = re.sub(r"\b(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]+\b", r"\1", defined[name].strip())
    text = re.sub(r"\b0([0-7]+)\b", r"0o\1", text)
    text = re.sub(r"(?<![\w.])[A-Za-z_]\w*", expand, text)
    try:
        return _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        return None


def _value(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return int(_OPERATORS[type(node.op)](_value(node.left), _value(node.right)))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return int(_OPERATORS[type(node.op)](_value(node.operand)))
    raise ValueError(ast.dump(node))


def tables(common: Path, calls: Mapping[str, Iterable[str]], formats: Path) -> dict[str, Any]:
    """Return all tables.

    Parameters
    ----------
    common : Path
        The header tree of all architectures.
    calls : mapping
        Names of the system calls by architecture.
    formats : Path
        tracefs's directory of system calls, on x86-64.
    """
    by_arch = {arch: arguments(common, names, arch, formats) for arch, names in calls.items()}
    groups = {arch: {name: constants(common, name, arch) for name in sorted(_GROUPS)} for arch in DIRECTORIES}
    return {"arguments": _shared(by_arch), "constants": _shared(groups)}


def _shared(by_arch: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Take what all architectures agree on out of them, under "all"."""
    names = {name for table in by_arch.values() for name in table}
    same = {
        name for name in names
        if len({json.dumps(table[name]) for table in by_arch.values() if name in table}) == 1
    }  # fmt: skip
    first = {name: next(table[name] for table in by_arch.values() if name in table) for name in sorted(same)}
    rest = {
        arch: {name: table[name] for name in sorted(table) if name not in same}
        for arch, table in by_arch.items()
    }
    return {"all": first, **rest}


def main() -> int:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("common", type=Path, help="the tree of linux-headers-VERSION-common")
    parser.add_argument("--formats", type=Path, default=Path("/sys/kernel/tracing/events/syscalls"))
    parsed = parser.parse_args()
    names = json.loads((TABLES.parents[1] / "tables.json").read_text())["syscall"]
    made = tables(
        parsed.common, {arch: list(calls.values()) for arch, calls in names.items()}, parsed.formats
    )
    TABLES.write_text(_text(made))
    return 0


def _text(made: Mapping[str, Any]) -> str:
    """JSON with one call or group a line, which reads well in a diff."""
    parts = []
    for table, by_arch in made.items():
        lines = []
        for arch, entries in by_arch.items():
            inner = ",\n".join(
                f"   {json.dumps(name)}: {json.dumps(value)}" for name, value in entries.items()
            )
            lines.append(f"  {json.dumps(arch)}: {{\n{inner}\n  }}")
        parts.append(f" {json.dumps(table)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
