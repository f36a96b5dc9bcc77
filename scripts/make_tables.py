#!/usr/bin/env python3
"""Make ``ebpf_lab/frame/tables.json`` from the kernel's uapi headers.

Names of system calls and open flags for each architecture, and of errors and signals, as the C preprocessor
sees them.  Headers of the newest kernel should be used: numbers are never reused, so its tables fit every
older kernel.  Debian's package linux-libc-dev, from 6.10 on, has those of all architectures::

    scripts/make_tables.py --include UNPACKED/usr/include
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TABLES = Path(__file__).resolve().parent.parent / "ebpf_lab" / "frame" / "tables.json"
TRIPLETS = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}

# What arch/arm64/include/uapi/asm/unistd.h defines before it includes the generic table: with it, headers
# of another architecture from before 6.11 give arm64's system calls, too.
_ARM64_WANTS = (
    "RENAMEAT", "NEW_STAT", "SET_GET_RLIMIT", "TIME32_SYSCALLS", "SYS_CLONE3", "MEMFD_SECRET"
)  # fmt: skip
# Second names of a number, and marks that are no signals.
_NOT_SIGNALS = {"SIGIOT", "SIGPOLL", "SIGUNUSED", "SIGRTMIN", "SIGRTMAX", "SIGSTKSZ"}
# The end of the table, and the begin of a range kept for the architectures.
_NOT_CALLS = {"__NR_syscalls", "__NR_arch_specific_syscall"}
# Masks and sums of other flags; readers put the sums together themselves.
_NOT_FLAGS = {"O_ACCMODE", "O_RDONLY", "O_WRONLY", "O_RDWR", "O_NDELAY", "O_SYNC", "O_TMPFILE"}


def macros(include: Path, arch: str, header: str, defines: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the object-like macros that a header defines, unexpanded.

    Parameters
    ----------
    include : Path
        A directory like ``/usr/include``.
    arch : str
        "x86_64" or "aarch64".
    header : str
        As in ``#include``.
    defines : tuple of str
        Macros defined before.
    """
    text = subprocess.run(
        [
            "clang", "-E", "-dM", f"--target={TRIPLETS[arch]}", "-nostdinc",
            "-I", str(include / TRIPLETS[arch]), "-I", str(include),
            *(f"-D{name}" for name in defines), "-x", "c", "-",
        ],
        input=f"#include <{header}>\n", capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return dict(re.findall(r"^#define (\w+) (.+)$", text, re.MULTILINE))


def number(defined: Mapping[str, str], name: str) -> int | None:
    """Return the value of a macro that is a C integer, ``(1 << n)``, or another name of one."""
    text = defined[name].strip("() ")
    if text in defined:
        return number(defined, text)
    if shift := re.fullmatch(r"1 << ([0-9]+)", text):
        return 1 << int(shift[1])
    literal = re.fullmatch(r"(?:(0[xX][0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))[uUlL]*", text)
    if not literal:
        return None
    hexadecimal, octal, decimal = literal.groups()
    return int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)


def system_calls(include: Path, arch: str) -> dict[int, str]:
    """Return the names of an architecture's system calls by number."""
    if has_headers(include, arch):
        defined = macros(include, arch, "asm/unistd.h")
    else:
        wants = tuple(f"__ARCH_WANT_{want}" for want in _ARM64_WANTS)
        defined = macros(include, "x86_64", "asm-generic/unistd.h", wants)
    names = (name for name in defined if re.match(r"__NR_[a-z]", name) and name not in _NOT_CALLS)
    found = ((number(defined, name), name.removeprefix("__NR_")) for name in names)
    return dict(sorted((value, name) for value, name in found if value is not None))


def open_flags(include: Path, arch: str) -> dict[int, str]:
    """Return the names of the single bits of open(2)'s flags."""
    defined = macros(include, arch, "asm/fcntl.h")
    # What C programs call O_ASYNC, the kernel calls FASYNC.
    defined["O_ASYNC"] = defined["FASYNC"]
    names = [name for name in defined if re.match(r"(__)?O_[A-Z]+$", name) and name not in _NOT_FLAGS]
    return _by_number(defined, names)


def errors(include: Path, arch: str) -> dict[int, str]:
    """Return the names of error numbers; of several names, the one that the others are defined by."""
    defined = macros(include, arch, "asm/errno.h")
    return _by_number(defined, [name for name in defined if re.match(r"E[A-Z0-9]+$", name)])


def error_words(numbers: Iterable[int]) -> dict[int, str]:
    """Return what C programs say of errors here; elsewhere the same numbers may be other errors."""
    words = {number: os.strerror(number) for number in numbers}
    return {number: said for number, said in words.items() if not said.startswith("Unknown")}


def signals(include: Path, arch: str) -> dict[int, str]:
    """Return the names of the signals up to 31; the real-time ones have none."""
    defined = macros(include, arch, "asm/signal.h")
    return _by_number(
        defined, [name for name in defined if re.match(r"SIG[A-Z0-9]+$", name) and name not in _NOT_SIGNALS]
    )


def _by_number(defined: Mapping[str, str], names: list[str]) -> dict[int, str]:
    plain = ((number(defined, name), name) for name in names if defined[name] not in defined)
    return dict(sorted((value, name) for value, name in plain if value is not None))


def has_headers(include: Path, arch: str) -> bool:
    """Whether the directory has an architecture's own headers."""
    return (include / TRIPLETS[arch] / "asm" / "unistd.h").exists()


def tables(include: Path) -> dict[str, Any]:
    """Return all tables; needs the headers of both architectures."""
    return {
        "errno": errors(include, "x86_64"),
        "errno_words": error_words(errors(include, "x86_64")),
        "signal": signals(include, "x86_64"),
        "open_flags": {arch: open_flags(include, arch) for arch in TRIPLETS},
        "syscall": {arch: system_calls(include, arch) for arch in TRIPLETS},
    }


def main() -> int:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--include", type=Path, default=Path("/usr/include"), help="directory of the headers")
    include = parser.parse_args().include
    missing = [arch for arch in TRIPLETS if not has_headers(include, arch)]
    if missing:
        print(f"{include} has no headers for {' and '.join(missing)}", file=sys.stderr)
        return 1
    TABLES.write_text(json.dumps(tables(include), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
