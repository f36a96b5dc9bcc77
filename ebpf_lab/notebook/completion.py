"""Tab behind ``%bpf``: its verbs, and the names of snippets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from ebpf_lab.source import snippets

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LINE = re.compile(r"\s*%bpf\s+((?:\S+\s+)*)(\S*)")


_IDENTIFIER = "ebpf_lab.bpf"


def register(shell: InteractiveShell, verbs: Iterable[str]) -> None:
    """Have the shell's Tab know ``%bpf``; in the place of what knew it before the extension was reloaded."""
    others = [
        each
        for each in shell.Completer.custom_matchers
        if getattr(each, "matcher_identifier", "") != _IDENTIFIER
    ]
    shell.Completer.custom_matchers = [*others, matcher(verbs)]


def matcher(verbs: Iterable[str]) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return what IPython's completer asks; where it has an answer, nothing else is asked."""

    @context_matcher(identifier=_IDENTIFIER)  # type: ignore[untyped-decorator]
    def complete(context: CompletionContext) -> SimpleMatcherResult:
        match = _LINE.fullmatch(context.line_with_cursor[: context.cursor_position])
        if match is None:
            return {"completions": []}
        behind, begun = match[1].split(), match[2]
        known = list(verbs) if not behind else _snippets() if behind == ["show"] else []
        found = [SimpleCompletion(name, type="keyword") for name in known if name.startswith(begun)]
        return {"completions": found, "suppress": bool(found)}

    return complete  # type: ignore[no-any-return]


def _snippets() -> list[str]:
    """Every name that ``%bpf show`` takes: those without the dialect first."""
    names = [name for folder in snippets.folders() for name in snippets.names(folder)]
    return list(dict.fromkeys([*(name.rpartition(".")[0] or name for name in names), *names]))
