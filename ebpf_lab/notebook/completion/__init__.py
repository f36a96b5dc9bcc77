"""Tab in ``%%bpf`` cells and behind ``%bpf``, in any IPython.

What a name may be is asked of the cell's own text, of the running kernel and of the lab's reference; no
compiler runs.  The kernel's BTF and symbols are read once, in the background after the extension was loaded,
so that the first Tab is as quick as the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import cache

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell

from ebpf_lab.notebook.completion import code, option_line, verbs
from ebpf_lab.notebook.completion.cell import Cell
from ebpf_lab.notebook.completion.found import Found
from ebpf_lab.notebook.completion.warm import warm

_IDENTIFIER = "ebpf_lab.bpf"
_PAUSE = 0.5
"""Seconds after the extension was loaded."""
_FIRST = 1000
"""Asked before IPython's own matchers: Jedi would spend a while on C."""


def register(shell: InteractiveShell, known: Iterable[str], running: Callable[[], list[str]]) -> None:
    """Have the shell's Tab know ``%%bpf`` and ``%bpf``; in the place of what knew them before a reload.

    Parameters
    ----------
    shell : InteractiveShell
    known : iterable of str
        The verbs of ``%bpf``.
    running : callable
        Names of background traces.
    """
    others = [
        each
        for each in shell.Completer.custom_matchers
        if getattr(each, "matcher_identifier", "") != _IDENTIFIER
    ]
    shell.Completer.custom_matchers = [*others, matcher(known, running, lambda: shell.user_ns)]
    if type(shell) is not InteractiveShell:
        # A shell without any front end is a script's, which has no keyboard.
        _warm_soon()


@cache
def _warm_soon() -> None:
    # Not at once: the kernel that loads the extension is not ready yet.
    timer = threading.Timer(_PAUSE, warm)
    timer.daemon = True
    timer.start()


def matcher(
    known: Iterable[str], running: Callable[[], list[str]], variables: Callable[[], Iterable[str]]
) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return what IPython's completer asks; where it has an answer, nothing else is asked."""

    @context_matcher(identifier=_IDENTIFIER, priority=_FIRST)  # type: ignore[untyped-decorator]
    def complete(context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")
        before = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
        found = find(context.full_text, before, known, running, variables)
        if found is None:
            return {"completions": []}
        return {
            "completions": [SimpleCompletion(name, type=kind) for name, kind in found.names],
            "matched_fragment": found.begun,
            "suppress": True,
        }

    return complete  # type: ignore[no-any-return]


def find(
    text: str,
    cursor: int,
    known: Iterable[str],
    running: Callable[[], list[str]],
    variables: Callable[[], Iterable[str]],
) -> Found | None:
    """What the cursor may be completed to; None where that is not the lab's business.

    Parameters
    ----------
    text : str
        The whole cell.
    cursor : int
        Character that the cursor is in front of.
    known, running, variables
        As for :func:`register`; ``variables`` are the notebook's.
    """
    cell = Cell.read(text)
    if cell is None:
        return verbs.complete(text[text.rfind("\n", 0, cursor) + 1 : cursor], known, running)
    if cursor < cell.start:
        return option_line.complete(cell, text[:cursor], variables)
    found = code.complete(cell, cursor - cell.start)
    if not found.names and found.begun:
        # Nothing is C's, but without any answer Python's names would be offered.
        return Found(found.begun, [(found.begun, "text")])
    return found
