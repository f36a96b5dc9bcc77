"""The code of one loaded program, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SourceLine:
    """The C line of one instruction and of those behind it, up to the next of these.

    Attributes
    ----------
    instruction : int
        The first instruction that comes from it.
    file : str
        A header's name, "" for the learner's own text.
    line, column : int
        Position in the file, from 1; 0 when unknown.
    text : str
        The line.
    """

    instruction: int
    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a program: ``start`` is its first instruction."""

    name: str
    start: int


@dataclass(frozen=True, slots=True)
class NativeFunction:
    """What the kernel's compiler made of a function; ``address`` is 0 where the kernel hides it."""

    address: int
    code: bytes


@dataclass(frozen=True, slots=True)
class Samples:
    """Where the processors were found while programs ran.

    Attributes
    ----------
    frequency : int
        Samples a second of each processor that was not idle.
    taken : int
        Samples of the kernel, wherever.
    lost : int
        Samples that there was no room for.
    found : mapping
        Those within the native code of the programs, or in what it had called, by address there.
    """

    frequency: int
    taken: int
    lost: int
    found: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class ProgramCode:
    """What the kernel runs of one program.

    Attributes
    ----------
    name : str
        The learner's function.
    bytecode : bytes
        Instructions after the verifier rewrote them, "" where the kernel keeps them to itself.
    functions : tuple of Function
        In the order of their instructions; the program itself is the first.
    lines : tuple of SourceLine
    maps : mapping
        Names of the maps by the kernel's number.
    variables : mapping
        Names of global variables: by map, and by byte of its value.
    native : tuple of NativeFunction
        As ``functions``; empty where there is none.
    native_size : int
        Bytes of native code that there are, given or not.
    native_lines : tuple of int
        The address at which the code of each of ``lines`` begins.
    """

    name: str
    bytecode: bytes = b""
    functions: tuple[Function, ...] = ()
    lines: tuple[SourceLine, ...] = ()
    maps: Mapping[int, str] = field(default_factory=dict)
    variables: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    native: tuple[NativeFunction, ...] = ()
    native_size: int = 0
    native_lines: tuple[int, ...] = ()

    @property
    def hidden(self) -> bool:
        """The kernel shows no addresses of its own to this process."""
        return bool(self.native_size) and not any(each.address for each in self.native)
