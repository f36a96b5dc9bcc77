"""What the values of a cell's options may be."""

from __future__ import annotations

import keyword
import math

from ebpf_lab.errors import UsageProblem
from ebpf_lab.source.cell_line import Refused
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.size import parse_size
from ebpf_lab.source.spec import Dialect
from ebpf_lab.source.words import did_you_mean

_LONGEST = 365 * 24 * 3600


def variable_name(value: str) -> str:
    """A variable for the result."""
    if not value.isidentifier() or keyword.iskeyword(value):
        raise Refused(value, f"{value!r} is no name for a variable", hint="for instance -o opens")
    return value


def seconds(value: str) -> float:
    """A length of time."""
    try:
        length = float(value)
    except ValueError:
        raise Refused(value, f"{value!r} is no number of seconds", hint="for instance -t 2.5") from None
    if not (math.isfinite(length) and 0 < length <= _LONGEST):
        raise Refused(value, f"a trace cannot last {value} seconds", hint="more than 0, and at most a year")
    return length


def events(value: str) -> int:
    """A number of events."""
    try:
        number = int(value)
    except ValueError:
        raise Refused(value, f"{value!r} is no number of events", hint="for instance -n 100") from None
    if number < 1:
        raise Refused(value, f"a trace cannot end after {value} events", hint="at least 1")
    return number


def dialect(value: str) -> Dialect:
    """A backend."""
    try:
        return Dialect(value)
    except ValueError:
        hint = did_you_mean(value, Dialect) or "bcc or libbpf"
        raise Refused(value, f"there is no backend {value}", hint=hint) from None


def size(value: str) -> int:
    """A number of bytes."""
    try:
        return parse_size(value)
    except UsageProblem as problem:
        raise Refused(value, problem.what, hint=problem.hint) from None


def file(value: str) -> str:
    """A recording."""
    if not value.strip():
        raise Refused(value, "no file is given", hint="for instance --record opens.zip")
    return value


def pace(value: str) -> float:
    """A pace."""
    try:
        factor = float(value)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise Refused(value, f"{value!r} is no pace", hint="1 is the recording's own, 2 twice as fast")
    return factor


def hosts(value: str) -> tuple[str, ...]:
    """Names of hosts, with commas between them."""
    names = tuple(name.strip() for name in value.split(","))
    if not all(names):
        raise Refused(value, "a name is missing between the commas", hint="for instance --on web1,web2")
    if "all" in names and len(names) > 1:
        raise Refused(value, "all hosts are meant already", hint="--on all")
    for name in names:
        if names.count(name) > 1:
            raise Refused(value, f"{name} is named twice", hint="a host runs the cell once")
    return names


def probe(name: str, value: str) -> str:
    """Where to attach the function ``name``."""
    try:
        return str(Probe.parse(value))
    except UsageProblem as problem:
        whole = f"{name}={value}"
        offset = len(whole) - len(value.lstrip())
        start, end = 0, len(whole)
        for mark in problem.where:
            start, end = offset + mark.column - 1, offset + mark.column - 1 + mark.length
        raise Refused(whole, problem.what, why=problem.why, hint=problem.hint, start=start, end=end) from None


def setting(name: str, value: str) -> str:
    """A value for the variable or macro ``name``."""
    return value


def event_type(name: str, value: str) -> str:
    """The type of the events of the stream ``name``."""
    if not value.strip():
        raise Refused(f"{name}={value}", f"no type is given for {name}", hint=f"--event {name}=struct_name")
    return value
