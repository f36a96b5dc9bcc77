"""The exercises of lesson 10."""

from __future__ import annotations

import random
import string
import sys
from pathlib import Path

from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload, column, ended
from ebpf_lab.session import Trace

_SOCKETS = """
import contextlib, socket
for kind in {kinds!r}:
    with contextlib.suppress(OSError):
        socket.socket(socket.AF_UNIX, kind).close()
"""
_LETTERS = {1: "s", 2: "d", 4: "m", 5: "q"}
"""Of SOCK_STREAM, SOCK_DGRAM, SOCK_RDM and SOCK_SEQPACKET; 10 (SOCK_PACKET) and 6 have none."""

_WRITES = """
import os
out = os.open("/dev/null", os.O_WRONLY)
for text in {texts!r}:
    os.write(out, text.encode())
"""
_MARK = "#"
_KEPT = 27


def _sockets(rng: random.Random, directory: Path) -> Workload:
    """Sockets of several types; two of them are beyond the letters."""
    kinds = [rng.choice((1, 2, 4, 5, 6, 10)) for _ in range(rng.randrange(23, 48))]
    letters = [_LETTERS[kind] for kind in kinds if kind in _LETTERS]
    return Workload((sys.executable, "-c", _SOCKETS.format(kinds=kinds)), letters)


def _in_letters(trace: Trace, letters: list[str]) -> None:
    came = column(ended(trace), "letter").astype(str).tolist()
    if came != letters:
        raise NotYet(f"the letters {''.join(letters)}", "".join(came) or "none")


def _texts(rng: random.Random, directory: Path) -> Workload:
    """Short texts and long ones, each known by its first character."""
    texts = [
        _MARK + "".join(rng.choices(string.ascii_letters, k=rng.choice((3, 11, 25, 26, 27, 47, 200))))
        for _ in range(rng.randrange(11, 24))
    ]
    return Workload((sys.executable, "-c", _WRITES.format(texts=texts)), [text[:_KEPT] for text in texts])


def _beginnings(trace: Trace, texts: list[str]) -> None:
    came = [text for text in column(ended(trace), "text").astype(str) if text.startswith(_MARK)]
    if came != texts:
        wrong = next((pair for pair in zip(texts, came, strict=False) if pair[0] != pair[1]), None)
        if wrong is None:
            raise NotYet(f"{len(texts)} texts", str(len(came)))
        raise NotYet(repr(wrong[0]), repr(wrong[1]))


LESSON = Lesson(
    "10_verifier",
    (
        Exercise(
            "ex1",
            "a letter for each socket",
            hints=(
                "`letters` has six elements. What is the largest `type` that comes past the check?",
                "An array of six has the indices 0 to 5, so 6 must be sent away, too.",
                "`if (type >= sizeof(letters)) return 0;`",
            ),
            workload=_sockets,
            judge=_in_letters,
        ),
        Exercise(
            "ex2",
            "the first 27 bytes of what was written",
            hints=(
                "The process says how much it writes: it may be anything. How much does `text` hold?",
                "A comparison is a proof: after `if (size > 27) size = 27;` it is 27 at most.",
                "`if (size > sizeof(event->text) - 1) size = sizeof(event->text) - 1;` before the copy.",
            ),
            workload=_texts,
            judge=_beginnings,
        ),
    ),
    needs=("tp_btf",),
)
