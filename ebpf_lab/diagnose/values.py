"""What the verifier knows of a register: ``scalar(umax=6,var_off=(0x0; 0x7))``, in words and in numbers."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_U64, _S64 = (1 << 64) - 1, 1 << 63
_LONGEST = 2000  # characters of a state that is worth reading

# One level of brackets is nested in another: var_off=(0x0; 0x7).
_REGISTER = re.compile(
    r"(?P<name>R\d+|fp-\d+)(?:_[a-zA-Z]+)?=(?P<value>[^\s(]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?)"
)
_FRAME = re.compile(r"\s*frame(\d+):")
_KIND = re.compile(r"P?(?P<kind>[a-z_]+?)(?P<null>_or_null)?(?P<number>-?\d+)?(?:\((?P<fields>.*)\))?")
_FIELD = re.compile(r"(?P<names>(?:\w+=)+)(?P<value>\([^()]*\)|[^,()]*)")
_CONSTANT = re.compile(r"P?(?:inv|scalar)?(?P<number>-?(?:0x[0-9a-f]{1,16}|\d{1,20}))")

_KINDS = {
    "ctx": "the context",
    "pkt": "a pointer into the packet",
    "pkt_end": "the end of the packet",
    "pkt_meta": "a pointer before the packet",
    "map_ptr": "a map",
    "mem": "a pointer into memory",
    "alloc_mem": "what was reserved",
    "ringbuf_mem": "what was reserved in the ring buffer",
    "func": "a function",
    "sock": "a socket",
    "dynptr_ptr": "a dynptr",
}


@dataclass(frozen=True, slots=True)
class Value:
    """What the verifier knows of a register.

    Attributes
    ----------
    kind : str
        "scalar" for a number, else what it points to: "ctx", "map_value", "fp" for the stack, …
    nullable : bool
        It may be NULL.
    low, high : int
        The range of the number, or of what was added to the pointer; as it is unsigned, unless ``low`` is
        negative.
    fixed : int
        The known part of a pointer's offset.
    fields : dict
        The rest as written.
    """

    kind: str
    nullable: bool = False
    low: int = 0
    high: int = 0
    fixed: int = 0
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def is_number(self) -> bool:
        """It is a number, not a pointer."""
        return self.kind == "scalar"

    @property
    def constant(self) -> int | None:
        """Its only possible value, if it is a number that is known."""
        return self.low if self.is_number and self.low == self.high else None

    @property
    def size(self) -> int:
        """Bytes of what it points to, 0 when unknown."""
        for name in ("vs", "sz", "mem_size"):
            if number := _integer(self.fields.get(name, "")):
                return number
        return 0

    @property
    def words(self) -> str:
        """In plain words: "0 to 6", "NULL, or a value of the map counts"."""
        if self.is_number:
            return span(self.low, self.high)
        text = self._pointer()
        return f"NULL, or {text}" if self.nullable else text

    def _pointer(self) -> str:
        if self.kind == "fp":
            at = self.fixed + self.low
            return f"the stack, {-at} bytes below its top" if at < 0 else "the top of the stack"
        name = self.fields.get("map", "")
        if self.kind == "map_ptr":
            return f"the map {name}" if name else "a map"
        if self.kind == "map_value":
            text = f"a value of the map {name}" if name else "a map's value"
            size = self.size
            text += f" ({size} bytes)" if size else ""
        elif self.kind in _KINDS:
            text = _KINDS[self.kind]
            text += f" ({self.size} bytes)" if self.size else ""
        else:
            struct = self.kind.removeprefix("trusted_").removeprefix("rcu_").removeprefix("untrusted_")
            text = f"a pointer to struct {struct[4:]}" if struct.startswith("ptr_") else self.kind
        first, last = self.fixed + self.low, self.fixed + self.high
        return f"{text}, {span(first, last)} bytes into it" if (first, last) != (0, 0) else text


def span(low: int, high: int) -> str:
    """A range in words."""
    if low == high:
        return str(low)
    if low == -(1 << 31) and 0 <= high < (1 << 31) - 1:
        return f"any negative number, or 0 to {high}"
    if low <= -_S64:
        if high >= _S64 - 1:
            return "any number"
        return f"any negative number, or 0 to {high}" if high >= 0 else f"any number up to {high}"
    if low <= 0 and high >= _U64:
        return "any number"
    if high >= _S64 - 1:
        return f"{low} or more"
    return f"{low} to {high}"


@functools.lru_cache(maxsize=8192)
def parse(text: str) -> Value:
    """Read a register's state; what is not understood has its text as kind."""
    if match := _CONSTANT.fullmatch(text):
        number = _integer(match["number"])
        return Value("scalar", low=number, high=number)
    match = _KIND.fullmatch(text) if len(text) < _LONGEST else None
    if match is None:
        return Value(text.partition("(")[0])
    fields: dict[str, str] = {}
    for found in _FIELD.finditer(match["fields"] or ""):
        for name in found["names"].split("=")[:-1]:
            fields[name] = found["value"]
    kind = "scalar" if match["kind"] == "inv" else match["kind"]
    low, high = _range(fields, kind)
    fixed = (
        _integer(match["number"] or "") + _integer(fields.get("off", "")) + _integer(fields.get("imm", ""))
    )
    return Value(kind, bool(match["null"]), low, high, fixed, fields)


def lower_half(value: Value, *, signed: bool = False) -> Value:
    """A number's lower 32 bits, which is what instructions on ``w`` registers see.

    Parameters
    ----------
    value : Value
    signed : bool
        As a number that may be negative.
    """
    if not value.is_number:
        return value
    fields = value.fields
    if signed:
        least = fields.get("smin32", fields.get("s32_min", str(-(1 << 31))))
        most = fields.get("smax32", fields.get("s32_max", str((1 << 31) - 1)))
        return Value("scalar", low=_integer(least), high=_integer(most), fields=fields)
    if value.low >= 0 and value.high < 1 << 32:
        return value
    low = fields.get("u32_min", fields.get("umin32", fields.get("s32_min", "")))
    high = fields.get("u32_max", fields.get("umax32", ""))
    if "smin32" in fields and "umin32" not in fields and _integer(fields["smin32"]) >= 0:
        low = fields["smin32"]
    return Value("scalar", low=max(_integer(low), 0), high=_integer(high) or (1 << 32) - 1, fields=fields)


def registers(state: str) -> Iterator[tuple[int, str, str]]:
    """Frame, name and state of each register and stack slot in a printed state."""
    frame = 0
    if match := _FRAME.match(state):
        frame = int(match[1][:4])
    for found in _REGISTER.finditer(state):
        yield frame, found["name"], found["value"]


def _range(fields: dict[str, str], kind: str) -> tuple[int, int]:
    if kind != "scalar" and not {"umax", "smin", "smax", "umin", "var_off"} & fields.keys():
        return 0, 0
    low, high = _integer(fields.get("umin", "")), _U64
    if "umax" in fields:
        high = _integer(fields["umax"])
    smallest = _integer(fields["smin"]) if "smin" in fields else -_S64
    largest = _integer(fields["smax"]) if "smax" in fields else _S64 - 1
    if high < _S64:
        # It is not negative; the signed bounds add nothing.
        return low, high
    if smallest >= 0:
        return max(low, smallest), min(high, largest)
    if "umax" not in fields and ("smin" in fields or "smax" in fields):
        return smallest, largest
    return low, high


def _integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return 0
