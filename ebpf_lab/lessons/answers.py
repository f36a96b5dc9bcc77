"""What judges of several exercises ask of an answer; each failure says what was expected and what came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from ebpf_lab.lessons.exercise import NotYet
from ebpf_lab.session import Trace


def line(values: Sequence[object]) -> str:
    """Values in a sentence."""
    return " ".join(map(str, values))


def in_order(came: Sequence[object], expected: Sequence[object], what: str) -> None:
    """Nothing but these values, in this order.

    Raises
    ------
    NotYet
        They are others.
    """
    if list(came) != list(expected):
        raise NotYet(f"the {what} {line(expected)}", line(came) or "none")


def names(answer: object, expected: Sequence[str]) -> None:
    """A list, or the like, of these names, each once and in any order.

    Raises
    ------
    NotYet
        It is something else, or of others.
    """
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise NotYet("a list of names", repr(answer))
    came = sorted(map(str, answer))
    if came != sorted(expected):
        differing = sorted({*came} ^ {*expected})
        first = differing[0] if differing else next(name for name in came if came.count(name) > 1)
        why = "missing" if first not in came else "one too many"
        raise NotYet(f"{len(expected)} names", f"{len(came)}; {why} is {first}")


def table(trace: Trace, expected: Mapping[int, float], by: str, hint: str) -> dict[int, int]:
    """Of the maps of numbers by a number, the one with most of what is expected, whatever its name.

    Raises
    ------
    NotYet
        There is none.
    """
    tables = [
        {int(key): int(value) for key, value in zip(frame["key"], frame["value"], strict=True)}
        for frame in trace.maps.values()
        if {"key", "value"} <= set(frame.columns) and pd.api.types.is_integer_dtype(frame["key"])
    ]
    if not tables:
        raise NotYet(f"a map of numbers by {by}", "none", hint=hint)
    return max(tables, key=lambda each: (len(each.items() & expected.items()), len(each.keys() & expected)))
