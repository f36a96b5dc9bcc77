"""Probe names in bpftrace's syntax, as plain data.

========================================  =========================================================
``kprobe:FUNCTION[+OFFSET]``              a kernel function is entered; a system call may be named
                                          plainly (``kprobe:sys_clone``)
``kretprobe:FUNCTION``                    it returns
``ksyscall:NAME``, ``kretsyscall:NAME``   a system call, on any architecture (``ksyscall:clone``)
``tracepoint:CATEGORY:EVENT``             a kernel tracepoint with its documented arguments
``rawtracepoint:EVENT``, ``tp_btf:EVENT`` the same place, with the kernel's own arguments
``fentry:FUNCTION``, ``fexit:FUNCTION``   a kernel function, arguments by name
``lsm:HOOK``                              a decision of the kernel's security layer
``uprobe:BINARY:SYMBOL[+OFFSET]``         a function of a library ("libc") or program (a path);
                                          ``uprobe:BINARY:0xADDRESS`` is an address in it
``uretprobe:BINARY:SYMBOL``               it returns
``usdt:BINARY[:PROVIDER]:PROBE``          a marker that the program's authors put in
``profile:hz:RATE``                       every CPU, RATE times a second; or ``s``, ``ms``, ``us``
                                          for every so many of these
``xdp:INTERFACE``                         packets as they arrive at a network interface, before the
                                          kernel does anything with them
========================================  =========================================================

``.s`` behind uprobe, uretprobe, fentry, fexit and lsm is a program that may sleep.  ``?`` before a probe, as
before the name in libbpf's ``SEC("?…")``, leaves the program out where there is no such place: open(2) is a
system call on x86-64 and none on aarch64, so ``?tracepoint:syscalls:sys_enter_open``.  bpftrace's short and
older names (``k``, ``t``, ``kfunc``, ``raw_tp``, …) are read, never written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, NoReturn, get_args

from ebpf_lab.errors import Mark, UsageProblem
from ebpf_lab.nearest import nearest
from ebpf_lab.source.words import did_you_mean

ProbeKind = Literal[
    "kprobe",
    "kretprobe",
    "ksyscall",
    "kretsyscall",
    "tracepoint",
    "rawtracepoint",
    "tp_btf",
    "fentry",
    "fexit",
    "lsm",
    "uprobe",
    "uretprobe",
    "usdt",
    "profile",
    "xdp",
]

_KINDS: dict[str, ProbeKind] = {kind: kind for kind in get_args(ProbeKind)}
_ALIASES: dict[str, ProbeKind] = {
    "k": "kprobe",
    "kr": "kretprobe",
    "t": "tracepoint",
    "tp": "tracepoint",
    "rt": "rawtracepoint",
    "raw_tp": "rawtracepoint",
    "raw_tracepoint": "rawtracepoint",
    "f": "fentry",
    "fr": "fexit",
    "kfunc": "fentry",
    "kretfunc": "fexit",
    "u": "uprobe",
    "ur": "uretprobe",
    "U": "usdt",
    "p": "profile",
}
_SLEEPABLE = frozenset({"uprobe", "uretprobe", "fentry", "fexit", "lsm"})

# ``bpftrace -l`` of today prints the module too; the kernel image itself is the only one that adds nothing.
_KERNEL = r"(?:vmlinux:)?"
_NUMBER = r"0[xX][0-9a-fA-F]+|[0-9]+"
_OFFSET = rf"(?:\+(?P<offset>{_NUMBER}))?"
_FUNCTION = r"(?P<name>[A-Za-z_.$][\w.$]*)"
# Symbols of user programs are whatever their compiler made of the names ("main.(*T).Run", "_ZN1aEv").
_SYMBOL = r"(?P<name>(?![0-9])(?:[^\s:+*]|(?<=\()\*)+)"
_SYSCALL = r"(?:(?:__[a-z0-9]+_(?:compat_)?)?sys_)?(?P<name>[a-z_][a-z0-9_]*)"

_FORMS: dict[ProbeKind, tuple[str, str, str]] = {
    # kind: what follows "kind:", as a pattern, in words, and as an example
    "kprobe": (_KERNEL + _FUNCTION + _OFFSET, "FUNCTION[+OFFSET]", "do_unlinkat"),
    "kretprobe": (_KERNEL + _FUNCTION, "FUNCTION", "do_unlinkat"),
    "ksyscall": (_SYSCALL, "NAME", "openat"),
    "kretsyscall": (_SYSCALL, "NAME", "openat"),
    "tracepoint": (
        r"(?P<group>[\w-]+):(?P<name>[\w-]+)",
        "CATEGORY:EVENT",
        "syscalls:sys_enter_openat",
    ),
    "rawtracepoint": (_KERNEL + r"(?P<name>\w+)", "EVENT", "sys_enter"),
    "tp_btf": (_KERNEL + r"(?P<name>\w+)", "EVENT", "sched_switch"),
    "fentry": (_KERNEL + _FUNCTION, "FUNCTION", "do_unlinkat"),
    "fexit": (_KERNEL + _FUNCTION, "FUNCTION", "do_unlinkat"),
    "lsm": (r"(?P<name>\w+)", "HOOK", "file_open"),
    "uprobe": (
        rf"(?P<binary>[^\n]+):(?:(?P<address>{_NUMBER})|{_SYMBOL}{_OFFSET})",
        "BINARY:SYMBOL[+OFFSET]",
        "libc:printf",
    ),
    "uretprobe": (
        rf"(?P<binary>[^\n]+):(?:(?P<address>{_NUMBER})|{_SYMBOL})",
        "BINARY:SYMBOL",
        "libc:printf",
    ),
    "usdt": (
        r"(?P<binary>[^\n]+?):(?:(?P<group>[^\s:*]+):)?(?P<name>[^\s:*]+)",
        "BINARY[:PROVIDER]:PROBE",
        "/usr/bin/python3:python:line",
    ),
    "profile": (r"(?P<name>hz|s|ms|us):(?P<rate>[0-9]+)", "hz:RATE", "hz:49"),
    # As dev_valid_name() in net/core/dev.c has it.
    "xdp": (r"(?P<name>[^\s/:*?\[]{1,15})", "INTERFACE", "lo"),
}
_PATTERNS = {kind: re.compile(form[0], re.ASCII) for kind, form in _FORMS.items()}

_SECTIONS: dict[str, ProbeKind] = {
    "kprobe": "kprobe",
    "kretprobe": "kretprobe",
    "ksyscall": "ksyscall",
    "kretsyscall": "kretsyscall",
    "tp": "tracepoint",
    "tracepoint": "tracepoint",
    "raw_tp": "rawtracepoint",
    "raw_tracepoint": "rawtracepoint",
    "raw_tp.w": "rawtracepoint",
    "raw_tracepoint.w": "rawtracepoint",
    "tp_btf": "tp_btf",
    "fentry": "fentry",
    "fexit": "fexit",
    "lsm": "lsm",
    "uprobe": "uprobe",
    "uretprobe": "uretprobe",
    "usdt": "usdt",
    "perf_event": "profile",
    "xdp": "xdp",
    "xdp.frags": "xdp",
}

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Probe:
    """One attach target.

    Attributes
    ----------
    kind : str
        Probe type, e.g. "kprobe".  "ksyscall" and "kretsyscall" name a system call plainly.
    name : str
        Kernel function, system call without prefix, tracepoint event, user symbol, USDT probe name, network
        interface or, for ``profile``, the unit ("hz", "s", "ms", "us").
    group : str
        Tracepoint category or USDT provider, else "".
    binary : str
        Library or executable of a user probe, as written: a soname ("libc") or a path.
    offset : int
        Bytes behind the symbol (kprobe, uprobe); a user probe with an empty ``name`` is at this address.
    rate : int
        Frequency or period of ``profile``, in the unit of ``name``.
    sleepable : bool
        The program may sleep (``uprobe.s``, ``fentry.s``, ``lsm.s``).
    optional : bool
        The program is left out where there is no such place (``?kprobe:…``).
    """

    kind: ProbeKind
    name: str
    group: str = ""
    binary: str = ""
    offset: int = 0
    rate: int = 0
    sleepable: bool = False
    optional: bool = False

    def __str__(self) -> str:
        """The probe in bpftrace's syntax; :meth:`parse` reads it back."""
        kind = ("?" if self.optional else "") + self.kind + (".s" if self.sleepable else "")
        if self.kind == "profile":
            return f"{kind}:{self.name}:{self.rate}"
        place = self.name or f"{self.offset:#x}"
        if self.name and self.offset:
            place += f"+{self.offset:#x}"
        return ":".join(part for part in (kind, self.binary, self.group, place) if part)

    @classmethod
    def parse(cls, text: str) -> Probe:
        """Read a probe in bpftrace's syntax.

        Raises
        ------
        UsageProblem
            The text is not the name of one probe; its mark (line 0) is the part that is wrong.

        Examples
        --------
        >>> Probe.parse("tracepoint:syscalls:sys_enter_openat").group
        'syscalls'
        >>> str(Probe.parse("u:libc:printf+4"))
        'uprobe:libc:printf+0x4'
        >>> Probe.parse("?kprobe:do_sys_open").optional
        True
        """
        text = text.strip()
        optional = text.startswith("?")
        word, colon, place = text.removeprefix("?").partition(":")
        base = word.removesuffix(".s")
        sleepable = base != word
        kind = _KINDS.get(base) or _ALIASES.get(base)
        if kind is None:
            _fail(
                text,
                optional,
                len(word),
                f"{word!r} is no kind of probe" if word else "a probe must be named",
                why=f"there are {', '.join(_KINDS)}",
                hint=did_you_mean(base, _KINDS) or "for instance tracepoint:syscalls:sys_enter_openat",
            )
        if sleepable and kind not in _SLEEPABLE:
            hint = f"write {kind}:{place} without the .s"
            _fail(text, optional, len(word), f"a {kind} program cannot sleep", hint=hint)
        form = f"{kind}:{_FORMS[kind][1]}, for instance {kind}:{_FORMS[kind][2]}"
        if not place:
            _fail(text, 0, len(text), f"{text!r} says what kind of probe, not where", hint=form)
        probe = _match(kind, sleepable, text, optional + len(word) + len(colon), place, form)
        return replace(probe, optional=optional)


