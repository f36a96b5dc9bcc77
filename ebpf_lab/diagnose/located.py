"""A verifier's log with the numbers of its C lines, which kernels print themselves only since 6.10."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

from ebpf_lab.diagnose.verifier import Place

_STEP = re.compile(r"(\d{1,9}): ")


def located(log: str, places: Sequence[Place], file: str) -> str:
    """The log with each C line of the learner's text as newer kernels write it: ``; C line @ FILE:LINE``.

    Parameters
    ----------
    log : str
    places : sequence of Place
        The object's line records, which are needed where the kernel does not say.
    file : str
        The name of that text.
    """
    if " @ " in log or not places:
        return log
    ordered = sorted(places, key=lambda place: place.instruction)
    starts = [place.instruction for place in ordered]
    first = {place.text.strip(): place.line for place in reversed(places)}
    lines = log.split("\n")
    for at, line in enumerate(lines):
        text = line[2:].strip()
        if not line.startswith("; ") or not text:
            continue
        number = first.get(text, 0)
        step = _STEP.match(lines[at + 1]) if at + 1 < len(lines) else None
        if step:
            place = ordered[max(bisect.bisect_right(starts, int(step[1])) - 1, 0)]
            number = place.line if place.text.strip() == text else number
        if number:
            lines[at] = f"{line} @ {file}:{number}"
    return "\n".join(lines)
