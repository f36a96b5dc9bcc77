"""``@pytest.mark.needs("kprobe", "!btf")``: the only way to skip a test."""

from __future__ import annotations

import pytest

SKIPPED = pytest.StashKey[bool]()


def check(item: pytest.Item) -> None:
    """Skip when this machine lacks a feature the test needs ("name"), or has one it must lack ("!name").

    A probe that found no answer fails the test: not knowing is no reason to skip.
    """
    for mark in item.iter_markers("needs"):
        from ebpf_lab.host.features import Answer, probe  # here, since the unit tests run on any system

        for need in mark.args:
            feature = probe(need.removeprefix("!"))
            if feature.answer is Answer.UNKNOWN:
                pytest.fail(f"does this machine have {feature.name}? {feature.reason}", pytrace=False)
            if (feature.answer is Answer.YES) == need.startswith("!"):
                item.stash[SKIPPED] = True
                pytest.skip(f"needs {need}: {feature.reason or 'this machine has it'}")
