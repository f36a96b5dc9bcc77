"""The call chains of a frame as flame graph tools read them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.stacks import STACK_COLUMN

_FUNCTION = re.compile(r"(?P<name>[^\s\[][^\s]*?)(?:\+0x[0-9a-f]+)?(?: \[(?P<file>[^\]]+)\])?")
_IN_FILE = re.compile(r"\[(?P<file>.+)\+0x[0-9a-f]+\]")
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_NO_CHAIN = re.compile(r"\[(?:E[A-Z0-9]+|-\d+)\]|")


def folded(frame: pd.DataFrame, *, weight: str = "count") -> list[str]:
    """Fold a frame's call chains: one line for each that differs, and how often it was seen.

    The lines are what ``flamegraph.pl``, speedscope and inferno read.  Where in a function a chain goes on is
    left out, so that all samples of one function come together; a function without a name is the file that it
    is in, ``[libc.so.6]``.

    Parameters
    ----------
    frame : DataFrame
        With call chains (``user_stack``, ``kernel_stack`` and so on, as they are made from stack ids); the
        user's come before the kernel's, and the command (``comm``) before them.
    weight : str
        The column that counts; without a column of that name each row counts once.

    Returns
    -------
    list of str
        Sorted: ``"busy;main;spin 29"``.

    Raises
    ------
    UsageProblem
        There is no call chain in the frame.

    Examples
    --------
    >>> rows = {"comm": "busy", "stack_id": [1, 2], "stack": ["main+0x9;spin+0x4", "main+0x9;spin+0x8"]}
    >>> folded(pd.DataFrame(rows))
    ['busy;main;spin 2']
    """
    counts: Counter[str] = Counter()
    for chain, count in chains(frame, weight=weight).items():
        counts[";".join(chain.functions)] += count
    return [f"{chain} {count}" for chain, count in sorted(counts.items())]


@dataclass(frozen=True, slots=True)
class Chain:
    """A call chain, outermost function first, with the command before all where it is known.

    ``in_kernel`` is the number of functions, the innermost ones, that are the kernel's.
    """

    functions: tuple[str, ...]
    in_kernel: int
    has_command: bool


def chain_columns(frame: pd.DataFrame) -> list[str]:
    """Names of the columns that hold call chains, the user's before the kernel's."""
    made = [match[1] for match in map(STACK_COLUMN.fullmatch, map(str, frame.columns)) if match]
    return sorted((name for name in made if name in frame), key=_of_kernel)


def chains(frame: pd.DataFrame, *, weight: str = "count") -> dict[Chain, int]:
    """How often each call chain of a frame was seen; parameters and errors are those of :func:`folded`."""
    names = chain_columns(frame)
    if not names:
        raise UsageProblem(
            "there is no call chain in this frame",
            hint="a member such as user_stack_id, filled by bpf_get_stackid(), makes a column of them",
        )
    has_command = "comm" in frame
    keys = frame[["comm", *names] if has_command else names].astype(object)
    keys["weight"] = frame[weight].to_numpy() if weight in frame else 1
    grouped = keys.groupby(list(keys.columns[:-1]), dropna=False, sort=False)["weight"].sum()
    counts: Counter[Chain] = Counter()
    for index, seen in grouped.items():
        texts: list[Any] = list(index) if isinstance(index, tuple) else [index]
        functions = [str(texts.pop(0)).replace(";", ":")] if has_command else []
        in_kernel = 0
        for name, text in zip(names, texts, strict=True):
            if not _missing(text):
                functions += map(_plain, text.split(";"))
                in_kernel += (text.count(";") + 1) * _of_kernel(name)
        counts[Chain(tuple(functions), in_kernel, has_command)] += int(seen)
    return {chain: count for chain, count in counts.items() if count}


def _of_kernel(name: str) -> bool:
    return name.rpartition(".")[2].startswith("k")


def _missing(text: Any) -> bool:
    """Whether there is the helper's error instead: the kernel has no chain while a program runs by itself."""
    return not isinstance(text, str) or _NO_CHAIN.fullmatch(text) is not None


def _plain(function: str) -> str:
    if match := _IN_FILE.fullmatch(function):
        return f"[{match['file']}]"
    match = _FUNCTION.fullmatch(function)
    if match is None:
        return function
    if _ADDRESS.fullmatch(match["name"]):
        return f"[{match['file'] or 'unknown'}]"
    return match["name"]
