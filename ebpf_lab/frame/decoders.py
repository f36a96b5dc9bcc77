"""Readable columns beside the numbers of well-known members.

=======================================  ===============  ===========================================
integer member, by its C name            added column     shows
=======================================  ===============  ===========================================
``open_flags``, ``oflags``; ``flags``    ``flags_names``  open(2)'s flags: ``O_RDONLY|O_CLOEXEC``
beside text that may be a file name
``ret``, ``retval``, ``rc``, ``result``  ``ret_errno``    the error of a negative value: ``ENOENT``
``err``, ``errno``, ``error``            ``errno_name``   the error, whatever its sign
``sig``, ``signal``, ``signo``           ``sig_name``     ``SIGKILL``
``nr``, ``syscall``, ``syscall_nr`` …    ``nr_name``      the system call of this architecture: ``openat``
``uid``, ``euid``, ``loginuid`` …        ``uid_name``     the user: ``root``
``mode``, ``file_mode`` …                ``mode_octal``   ``0644``
``saddr``, ``addr``, ``peer_addr`` …     ``saddr_ip``     ``192.0.2.1``, ``2001:db8::1``: 4 or 16 bytes
                                                          in network order
``stack_id``, ``kernel_stack_id`` …      ``stack`` …      the call chain (see :mod:`ebpf_lab.frame.stacks`)
=======================================  ===============  ===========================================

A prefix is kept (``old_uid`` gives ``old_uid_name``), and nested members count by their last name.  The
added columns are categoricals; they miss where there is nothing to say: no error, no signal, no user.
"""

from __future__ import annotations

import ipaddress
import json
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.distinct import Values
from ebpf_lab.frame.layout import Column, Kind
from ebpf_lab.source.ctype import Array, Int

try:
    import pwd
except ImportError:  # not on Windows, where recorded events can be read all the same
    pwd = None  # type: ignore[assignment]

Naming: TypeAlias = Callable[[Any], str | None]
Users: TypeAlias = Callable[[int], str]
"""Names users where the events are from."""

_BLOCK = 1 << 18
_ADDRESS_SIZES = (4, 16)
_MAX_ERRNO = 4095
_ACCESS = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")

# include/linux/errno.h: what the kernel's own functions return and user space never sees.
_KERNEL_ERRORS = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
    517: "EPROBE_DEFER",
    518: "EOPENSTALE",
    519: "ENOPARAM",
    524: "ENOTSUPP",
    529: "EIOCBQUEUED",
}


@dataclass(frozen=True, slots=True)
class Decoder:
    """How to name a column's values.

    Attributes
    ----------
    column : str
        The column that is added.
    name : callable
        Text of a value, None where there is nothing to say.
    """

    column: str
    name: Naming

    def apply(self, values: NDArray[Any]) -> pd.Categorical:
        """Name each distinct value once."""
        named = Values(len(values), self.name)
        for at in range(0, len(values), _BLOCK):
            codes, distinct = pd.factorize(values[at : at + _BLOCK])
            named.put(slice(at, at + len(codes)), codes, distinct.tolist())
        return named.categorical()


def machine(name: str = "") -> str:
    """An architecture that ``uname -m`` calls so, this machine's unless told, as the tables name it."""
    name = (name or platform.machine()).lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


@cache
def _tables() -> Any:
    return json.loads(resources.files("ebpf_lab.frame").joinpath("tables.json").read_text())


def _table(*path: str) -> dict[int, str]:
    found = _tables()
    for key in path:
        found = found.get(key, {})
    return {int(number): name for number, name in found.items()}


def errno_naming(positive: bool) -> Naming:
    """Name errors: of negative values alone, or ``positive`` ones too."""
    names = _table("errno") | _KERNEL_ERRORS

    def name(value: int) -> str | None:
        # Return values are often kept in types that lost their sign: -2 as 4294967294.
        for bits in (64, 32):
            if (1 << bits) - _MAX_ERRNO <= value < 1 << bits:
                value -= 1 << bits
        return None if value > 0 and not positive else names.get(abs(value))

    return name


@cache
def _error_words() -> dict[int, str]:
    return _table("errno_words")


def error_words(number: int) -> str:
    """What Linux calls an error to people, "" for one that user space does not know."""
    return _error_words().get(number, "")


def signal_naming() -> Naming:
    """Name signals; those for real time as ``kill -l`` does."""
    names = _table("signal")
    names |= {34: "SIGRTMIN", 64: "SIGRTMAX"} | {34 + n: f"SIGRTMIN+{n}" for n in range(1, 30)}
    return lambda value: names.get(value, str(value)) if value else None


def syscall_naming(arch: str) -> Naming:
    """Name system calls; -1 is none."""
    names = _table("syscall", arch)
    return lambda value: None if value in (-1, 2**32 - 1, 2**64 - 1) else names.get(value, str(value))


def syscall_numbers(arch: str) -> dict[str, int]:
    """The numbers of an architecture's system calls, by name; none for one without table."""
    return {name: number for number, name in _table("syscall", arch).items()}


