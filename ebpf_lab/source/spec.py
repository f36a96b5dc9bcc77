"""What a C text asks for, as plain data that does not depend on the running kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ebpf_lab.source.probe import Probe

StreamKind = Literal["ringbuf", "perfbuf", "printk"]


class Dialect(StrEnum):
    """Which of the two C dialects a text is written in; also the name of the backend that compiles it."""

    BCC = "bcc"
    LIBBPF = "libbpf"


@dataclass(frozen=True, slots=True)
class Program:
    """One BPF program of the text.

    Attributes
    ----------
    function : str
        Name of the C function (for bcc, of the function as bcc names it after expanding its macros).
    line : int
        Line of its definition, from 1.
    section : str
        Argument of ``SEC``, "" in the bcc dialect.
    probe : Probe or None
        Where to attach, from ``--attach``, the section or bcc's naming; None when nothing says.
    """

    function: str
    line: int
    section: str = ""
    probe: Probe | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A source of events: a ring buffer, a perf buffer, or the trace_pipe of ``bpf_printk``.

    ``structs`` are the C names of the types submitted (``struct event`` is "event", a typedef is its own
    name, a plain value its type: "u64", "char[16]"), and ``c_types`` the same as a C declaration has them
    ("struct event"); when both are empty, ``why`` says why no type is known.  ``given`` is set when the user
    named the type.
    """

    name: str
    kind: StreamKind
    structs: tuple[str, ...] = ()
    why: str = ""
    line: int = 0
    c_types: tuple[str, ...] = ()
    given: bool = False


@dataclass(frozen=True, slots=True)
class MapDecl:
    """A map declared in the text; ``kind`` is the map type without its prefix, in lower case ("hash").

    ``key`` is the enumeration that names the elements of one of bcc's arrays, as C writes it ("enum
    failure"), and "" where none does: the kernel takes nothing but an int for an array's key, so that bcc
    cannot say more than how many elements there are, and an enumerator says that.
    """

    name: str
    kind: str
    line: int = 0
    histogram: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """A C text and what it asks for.

    Attributes
    ----------
    text : str
        The C text as the learner wrote it; line numbers everywhere are lines of this.
    dialect : Dialect
    dialect_reason : str
        What in the text decided the dialect, in plain words.
    programs, streams, maps : tuple
        In source order.  The first stream is the main one.  There are no programs only where the text does
        not parse as C: compiling it says why.
    settings : dict
        ``--set`` values by name, as given.
    """

    text: str
    dialect: Dialect
    dialect_reason: str
    programs: tuple[Program, ...]
    streams: tuple[Stream, ...]
    maps: tuple[MapDecl, ...]
    settings: dict[str, str] = field(default_factory=dict)
