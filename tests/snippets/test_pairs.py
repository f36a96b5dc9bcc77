"""Snippets that are there in both dialects say the same of themselves, and show the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pytest
from support.shown import shown

from ebpf_lab.source import snippets
from ebpf_lab.source.snippets import Snippet

_NAMES = snippets.names()
PAIRS = [name.removesuffix(".bcc") for name in _NAMES if name.removesuffix("bcc") + "libbpf" in _NAMES]


def pair(name: str) -> tuple[Snippet, Snippet]:
    return snippets.load(f"{name}.bcc"), snippets.load(f"{name}.libbpf")


def cases() -> list[object]:
    needs = {name: {need for each in pair(name) for need in each.needs} for name in PAIRS}
    return [pytest.param(name, marks=pytest.mark.needs(*sorted(needs[name]))) for name in PAIRS]


def test_there_are_pairs() -> None:
    systems = {"hello_clone", "hello_execve", "open_monitor", "exec_ring", "exec_snoop", "printf_probe"}
    assert systems | {"puts_trap", "cred_watch", "pt_regs_view"} <= set(PAIRS)


@pytest.mark.parametrize("name", PAIRS)
def test_headers_agree(name: str) -> None:
    bcc, libbpf = pair(name)
    # bcc is told by an option what a section says in the other dialect; that it is the same, "probes" shows.
    own = {"name": "", "text": "", "attach": {}, "needs": ()}
    assert replace(bcc, **own) == replace(libbpf, **own)
    tools = {"bcc", "headers", "btf", "clang", "libbpf"}
    assert set(bcc.needs) - tools == set(libbpf.needs) - tools


@pytest.mark.parametrize("name", cases())
def test_bcc_and_libbpf_show_the_same(name: str) -> None:
    bcc, libbpf = (shown(each.name).frame for each in pair(name))
    assert list(bcc.columns) == list(libbpf.columns)
    assert [str(dtype) for dtype in bcc.dtypes] == [str(dtype) for dtype in libbpf.dtypes]
    assert counted(bcc, pair(name)[0]) == counted(libbpf, pair(name)[1])


def counted(frame: pd.DataFrame, snippet: Snippet) -> Sequence[tuple[str, int]]:
    """How often there is what the header expects, in the columns that it is certain of."""
    rows = frame.to_dict("records")
    found: dict[str, int] = {}
    for clause in snippet.expect:
        certain = [each for each in clause.conditions if each.op == "=="]
        for row in rows:
            if all(each.holds(row[each.column]) for each in clause.conditions):
                shown = str([(each.column, row[each.column]) for each in certain])
                found[f"{clause}: {shown}"] = found.get(f"{clause}: {shown}", 0) + 1
    return sorted(found.items())
