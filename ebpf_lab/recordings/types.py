"""C types as JSON: objects that say what they are ("is"), with :mod:`ebpf_lab.source.ctype`'s fields."""

from __future__ import annotations

from ebpf_lab.frame.layout import MAX_SPREAD
from ebpf_lab.recordings import limits
from ebpf_lab.recordings.fields import Fields, integer, text, wrong
from ebpf_lab.source.ctype import Array, CType, Enum, Float, Int, Member, Opaque, Pointer, Struct

_VALUE = 1 << 63


def plain(ctype: CType) -> dict[str, object]:
    """A type as JSON has it."""
    match ctype:
        case Int(name, size, signed, char, boolean):
            made: dict[str, object] = {"is": "int", "name": name, "size": size, "signed": signed}
            return made | ({"char": True} if char else {}) | ({"boolean": True} if boolean else {})
        case Float(name, size):
            return {"is": "float", "name": name, "size": size}
        case Enum(name, size, signed, values):
            return {"is": "enum", "name": name, "size": size, "signed": signed, "values": list(values)}
        case Pointer(target, size):
            return {"is": "pointer", "target": target, "size": size}
        case Array(element, length):
            return {"is": "array", "element": plain(element), "length": length}
        case Struct(name, size, members, union):
            kind = "union" if union else "struct"
            return {
                "is": kind,
                "name": name,
                "size": size,
                "members": [_plain_member(each) for each in members],
            }
        case Opaque(name, size):
            return {"is": "bytes", "name": name, "size": size}


def _plain_member(member: Member) -> dict[str, object]:
    bits = {} if member.bit_size is None else {"bit_size": member.bit_size}
    return {"name": member.name, "bit_offset": member.bit_offset, **bits, "type": plain(member.type)}


def read(fields: Fields) -> CType:
    """A type out of JSON.

    Raises
    ------
    RecordingDamaged
        There is no such type, or decoding it would make more than frames hold.
    """
    ctype = _read(fields, 0)
    if columns(ctype) > limits.COLUMNS:
        raise wrong(fields.place, f"has more than {limits.COLUMNS:,} columns")
    return ctype


def columns(ctype: CType) -> int:
    """At least as many columns as the type has in a frame."""
    if isinstance(ctype, Array):
        return columns(ctype.element) * (ctype.length if ctype.length <= MAX_SPREAD else 1)
    if isinstance(ctype, Struct):
        return sum(columns(member.type) for member in ctype.members)
    return 1


def _read(fields: Fields, depth: int) -> CType:
    if depth > limits.DEPTH:
        raise wrong(fields.place, "is nested too deeply")
    kind = fields.text("is", 16)
    if kind == "array":
        element = _read(fields.object("element"), depth + 1)
        length = fields.integer("length", 0, limits.TYPE)
        if element.size * length > limits.TYPE:
            raise wrong(fields.place, f"is larger than {limits.TYPE:,} bytes")
        return Array(element, length)
    size = fields.integer("size", 0, limits.TYPE)
    if kind == "pointer":
        return Pointer(fields.text("target"), size)
    name = fields.text("name")
    match kind:
        case "int":
            char, boolean = ("char" in fields and fields.truth("char")), "boolean" in fields
            return Int(name, size, fields.truth("signed"), char, boolean and fields.truth("boolean"))
        case "float":
            return Float(name, size)
        case "enum":
            return Enum(name, size, fields.truth("signed"), tuple(_values(fields)))
        case "struct" | "union":
            members = tuple(_member(each, size, depth) for each in fields.objects("members", limits.COLUMNS))
            return Struct(name, size, members, kind == "union")
        case "bytes":
            return Opaque(name, size)
    raise wrong(fields.place, f"is of an unknown kind, {kind!r}")


def _values(fields: Fields) -> list[tuple[str, int]]:
    found = []
    for pair in fields.list("values", 1 << 16):
        if not isinstance(pair, list) or len(pair) != 2:
            raise wrong(fields.place, "has a value that is no pair")
        found.append((text(pair[0], fields.place), integer(pair[1], fields.place, -_VALUE, 2 * _VALUE - 1)))
    return found


def _member(fields: Fields, size: int, depth: int) -> Member:
    ctype = _read(fields.object("type"), depth + 1)
    offset = fields.integer("bit_offset", 0, limits.TYPE * 8)
    bits = fields.integer("bit_size", 1, 64) if "bit_size" in fields else None
    if offset + (ctype.size * 8 if bits is None else bits) > size * 8 or (bits is None and offset % 8):
        raise wrong(fields.place, "does not lie within its struct")
    return Member(fields.text("name"), ctype, offset, bits)
