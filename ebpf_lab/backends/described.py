"""What an object's BTF says about its maps and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ebpf_lab.backends.additions import TYPE_VARIABLE
from ebpf_lab.errors import EventDecodeError
from ebpf_lab.source.btf import Btf, Kind
from ebpf_lab.source.ctype import CType, Int, Member, Opaque, Struct

_QUALIFIERS = (Kind.CONST, Kind.VOLATILE, Kind.TYPEDEF, Kind.TYPE_TAG, Kind.RESTRICT)


def event_types(btf: Btf, names: Sequence[str]) -> dict[str, CType]:
    """The types of the variables that the lab put behind the text, by their names in C.

    A name is missing where the text declares no such type at file scope.
    """
    found: dict[str, CType] = {}
    for number, name in enumerate(names):
        variable = btf.find(Kind.VAR, f"{TYPE_VARIABLE}{number}")
        made = _pointed_at(btf, btf.type(variable).size_or_type) if variable is not None else None
        if made is not None and made.size:
            found[name] = made
    return found


def key_and_value(btf: Btf, name: str) -> tuple[CType | None, CType | None]:
    """The key's and value's types of a map defined in ``.maps``; None where only a size is given."""
    members: Mapping[str, int] = {}
    for variable in btf.datasec(".maps"):
        if variable.name == name:
            head = _bare(btf, variable.type_id)
            members = {member.name: member.type_id for member in btf.members(head)}
    key, value = (_pointed_at(btf, members[what]) if what in members else None for what in ("key", "value"))
    return key, value


def section(btf: Btf, name: str, size: int) -> Struct:
    """A section of global variables as a struct; ``size`` in bytes is its map's value size."""
    members = tuple(
        Member(variable.name, btf.ctype(variable.type_id), variable.offset * 8)
        for variable in btf.datasec(name)
    )
    return Struct(name, size, members)


SECTION_KEY = Int("int", 4, signed=True)
"""The key of a section's map: always 0."""


def _pointed_at(btf: Btf, type_id: int) -> CType | None:
    head = btf.type(type_id)
    if head.kind != Kind.PTR:
        return None
    try:
        made = btf.ctype(head.size_or_type)
    except EventDecodeError:
        return None
    return None if isinstance(made, Opaque) else made


def _bare(btf: Btf, type_id: int) -> int:
    head = btf.type(type_id)
    while head.kind in _QUALIFIERS:
        head = btf.type(head.size_or_type)
    return head.id
