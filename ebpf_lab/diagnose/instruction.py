"""Instructions, as the verifier's log writes them: ``(0f) r0 += r6``."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

Operation = Literal["move", "arithmetic", "load", "store", "call", "branch", "jump", "exit", "other"]

_NUMBER = r"-?(?:0x[0-9a-f]{1,16}|\d{1,20})"
_LOAD = re.compile(r"[rw](?P<to>\d+) = \*\((?P<type>\w+) \*\)\(r(?P<base>\d+) ?(?P<offset>[+-] ?\d{1,9})\)")
_STORE = re.compile(
    r"(?:lock )?\*\((?P<type>\w+) \*\)\(r(?P<base>\d+) ?(?P<offset>[+-] ?\d{1,9})\)"
    r" (?P<operator>\S?=) (?P<value>\S+)"
)
_BRANCH = re.compile(
    rf"if (?P<width>[rw])(?P<left>\d+) (?P<operator>\S+) (?P<right>[rw]\d+|{_NUMBER})"
    r" goto pc(?P<target>[+-]\d{1,9})"
)
_CALL = re.compile(r"call (?P<name>[\w.]+)(?:#(?P<number>-?\d{1,9}))?")
_CALL_LOCAL = re.compile(r"call pc[+-]\d+")
_ARITHMETIC = re.compile(
    rf"(?P<width>[rw])(?P<to>\d+) (?P<operator>[s]?[-+*/%|&^<>]*=) (?:\(s\d+\))?(?P<value>[rw]\d+|{_NUMBER}$)"
)
_ANY = re.compile(r"[rw](?P<to>\d+) = ")
_SIZES = {"u8": 1, "s8": 1, "u16": 2, "s16": 2, "u32": 4, "s32": 4, "u64": 8, "s64": 8}


@dataclass(frozen=True, slots=True)
class Instruction:
    """What an instruction does.

    Attributes
    ----------
    operation : str
        "move" sets a register to another one or to a number.
    to : str
        The register that it changes ("R1"), "" for none.
    source : str
        The register that it takes, or compares with.
    number : int or None
        The number in place of that register.
    operator : str
        As written, "+=" or ">".
    base, offset, size
        The memory that a load or a store touches: register, bytes from it, bytes.
    name : str
        The helper or kernel function that it calls, "" for a function of the program's own.
    narrow : bool
        It works on the lower 32 bits.
    """

    operation: Operation
    to: str = ""
    source: str = ""
    number: int | None = None
    operator: str = ""
    base: str = ""
    offset: int = 0
    size: int = 0
    name: str = ""
    narrow: bool = False


@functools.lru_cache(maxsize=4096)
def decode(code: str) -> Instruction:
    """Read an instruction, without its number and opcode; what is not known is "other"."""
    if match := _LOAD.match(code):
        return Instruction(
            "load",
            f"R{match['to']}",
            base=f"R{match['base']}",
            offset=int(match["offset"].replace(" ", "")),
            size=_SIZES.get(match["type"], 0),
        )
    if match := _STORE.match(code):
        source, number = _operand(match["value"])
        return Instruction(
            "store",
            source=source,
            number=number,
            operator=match["operator"],
            base=f"R{match['base']}",
            offset=int(match["offset"].replace(" ", "")),
            size=_SIZES.get(match["type"], 0),
        )
    if match := _BRANCH.match(code):
        source, number = _operand(match["right"])
        return Instruction(
            "branch",
            to=f"R{match['left']}",
            source=source,
            number=number,
            operator=match["operator"],
            offset=int(match["target"]),
            narrow=match["width"] == "w",
        )
    if _CALL_LOCAL.match(code):
        return Instruction("call", "R0")
    if match := _CALL.match(code):
        return Instruction("call", "R0", name=match["name"])
    if match := _ARITHMETIC.match(code):
        source, number = _operand(match["value"])
        operation: Operation = "move" if match["operator"] == "=" else "arithmetic"
        return Instruction(
            operation, f"R{match['to']}", source, number, match["operator"], narrow=match["width"] == "w"
        )
    if code.startswith("goto "):
        return Instruction("jump")
    if code.startswith("exit"):
        return Instruction("exit")
    if match := _ANY.match(code):
        return Instruction("other", f"R{match['to']}")
    return Instruction("other")


def _operand(text: str) -> tuple[str, int | None]:
    if text[:1] in ("r", "w") and text[1:].isdecimal():
        return f"R{text[1:]}", None
    try:
        return "", int(text, 0)
    except ValueError:
        return "", None