def _match(kind: ProbeKind, sleepable: bool, text: str, start: int, place: str, form: str) -> Probe:
    match = _PATTERNS[kind].fullmatch(place)
    if match is None:
        wildcard = re.search(r"[*?\[]", place)
        if wildcard:
            _fail(
                text,
                start + wildcard.start(),
                1,
                "a program is attached to one probe, not to a pattern",
                hint=f"%bpf probes {text} lists what matches: choose one",
            )
        if _returns(kind) and re.search(rf"\+(?:{_NUMBER})$", place):
            plus = place.rindex("+")
            _fail(
                text,
                start + plus,
                len(place) - plus,
                f"a {kind} has no offset: a function returns as a whole",
                hint=form,
            )
        _fail(text, start, len(place), f"{text!r} is not the name of a {kind} probe", hint=form)
    parts = {key: value for key, value in match.groupdict().items() if value is not None}
    numbers: dict[str, int] = {}
    for key in ("address", "offset", "rate"):
        if key not in parts:
            continue
        at = start + match.start(key)
        # Python refuses to read more than a few thousand digits; nothing in an address space needs twenty.
        value = int(parts[key], 0 if parts[key][:2].lower() == "0x" else 10) if len(parts[key]) < 25 else -1
        if not 0 <= value <= _LARGEST or (key == "rate" and value == 0):
            _fail(text, at, len(parts[key]), f"{parts[key]} is no possible {key}", hint=form)
        numbers[key] = value
    return Probe(
        kind,
        parts.get("name", ""),
        group=parts.get("group", ""),
        binary=parts.get("binary", ""),
        offset=numbers.get("address", numbers.get("offset", 0)),
        rate=numbers.get("rate", 0),
        sleepable=sleepable,
    )