def open_flags_naming(arch: str) -> Naming:
    """Name the flags of open(2), their access mode first."""
    table = _table("open_flags", arch)
    bits = {name: bit for bit, name in table.items()}

    def name(value: int) -> str:
        rest = value & 0xFFFF_FFFF if value < 0 else value
        names, rest = [_ACCESS[rest & 3]], rest & ~3
        # Two flags hold the bit of a weaker one, so that old kernels do at least that.
        for whole, stronger, weaker in (
            ("O_SYNC", "__O_SYNC", "O_DSYNC"),
            ("O_TMPFILE", "__O_TMPFILE", "O_DIRECTORY"),
        ):
            both = bits.get(stronger, 0) | bits.get(weaker, 0)
            if both and rest & both == both:
                names.append(whole)
                rest &= ~both
        names += [name for bit, name in table.items() if rest & bit]
        rest &= ~sum(bit for bit in table if rest & bit)
        return "|".join([*names, *([hex(rest)] if rest else [])])

    return name


def user_name(uid: int) -> str:
    """A user of this machine, by name where it has one."""
    try:
        return str(uid) if pwd is None else pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def user_naming(users: Users = user_name) -> Naming:
    """Name users; an audit ID that was never set is none."""

    def name(value: int) -> str | None:
        # bpf_get_current_uid_gid() has the group in its upper half, which is easily left on.
        uid = value & 0xFFFF_FFFF
        return None if uid == 0xFFFF_FFFF else users(uid)

    return name


def address_naming(value: bytes) -> str:
    """Show an internet address; one of IPv4 that IPv6 carries (::ffff:192.0.2.1) as what it is."""
    address = ipaddress.ip_address(value)
    return str(getattr(address, "ipv4_mapped", None) or address)


def mode_naming() -> Naming:
    """Show permissions as ls and chmod know them."""
    return lambda value: f"0{value & 0xFFFF_FFFF:o}" if value else "0"


_Rule: TypeAlias = Callable[[str, Users], Naming]


def _flags(arch: str, users: Users) -> Naming:
    return open_flags_naming(arch)


def _calls(arch: str, users: Users) -> Naming:
    return syscall_naming(arch)


_OPEN_FLAGS = ("_names", _flags)
_RULES: tuple[tuple[str, str, _Rule], ...] = (
    (r"(?:\w+_)?(?:open_?flags|oflags?|o_flags)", *_OPEN_FLAGS),
    (r"(?:\w+_)?(?:ret|retval|ret_val)|rc|result", "_errno", lambda *_: errno_naming(positive=False)),
    (r"err|errno|error", "_name", lambda *_: errno_naming(positive=True)),
    (r"(?:\w+_)?(?:sig|signal|signo|signum)", "_name", lambda *_: signal_naming()),
    (r"nr|sys_?nr|sys_?no|scno|syscall(?:_?(?:nr|no|id|num|number))?", "_name", _calls),
    (r"(?:\w+_)?(?:uid|euid|ruid|suid|fsuid|auid|loginuid)", "_name", lambda _, users: user_naming(users)),
    (r"mode|umask|(?:file|open|create|st|i)_mode", "_octal", lambda *_: mode_naming()),
)
_ADDRESS = re.compile(r"(?:\w+_)?(?:[sdlr]|src_|dst_|peer_)?addr(?:ess)?(?:_?v?[46])?")
_NOT_FILES = re.compile(r"(?:\w+_)?(?:comm|task|command|process)")


def decoders_for(columns: Sequence[Column], arch: str, users: Users = user_name) -> dict[str, Decoder]:
    """Find the members of an event that can be named.

    Parameters
    ----------
    columns : sequence of Column
        All columns of the event: the meaning of one may hang on the others.
    arch : str
        "x86_64" or "aarch64"; of another, neither system calls nor open flags are named.
    users : callable
        Names users where the events are from; this machine's unless told.

    Returns
    -------
    dict
        Decoders by the name of the column to decode.
    """
    taken = {column.name for column in columns}
    has_file = any(
        column.kind in (Kind.CATEGORY, Kind.TEXT) and not _NOT_FILES.fullmatch(_last(column))
        for column in columns
    )
    found = {}
    for column in columns:
        if (
            isinstance(column.type, Array)
            and column.kind is Kind.BYTES
            and column.size in _ADDRESS_SIZES
            and _ADDRESS.fullmatch(_last(column))
            and f"{column.name}_ip" not in taken
        ):
            found[column.name] = Decoder(f"{column.name}_ip", address_naming)
        for pattern, suffix, naming in _rules(arch, has_file):
            if (
                column.kind is Kind.NUMBER
                and isinstance(column.type, Int)
                and re.fullmatch(pattern, _last(column))
                and column.name + suffix not in taken
            ):
                found[column.name] = Decoder(column.name + suffix, naming(arch, users))
                break
    return found


def _rules(arch: str, has_file: bool) -> Iterator[tuple[str, str, _Rule]]:
    for rule in _RULES:
        if arch in _tables()["syscall"] or rule[2] not in (_flags, _calls):
            yield rule
    if has_file and arch in _tables()["open_flags"]:
        yield "flags", *_OPEN_FLAGS


def _last(column: Column) -> str:
    return column.name.rpartition(".")[2].lower()
