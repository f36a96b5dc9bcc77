"""The code of loaded programs as JSON."""

from __future__ import annotations

import base64
from dataclasses import asdict

from ebpf_lab.inside.program import Function, NativeFunction, ProgramCode, SourceLine
from ebpf_lab.recordings.fields import Fields, wrong

_WORD = (1 << 64) - 1
_MOST = 1 << 20
"""More lines or functions than any program has instructions."""


def plain(code: ProgramCode) -> dict[str, object]:
    """A program's code as JSON has it."""
    return {
        "name": code.name,
        "bytecode": base64.b64encode(code.bytecode).decode(),
        "functions": [asdict(each) for each in code.functions],
        "lines": [asdict(each) for each in code.lines],
        "maps": {str(number): name for number, name in code.maps.items()},
        "variables": {
            name: {str(at): variable for at, variable in places.items()}
            for name, places in code.variables.items()
        },
        "native": [
            {"address": f"{each.address:x}", "code": base64.b64encode(each.code).decode()}
            for each in code.native
        ],
        "native_size": code.native_size,
        "native_lines": [f"{each:x}" for each in code.native_lines],
    }


def read(fields: Fields) -> ProgramCode:
    """A program's code out of JSON.

    Raises
    ------
    RecordingDamaged
    """
    bytecode = fields.bytes("bytecode")
    if len(bytecode) % 8:
        raise wrong(fields.place, "has half an instruction")
    variables = fields.object("variables")
    return ProgramCode(
        name=fields.text("name", 256),
        bytecode=bytecode,
        functions=tuple(
            Function(each.text("name", 256), each.integer("start", 0, _MOST))
            for each in fields.objects("functions", _MOST)
        ),
        lines=tuple(
            SourceLine(
                each.integer("instruction", 0, _MOST),
                each.text("file"),
                each.integer("line", 0, 1 << 31),
                each.integer("column", 0, 1 << 31),
                each.text("text", 1 << 16),
            )
            for each in fields.objects("lines", _MOST)
        ),
        maps=fields.numbered("maps"),
        variables={name: variables.numbered(name) for name in variables.names()},
        native=tuple(
            NativeFunction(_address(each.text("address", 16), each.place), each.bytes("code"))
            for each in fields.objects("native", _MOST)
        ),
        native_size=fields.integer("native_size", 0, 1 << 31),
        native_lines=tuple(_address(each, fields.place) for each in fields.texts("native_lines")),
    )


def _address(digits: str, place: str) -> int:
    try:
        found = int(digits, 16)
    except ValueError:
        found = -1
    if not 0 <= found <= _WORD:
        raise wrong(place, f"has no address {digits[:32]!r}")
    return found
