"""Tab behind ``%bpf``: verbs, snippets, background traces, probes, and names that ``%bpf help`` explains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ebpf_lab.notebook import reference
from ebpf_lab.notebook.completion import places
from ebpf_lab.notebook.completion.found import Found, choose
from ebpf_lab.source import snippets

_LINE = re.compile(r"\s*%bpf\s+((?:\S+\s+)*)(\S*)")


def complete(line: str, known: Iterable[str], running: Callable[[], list[str]]) -> Found | None:
    """What may stand at the end of this line; None where it is not the lab's."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    behind, begun = match[1].split(), match[2]
    match behind:
        case []:
            return choose(begun, (known, "verb")) or None
        case ["show"]:
            found = choose(begun, (snippet_names(), "snippet"))
        case ["stop" | "inside" | "maps"]:
            found = choose(begun, (running(), "trace"))
        case ["probes"]:
            return places.probes(begun.lstrip("'\""))
        case ["help"]:
            found = choose(begun, (reference.names(), "reference"))
        case _:
            return None
    return found if found.names else None


def snippet_names() -> list[str]:
    """Every name that ``%bpf show`` takes: those without the dialect first."""
    names = [name for folder in snippets.folders() for name in snippets.names(folder)]
    return list(dict.fromkeys([*(name.rpartition(".")[0] or name for name in names), *names]))
