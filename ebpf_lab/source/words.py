"""Words that are almost right: what a misspelt name was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like ``word``, or "" when none is close.

    Examples
    --------
    >>> nearest("kprob", ["kprobe", "uprobe", "usdt"])
    'kprobe'
    >>> nearest("xyz", ["kprobe"])
    ''
    """
    # A name given in other letter case is the one meant, however different difflib finds it.
    folded = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(word.casefold(), folded, n=1)
    return folded[matches[0]] if matches else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint "did you mean NAME?", or "" when nothing is close."""
    name = nearest(word, known)
    return f"did you mean {name}?" if name else ""


def listing(words: Iterable[str]) -> str:
    """Words as prose: "a", "a and b", "a, b and c".

    Examples
    --------
    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
