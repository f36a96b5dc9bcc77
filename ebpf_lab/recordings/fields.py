"""Values out of JSON that anybody may have written: each is checked where it is taken."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ebpf_lab.errors import RecordingDamaged
from ebpf_lab.recordings import limits

_WORD = 1 << 64
_CONTROL = re.compile(r"\\\\|\\u00[01][0-9a-f]|\\[bf]")


class Fields:
    """An object of JSON; ``place`` is what errors call it."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise wrong(place, "is no object")
        self._value: dict[str, Any] = value
        self.place = place

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def _take(self, name: str) -> Any:
        if name not in self._value:
            raise wrong(self.place, f"has no {name}")
        return self._value[name]

    def _named(self, name: str) -> str:
        return f"{name} of {self.place}"

    def text(self, name: str, most: int = 4096) -> str:
        """A string of at most so many characters."""
        return text(self._take(name), self._named(name), most)

    def truth(self, name: str) -> bool:
        """True or false."""
        value = self._take(name)
        if not isinstance(value, bool):
            raise wrong(self._named(name), "is neither true nor false")
        return value

    def integer(self, name: str, least: int = 0, most: int = 1 << 62) -> int:
        """A whole number within bounds."""
        return integer(self._take(name), self._named(name), least, most)

    def number(self, name: str) -> float:
        """A number that is finite and not below zero."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _WORD:
            raise wrong(self._named(name), "is no such number")
        return float(value) if math.isfinite(value) else 0.0

    def list(self, name: str, most: int = limits.MEMBERS) -> list[Any]:
        """A list of at most so many."""
        value = self._take(name)
        if not isinstance(value, list) or len(value) > most:
            raise wrong(self._named(name), f"is no list of at most {most:,}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(text(each, self._named(name), 1 << 17) for each in self.list(name, 1 << 16))

    def object(self, name: str) -> Fields:
        """An object in it."""
        return Fields(self._take(name), self._named(name))

    def objects(self, name: str, most: int = limits.MEMBERS) -> Iterator[Fields]:
        """The objects in a list."""
        for number, each in enumerate(self.list(name, most)):
            yield Fields(each, f"{self._named(name)}, number {number}")

    def pairs(self, name: str, most: int = limits.NAMES) -> dict[str, str]:
        """An object of strings."""
        value = self.object(name)._value
        if len(value) > most:
            raise wrong(self._named(name), f"has more than {most:,} entries")
        return {key: text(each, self._named(name)) for key, each in value.items()}

    def numbered(self, name: str, base: int = 10) -> dict[int, str]:
        """An object of strings by number."""
        return {word(key, self._named(name), base): each for key, each in self.pairs(name).items()}

    def bytes(self, name: str) -> bytes:
        """Bytes, written in base 64."""
        try:
            return base64.b64decode(self.text(name, limits.DATA), validate=True)
        except (ValueError, binascii.Error):
            raise wrong(self._named(name), "is not base 64") from None

    def names(self) -> tuple[str, ...]:
        """The names in it."""
        return tuple(self._value)


def text(value: object, place: str, most: int = 4096) -> str:
    """A string of at most so many characters, none of which a terminal would obey."""
    if not isinstance(value, str) or len(value) > most:
        raise wrong(place, f"is no text of at most {most:,} characters")
    if any(ord(character) < 32 and character not in "\t\n\r" for character in value):
        raise wrong(place, "has control characters in it")
    return value


def integer(value: object, place: str, least: int, most: int) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise wrong(place, f"is no whole number from {least:,} to {most:,}")
    return value


def word(key: str, place: str, base: int) -> int:
    """A number of at most 64 bits that is written as text, as the keys of objects are."""
    try:
        number = int(key[:32], base)
    except ValueError:
        number = -1
    return integer(number, place, 0, _WORD - 1)


def wrong(place: str, what: str) -> RecordingDamaged:
    """The error for a value that cannot be."""
    return RecordingDamaged(f"the recording is damaged: {place} {what}")


def parse(data: bytes, place: str) -> Fields:
    """An object of JSON.

    Raises
    ------
    RecordingDamaged
    """
    if len(data) > limits.DATA:
        raise wrong(place, f"has more than {limits.DATA:,} bytes")
    try:
        return Fields(json.loads(data), place)
    except (ValueError, RecursionError):
        raise wrong(place, "is no JSON") from None


def dump(value: Mapping[str, object]) -> bytes:
    """JSON as it is in recordings: characters that a terminal would obey are written as what they are."""
    return _CONTROL.sub(_visible, json.dumps(value, indent=1)).encode()


def _visible(found: re.Match[str]) -> str:
    return found[0] if found[0] == r"\\" else "\\" + found[0]
