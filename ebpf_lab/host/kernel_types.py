"""Where the running kernel keeps the members of its structs, by its BTF."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ebpf_lab.errors import MissingFeature, UsageProblem
from ebpf_lab.source.btf import Btf, Kind
from ebpf_lab.source.words import did_you_mean

_BTF = Path("/sys/kernel/btf/vmlinux")
_TRANSPARENT = (Kind.TYPEDEF, Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG)


def offset_of(struct: str, path: str) -> int:
    """Byte offset of a member, as C's ``offsetof``.

    Parameters
    ----------
    struct : str
        The struct's name without the word.
    path : str
        The member, or one within it behind dots (``se.vruntime``); those of nameless structs and unions count
        as the outer one's.

    Raises
    ------
    MissingFeature
        The kernel has no BTF.
    UsageProblem
        There is no such struct or member, or it is a bitfield.
    """
    btf = kernel()
    found, offset, inside = _struct(struct), 0, f"struct {struct}"
    for name in path.split("."):
        members = _members(btf, found)
        if name not in members:
            raise UsageProblem(
                f"{inside} has no member {name} in this kernel", hint=did_you_mean(name, members)
            )
        bits, type_id, bit_size = members[name]
        if bit_size or bits % 8:
            raise UsageProblem(f"{inside} keeps {name} in a bitfield, which has no offset in bytes")
        offset, found, inside = offset + bits // 8, plain(btf, type_id), f"{inside}'s {name}"
    return offset


def size_of(struct: str) -> int:
    """Size of a struct in bytes, as C's ``sizeof``.

    Raises
    ------
    MissingFeature
        The kernel has no BTF.
    UsageProblem
        There is no such struct.
    """
    return kernel().type(_struct(struct)).size_or_type


def fields(struct: str, path: Sequence[str] = ()) -> list[str] | None:
    """Names of the members of a struct or union, None when the kernel has no such one.

    Parameters
    ----------
    struct : str
    path : sequence of str
        Members that lead to the one that is asked about, from the struct on, through pointers and arrays.

    Raises
    ------
    MissingFeature
        The kernel has no BTF.
    """
    btf = kernel()
    found = btf.find(Kind.STRUCT, struct)
    found = btf.find(Kind.UNION, struct) if found is None else found
    if found is None:
        return None
    for name in path:
        members = _members(btf, found)
        if name not in members:
            return []
        found = plain(btf, members[name][1])
        while (head := btf.type(found)).kind in (Kind.PTR, Kind.ARRAY):
            (element,) = btf.words(found, 12, 1) if head.kind == Kind.ARRAY else (head.size_or_type,)
            found = plain(btf, element)
    return list(_members(btf, found))


@cache
def kernel() -> Btf:
    """The running kernel's types.

    Raises
    ------
    MissingFeature
        It has no BTF.
    """
    try:
        return Btf.parse(_BTF.read_bytes())
    except FileNotFoundError:
        raise MissingFeature(
            f"offsets in kernel structs come from {_BTF}, which does not exist",
            why="this kernel was built without CONFIG_DEBUG_INFO_BTF",
        ) from None


def _struct(name: str) -> int:
    number = kernel().find(Kind.STRUCT, name)
    if number is None:
        raise UsageProblem(f"this kernel has no struct {name}")
    return number


def plain(btf: Btf, type_id: int) -> int:
    """The number of what is behind typedefs, const and their like."""
    head = btf.type(type_id)
    while head.kind in _TRANSPARENT:
        head = btf.type(head.size_or_type)
    return head.id


def _members(btf: Btf, type_id: int) -> dict[str, tuple[int, int, int]]:
    """Offset in bits, type and bitfield size by name; none for what is no struct or union."""
    if btf.type(type_id).kind not in (Kind.STRUCT, Kind.UNION):
        return {}
    found: dict[str, tuple[int, int, int]] = {}
    for member in btf.members(type_id):
        if member.name:
            found[member.name] = (member.bit_offset, member.type_id, member.bit_size)
            continue
        for name, (bits, inner, size) in _members(btf, plain(btf, member.type_id)).items():
            found[name] = (member.bit_offset + bits, inner, size)
    return found
