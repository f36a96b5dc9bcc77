"""Native code, taken apart by capstone: what the kernel's just-in-time compiler made of a program."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ebpf_lab.errors import MissingFeature

# The pieces of an address that arm64 code puts together before it calls: movn or movz, then movk.
_PIECE = re.compile(r"(?P<register>x\d+), #(?P<value>-?(?:0x)?[0-9a-f]+)(?:, lsl #(?P<shift>\d+))?")
_ADDRESSES = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class NativeInstruction:
    """One instruction of the processor.

    Attributes
    ----------
    address : int
    raw : bytes
    text : str
        In the syntax of the processor's maker.
    target : int or None
        Where it jumps to or what it calls, where the code says so.
    is_call : bool
    """

    address: int
    raw: bytes
    text: str
    target: int | None = None
    is_call: bool = False


def decode(code: bytes, address: int, machine: str) -> Iterator[NativeInstruction]:
    """Take native code apart.

    Parameters
    ----------
    code : bytes
    address : int
        Where it is.
    machine : str
        The architecture, as uname has it.

    Raises
    ------
    MissingFeature
        There is no disassembler, or none for this architecture.
    """
    capstone: Any = _capstone()
    modes = {
        "x86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
        "aarch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
    }
    if machine not in modes:
        raise MissingFeature(
            f"native code of {machine} cannot be shown", why="the lab knows x86_64 and aarch64"
        )
    engine = capstone.Cs(*modes[machine])
    engine.detail = True
    # What is no instruction is shown as the bytes it is: the code behind it must not be lost.
    engine.skipdata = True
    known: dict[str, int] = {}
    for each in engine.disasm(code, address):
        yield _instruction(each, capstone, known)


def _instruction(found: Any, capstone: Any, known: dict[str, int]) -> NativeInstruction:
    text = f"{found.mnemonic} {found.op_str}".strip()
    raw = bytes(found.bytes)
    if found.id == 0:
        return NativeInstruction(found.address, raw, text)
    is_call = found.group(capstone.CS_GRP_CALL) or found.mnemonic in ("bl", "blr")
    target: int | None = None
    if is_call or found.group(capstone.CS_GRP_JUMP):
        target = _target(found, capstone)
        if target is None:
            target = known.get(found.op_str)
    _follow(found.mnemonic, found.op_str, known)
    return NativeInstruction(found.address, raw, text, target, is_call)


def _target(found: Any, capstone: Any) -> int | None:
    last = found.operands[-1] if found.operands else None
    return last.imm & _ADDRESSES if last is not None and last.type == capstone.CS_OP_IMM else None


def _follow(mnemonic: str, operands: str, known: dict[str, int]) -> None:
    """Keep what registers of arm64 are set to, for a call through one of them."""
    match = _PIECE.fullmatch(operands)
    if match is None:
        return
    value, shift = int(match["value"], 0), int(match["shift"] or 0)
    if mnemonic in ("mov", "movz"):
        known[match["register"]] = value << shift & _ADDRESSES
    elif mnemonic == "movn":
        known[match["register"]] = ~(value << shift) & _ADDRESSES
    elif mnemonic == "movk":
        before = known.get(match["register"], 0)
        known[match["register"]] = before & ~(0xFFFF << shift) & _ADDRESSES | value << shift


def _capstone() -> Any:
    try:
        return importlib.import_module("capstone")
    except ImportError as error:
        raise MissingFeature(
            "native code is shown with the help of capstone, which cannot be imported",
            why=str(error),
            hint="./lab exec pip install capstone",
        ) from None
