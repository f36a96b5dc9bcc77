"""A report of what this machine can do, what to do about the rest, and whether the course can run."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ebpf_lab.host import features, kernel, machine, privileges
from ebpf_lab.host.answers import Answer, Feature
from ebpf_lab.source.words import listing

_WIDTH = 100

NEEDED = (
    "kernel",
    "arch",
    "bpf",
    "btf",
    "tracefs",
    "tracepoint",
    "raw_tracepoint",
    "uprobe",
    "perf_event",
    "ringbuf",
    "perfbuf",
    "printk",
    "libbpf",
    "clang",
    "disk",
    "jupyter",
)
"""Without one of these most lessons have nothing to show; what else is missing concerns some of them."""

BY_SOME = ("kprobe", "fentry", "lsm", "bcc", "headers", "xdp", "tc", "usdt", "veth")
"""What some lessons use."""


def report() -> list[Feature]:
    """Every check and every feature, tried now."""
    return [*(machine.check(name) for name in machine.CHECKS), *features.probe_all()]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the course can run, and that in words."""

    course: bool
    words: str


def verdict(found: Sequence[Feature]) -> Verdict:
    """What the report comes to."""
    missing = {feature.name: feature for feature in found if feature.answer is not Answer.YES}
    needed = [missing[name] for name in NEEDED if name in missing]
    if needed:
        remedies = dict.fromkeys(feature.remedy for feature in needed if feature.remedy)
        first = f" Begin with: {next(iter(remedies))}" if remedies else ""
        return Verdict(False, f"The course cannot run here: it lacks {_names(needed)}.{first}")
    some = [missing[name] for name in BY_SOME if name in missing]
    if some:
        return Verdict(
            True, f"The course can run here, but for lessons that use {_names(some)}: ./lab vm has them."
        )
    return Verdict(True, "The course can run here.")


def as_data(found: Sequence[Feature]) -> dict[str, Any]:
    """The report for programs: what is printed as JSON."""
    have = privileges.current()
    judged = verdict(found)
    return {
        "kernel": kernel.release(),
        "architecture": kernel.architecture(),
        "process": {
            "capabilities": [name for name in privileges.ALL if have.has(name)],
            "perf_event_paranoid": have.perf_event_paranoid,
            "unprivileged_bpf_disabled": have.unprivileged_bpf_disabled,
            "kptr_restrict": have.kptr_restrict,
            "lockdown": have.lockdown or None,
        },
        "checks": [{**asdict(feature), "needed": feature.name in NEEDED} for feature in found],
        "course": judged.course,
        "verdict": judged.words,
    }


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


def _names(found: Sequence[Feature]) -> str:
    return listing(tuple(feature.name for feature in found))


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
