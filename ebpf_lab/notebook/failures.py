"""How a notebook shows the lab's errors, and the last of them for ``%bpf explain``.

The error output of a cell holds text alone, in every front end.  So it has the error's first line, as it has
of any other exception, and an output of its own below it has the rest, in HTML and in plain text.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING

import pandas as pd

from ebpf_lab.coloured import coloured
from ebpf_lab.errors import LabError, UsageProblem
from ebpf_lab.notebook import error_html, places

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LAST = "_bpf_error"
"""Variable that holds the last error, for its ``log`` and ``path``."""


class Failures:
    """Shows the errors of a shell's cells, and keeps the last one."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._last: LabError | None = None
        self._others, self._show_other = shell.custom_exceptions, shell.CustomTB
        shell.set_custom_exc((LabError, *self._others), self._show)  # type: ignore[no-untyped-call]

    def _show(
        self,
        shell: InteractiveShell,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
        tb_offset: int | None = None,
    ) -> None:
        if not isinstance(error, LabError):
            self._show_other(kind, error, trace, tb_offset)
            return
        if error.where or error.source or not isinstance(error, UsageProblem):
            # A mistyped verb has nothing to explain, and must not hide what has.
            self._last = shell.user_ns[_LAST] = error
        # What %tb and %debug look at.
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
        if os.environ.get("EBPF_LAB_TRACEBACK") == "1":
            shell._showtraceback(kind, error, error._render_traceback_())
            return
        lines = _lines(shell, error)
        if not _in_notebook(shell):
            shell._showtraceback(kind, error, lines)
            return
        shell._showtraceback(kind, error, lines[:1])
        if len(lines) > 1:
            plain = error.block().partition("\n")[2]
            shell.display_pub.publish(
                {"text/html": error_html.body(error), "text/plain": plain}, places.of_error(error)
            )

    def explain(self) -> None:
        """Show the last error in full."""
        error = self._last
        if error is None:
            raise UsageProblem("nothing has failed yet", why="%bpf explain shows the last failure in full")
        path = getattr(error, "path", None)
        steps = path if isinstance(path, pd.DataFrame) else None
        shown = {"text/html": error_html.whole(error, steps), "text/plain": _text(error, steps)}
        self._shell.display_pub.publish(shown)


def _lines(shell: InteractiveShell, error: LabError) -> list[str]:
    plain = str(getattr(shell, "colors", "")).lower() == "nocolor"
    return (error.block() if plain else coloured(error)).splitlines()


def _in_notebook(shell: InteractiveShell) -> bool:
    return getattr(shell, "kernel", None) is not None


def _text(error: LabError, path: pd.DataFrame | None) -> str:
    parts = [error.block()]
    if path is not None and not path.empty:
        parts.append(path.to_string(index=False))
    if error.log:
        parts.append(error.log.rstrip("\n"))
    return "\n\n".join(parts)
