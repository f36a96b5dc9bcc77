"""``--set NAME=VALUE``: give a program's global variables their values before it is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ebpf_lab.backends.libbpf_object import BpfMap
from ebpf_lab.errors import UsageProblem
from ebpf_lab.source.btf import Btf, Kind
from ebpf_lab.source.ctype import Array, CType, Enum, Int
from ebpf_lab.source.words import did_you_mean, listing

_SETTABLE = re.compile(r"\.(?:rodata|data|bss)(?!\.lab_loss|\.str)(?:\..*)?")
_TRUTH = {"true": 1, "false": 0}


@dataclass(frozen=True, slots=True)
class Variable:
    """A global variable: ``offset`` and ``size`` in bytes in the section's map."""

    name: str
    section: str
    type: CType
    offset: int
    size: int
    fixed: bool


def variables(btf: Btf, maps: Mapping[str, BpfMap]) -> dict[str, Variable]:
    """The program's global variables by name.

    Parameters
    ----------
    btf : Btf
        The object's types, with offsets filled in by libbpf.
    maps : mapping
        Its maps; the sections of variables are among them.
    """
    found: dict[str, Variable] = {}
    for section, map_ in maps.items():
        if not map_.internal or not _SETTABLE.fullmatch(section):
            continue
        for variable in btf.datasec(section):
            # A dot: a static variable within a function.
            if "." not in variable.name:
                found[variable.name] = Variable(
                    variable.name,
                    section,
                    btf.ctype(variable.type_id),
                    variable.offset,
                    variable.size,
                    fixed=section.startswith(".rodata") and not _is_volatile(btf, variable.type_id),
                )
    return found


def apply(settings: Mapping[str, str], known: Mapping[str, Variable], maps: Mapping[str, BpfMap]) -> None:
    """Write each setting over the initial value of its variable.

    Raises
    ------
    UsageProblem
        There is no such variable, or the value does not fit its type.
    """
    for name, text in settings.items():
        variable = known.get(name)
        if variable is None:
            raise UsageProblem(
                f"--set {name}={text}: the program has no global variable {name}",
                why=f"it has {listing(sorted(known))}" if known else "it has no global variables",
                hint=did_you_mean(name, known) or f"declare it as: const volatile int {name} = 0;",
            )
        if variable.fixed:
            raise UsageProblem(
                f"--set {name}={text}: {name} is a constant",
                why="the compiler has already put its value into the instructions",
                hint="declare it const volatile",
            )
        value = _encode(f"--set {name}={text}", variable.type, text)
        map_ = maps[variable.section]
        content = bytearray(map_.initial)
        content[variable.offset : variable.offset + variable.size] = value
        map_.initial = bytes(content)


def _encode(setting: str, ctype: CType, text: str) -> bytes:
    if isinstance(ctype, Int):
        return _integer(setting, _TRUTH.get(text, text) if ctype.boolean else text, ctype)
    if isinstance(ctype, Enum):
        names = dict(ctype.values)
        if text not in names and not _is_number(text):
            raise UsageProblem(
                f"{setting}: {text} is no value of enum {ctype.name}",
                why=f"it has {listing(names)}",
                hint=did_you_mean(text, names),
            )
        return _integer(setting, names.get(text, text), Int(f"enum {ctype.name}", ctype.size, ctype.signed))
    if isinstance(ctype, Array) and isinstance(ctype.element, Int) and ctype.element.char:
        data = text.encode()
        if len(data) >= ctype.length:
            raise UsageProblem(
                f"{setting}: the text is too long",
                why=f"it has {len(data)} bytes, and char[{ctype.length}] holds {ctype.length - 1}"
                " and the zero byte that ends it",
            )
        return data.ljust(ctype.length, b"\0")
    raise UsageProblem(
        f"{setting}: a variable of this type cannot be set",
        why="settings are integers, booleans, enums and char arrays",
    )


def _integer(setting: str, value: str | int, ctype: Int) -> bytes:
    if isinstance(value, str):
        if not _is_number(value):
            raise UsageProblem(f"{setting}: {value!r} is no {'boolean' if ctype.boolean else 'integer'}")
        value = int(value, 0)
    bits = 1 if ctype.boolean else ctype.size * 8
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if ctype.signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise UsageProblem(f"{setting}: {value} does not fit", why=f"{ctype.name} holds {low} to {high}")
    return value.to_bytes(ctype.size, "little", signed=ctype.signed)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0+|[1-9][0-9]*)", text))


def _is_volatile(btf: Btf, type_id: int) -> bool:
    head = btf.type(type_id)
    while head.kind in (Kind.CONST, Kind.VOLATILE, Kind.TYPEDEF, Kind.TYPE_TAG, Kind.ARRAY):
        if head.kind == Kind.VOLATILE:
            return True
        # An array's qualifiers are its elements'.
        type_id = btf.words(head.id, 12, 1)[0] if head.kind == Kind.ARRAY else head.size_or_type
        head = btf.type(type_id)
    return False
