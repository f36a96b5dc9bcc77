"""Where a text names the probe of one of its programs."""

from __future__ import annotations

import re

from ebpf_lab.errors import Mark
from ebpf_lab.source.spec import Program

_ABOVE = 3
"""Lines above a function's name in which its section or its return type may stand."""


def place(program: Program, text: str) -> tuple[Mark, ...]:
    """The probe's name in the section or in the function's name; none where an option names it.

    Parameters
    ----------
    program : Program
    text : str
        The learner's C text.
    """
    probe = program.probe
    if probe is None or not probe.name or probe.name not in f"{program.section} {program.function}":
        return ()
    name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(probe.name)}(?!\w)")
    lines = text.split("\n")
    for number in range(program.line, max(program.line - _ABOVE - 1, 0), -1):
        line = lines[number - 1] if number <= len(lines) else ""
        if found := name.search(line):
            return (Mark(number, line, found.start() + 1, len(probe.name)),)
    return ()
