"""Texts as they are halfway through being written: lines and words dropped, swapped, doubled."""

from __future__ import annotations

import random
import re

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_LINE = re.compile(r"[^\n]+|\n")
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


def mutant(text: str, seed: int) -> str:
    """``text`` without its comments, and with one to three mutations; the same for the same seed."""
    chance = random.Random(seed)
    code = _COMMENT.sub("", text)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        code = _mutated(code, chance)
    return code


def _mutated(text: str, chance: random.Random) -> str:
    parts = chance.choice((_LINE, _LINE, _TOKEN)).findall(text)
    places = [place for place, part in enumerate(parts) if part.strip()]
    if len(places) < 2:
        return text
    first, second = sorted(chance.sample(places, 2))
    match chance.choice(("drop", "double", "swap", "swap neighbours")):
        case "drop":
            parts[first] = ""
        case "double":
            parts[first] += ("\n" if "\n" in parts else " ") + parts[first]
        case "swap":
            parts[first], parts[second] = parts[second], parts[first]
        case "swap neighbours":
            second = places[(places.index(first) + 1) % len(places)]
            parts[first], parts[second] = parts[second], parts[first]
    return "".join(parts)
