"""``%%live``, the first line of a Python cell that looks at the running kernel by itself.

Where a notebook shows recordings there is no such kernel, and the cell says that in place of failing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebpf_lab.recordings import course

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MARK = "%%live"
_NOTE = f"This cell looks at the running kernel, and this notebook shows recordings: {course.LIVE_ELSEWHERE}."


def register(shell: InteractiveShell) -> None:
    """Have the shell know it; once, also when the extension is loaded again."""
    transformers = shell.input_transformers_cleanup
    if not any(getattr(each, "__name__", "") == transform.__name__ for each in transformers):
        transformers.append(transform)


def transform(lines: list[str]) -> list[str]:
    """The cell without its mark, or what says why it does not run."""
    if not lines or lines[0].strip() != MARK:
        return lines
    if course.replays() is not None:
        return [f"print({_NOTE!r})\n"]
    return ["\n", *lines[1:]]  # the lines keep their numbers
