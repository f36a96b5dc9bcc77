"""What the tags of a lesson's cell say: how it must end, and what it is for."""

from __future__ import annotations

from collections.abc import Sequence

from ebpf_lab.host import features


def named(tags: Sequence[str], kind: str) -> list[str]:
    """What follows a kind and a colon, such as "kprobe" of ``needs:kprobe``."""
    return [name for word, _, name in (tag.partition(":") for tag in tags) if word == kind]


def expected_error(tags: Sequence[str], *, live: bool = True) -> str | None:
    """The name of the error that a cell must end with, or None.

    That is the one that ``error:NAME`` names.  Where this machine lacks the FEATURE of ``needs:FEATURE``, it
    is MissingFeature, and for a cell that looks at such a cell's result, with ``after:FEATURE``, NameError.

    Parameters
    ----------
    tags : sequence of str
        The cell's.
    live : bool
        Whether it runs on this machine's kernel; a recording lacks nothing.
    """
    for kind, error in (("needs", "MissingFeature"), ("after", "NameError")):
        if live and features.missing(named(tags, kind)) is not None:
            return error
    return next(iter(named(tags, "error")), None)
