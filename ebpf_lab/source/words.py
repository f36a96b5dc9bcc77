"""Words that are almost right: what a misspelt name was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable

from ebpf_lab.nearest import nearest


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint "did you mean NAME?", or "" when nothing is close."""
    near = nearest(word, known, limit=1)
    return f"did you mean {near[0]}?" if near else ""


def listing(words: Iterable[str]) -> str:
    """Words as prose: "a", "a and b", "a, b and c".

    Examples
    --------
    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