def _returns(kind: ProbeKind) -> bool:
    return kind in ("kretprobe", "kretsyscall", "fexit", "uretprobe")


def _fail(text: str, start: int, length: int, what: str, *, why: str = "", hint: str = "") -> NoReturn:
    where = (Mark(0, text, start + 1, length),) if length else ()
    raise UsageProblem(what, where=where, why=why, hint=hint)


def section_kind(section: str) -> tuple[ProbeKind, bool] | None:
    """The probe kind that a program in this ELF section is loaded for, and whether it may sleep.

    None for sections that hold something else (``license``, ``.maps``) or a program of another kind.

    Examples
    --------
    >>> section_kind("uprobe.s/libc:printf")
    ('uprobe', True)
    """
    prefix = section.removeprefix("?").partition("/")[0]
    base = prefix.removesuffix(".s")
    kind = _SECTIONS.get(base)
    sleepable = base != prefix
    if kind is None or (sleepable and kind not in _SLEEPABLE):
        return None
    return kind, sleepable


def section_form(kind: ProbeKind) -> tuple[str, str]:
    """How ``SEC`` names a probe of this kind: the parts of the name, and an example.

    Examples
    --------
    >>> section_form("tracepoint")
    ('tracepoint/CATEGORY/EVENT', 'tracepoint/syscalls/sys_enter_openat')
    """
    _, form, example = _FORMS[kind]
    if kind == "tracepoint":
        form, example = form.replace(":", "/"), example.replace(":", "/")
    prefix = "raw_tp" if kind == "rawtracepoint" else kind
    return f"{prefix}/{form}", f"{prefix}/{example}"


def nearest_section(section: str) -> str:
    """A section that is almost this one and says what kind of program is in it, "" where none is near.

    Examples
    --------
    >>> nearest_section("tracepont/sched/sched_switch")
    'tracepoint/sched/sched_switch'
    """
    prefix, slash, target = section.partition("/")
    near = nearest(prefix, _SECTIONS, limit=1)
    return f"{near[0]}{slash}{target}" if near else ""


def from_section(section: str) -> Probe | None:
    """The probe that the argument of ``SEC`` names, in libbpf's naming; None when it names none.

    Examples
    --------
    >>> str(from_section("tp/syscalls/sys_enter_openat"))
    'tracepoint:syscalls:sys_enter_openat'
    """
    found = section_kind(section)
    target = section.partition("/")[2]
    # Behind "xdp/" stands no interface, but where redirected packets are met: another kind of program.
    if found is None or not target or found[0] == "xdp":
        return None
    kind, sleepable = found
    if kind == "tracepoint":
        target = target.replace("/", ":", 1)
    try:
        probe = _match(kind, sleepable, target, 0, target, "")
    except UsageProblem:
        return None
    return replace(probe, optional=section.startswith("?"))
