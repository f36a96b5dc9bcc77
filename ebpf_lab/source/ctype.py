"""C types as plain data: what BTF and bcc's descriptions both become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Int:
    """An integer; ``char`` marks character types, so that arrays of it are text."""

    name: str
    size: int
    signed: bool
    char: bool = False
    boolean: bool = False


@dataclass(frozen=True, slots=True)
class Float:
    """A floating-point number of ``size`` bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Enum:
    """An enumeration; ``values`` are (name, value) pairs in source order."""

    name: str
    size: int
    signed: bool
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer; ``target`` is what it points to, as written in C."""

    target: str
    size: int = 8


@dataclass(frozen=True, slots=True)
class Array:
    """``length`` elements in a row; length 0 is a flexible array."""

    element: CType
    length: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.element.size * self.length


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct or union.

    ``bit_offset`` counts from the struct's start; ``bit_size`` is set for bitfields only.  An empty
    ``name`` is an anonymous struct or union, whose members belong to the parent.
    """

    name: str
    type: CType
    bit_offset: int
    bit_size: int | None = None


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct, or a union when ``union`` is set."""

    name: str
    size: int
    members: tuple[Member, ...]
    union: bool = False


@dataclass(frozen=True, slots=True)
class Opaque:
    """``size`` bytes of which nothing more is known."""

    name: str
    size: int


CType: TypeAlias = Int | Float | Enum | Pointer | Array | Struct | Opaque
