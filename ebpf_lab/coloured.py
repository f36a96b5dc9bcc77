"""An error's text for a terminal: its name, the carets and the labels stand out."""

from __future__ import annotations

import re

from ebpf_lab.errors import LabError

_RED, _BOLD, _PLAIN = "\x1b[1;31m", "\x1b[1m", "\x1b[0m"
_CARET = re.compile(r"( +)(\^~*.*)")
_LABEL = re.compile(r"  (why|fix)(   .*)")
# C text can hold what a terminal would obey.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


def coloured(error: LabError) -> str:
    """What :meth:`~ebpf_lab.errors.LabError.block` says, with colours."""
    first, *rest = _CONTROL.sub("�", error.block()).split("\n")
    name, colon, what = first.partition(":")
    lines = [f"{_RED}{name}{_PLAIN}{colon}{_BOLD}{what}{_PLAIN}"]
    for line in rest:
        if match := _CARET.fullmatch(line):
            line = f"{match[1]}{_RED}{match[2]}{_PLAIN}"
        elif match := _LABEL.fullmatch(line):
            line = f"  {_BOLD}{match[1]}{_PLAIN}{match[2]}"
        lines.append(line)
    return "\n".join(lines)
