"""A report of what this machine can do, and what to do about the rest."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ebpf_lab.host import features, kernel, privileges
from ebpf_lab.host.answers import Answer, Feature

_WIDTH = 100


def report() -> list[Feature]:
    """Every feature, tried now."""
    return features.probe_all()


def text(found: Sequence[Feature], *, width: int = _WIDTH) -> str:
    """The report as text: a line a feature, the remedy below those that are missing.

    Parameters
    ----------
    found : sequence of Feature
    width : int
        Characters a line.
    """
    column = max((len(feature.name) for feature in found), default=0) + 2
    indent = column + len(Answer.UNKNOWN) + 2
    lines = [
        f"Linux {kernel.release()} on {kernel.architecture()}",
        *_wrapped("this process: ", str(privileges.current()), width),
        "",
    ]
    said: dict[str, str] = {}
    for feature in found:
        head = f"{feature.name:<{column}}{feature.answer:<{indent - column}}"
        lines += _wrapped(head, feature.reason, width)
        if feature.remedy and feature.answer is not Answer.YES:
            # One remedy often mends many features: it is spelt out once.
            first = said.setdefault(feature.remedy, feature.name)
            words = feature.remedy if first == feature.name else f"as for {first}"
            lines += _wrapped(" " * indent + "-> ", words, width)
    return "\n".join(lines)


def _wrapped(head: str, words: str, width: int) -> list[str]:
    # Commands must survive copying, so that nothing is broken within a word.
    return textwrap.wrap(
        words,
        width,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [head.rstrip()]
