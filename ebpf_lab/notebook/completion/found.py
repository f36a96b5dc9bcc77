"""What is offered at a place in a cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ebpf_lab.host.kernel_names import Sorted

MOST = 400
"""Names offered at once: IPython hands on 500."""
_SHORTEST_PART = 3


@dataclass(frozen=True, slots=True)
class Found:
    """The names that may stand in the place of what is begun.

    Attributes
    ----------
    begun : str
        What is typed already, up to the cursor.
    names : list of (str, str)
        Each name, and in a word what it is (for a member of a struct: its type).
    """

    begun: str
    names: list[tuple[str, str]] = field(default_factory=list)


def choose(begun: str, *groups: tuple[Iterable[str], str]) -> Found:
    """Those names that begin so; where none does, those that have it inside.

    Parameters
    ----------
    begun : str
    groups : (names, kind)
        An earlier group's names win over a later one's.
    """
    kinds: dict[str, str] = {}
    for names, kind in groups:
        for name in names:
            kinds.setdefault(name, kind)
    return among(begun, kinds)


def among(begun: str, kinds: dict[str, str]) -> Found:
    """As :func:`choose`, of names with what each is."""
    chosen = [(name, kind) for name, kind in kinds.items() if name.startswith(begun) and name != begun]
    if not chosen and len(begun) >= _SHORTEST_PART:
        part = begun.lower()
        chosen = [(name, kind) for name, kind in kinds.items() if part in name.lower() and name != begun]
    chosen.sort(key=lambda each: (each[0].startswith("_"), each[0]))
    return Found(begun, chosen[:MOST])


def offer(begun: str, names: Sorted, kind: str) -> Found:
    """As :func:`choose`, of many names."""
    chosen = names.beginning(begun)
    if not chosen and len(begun) >= _SHORTEST_PART:
        chosen = names.containing(begun)
    if not begun:
        plain = [name for name in chosen if name[0].islower()]
        chosen = plain[:MOST] or chosen
    return among(begun, dict.fromkeys(chosen[: MOST + 1], kind))
