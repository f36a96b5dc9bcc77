"""Runs of equal rows in a block of events."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.frame.distinct import run_heads


@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b\0x", b"b\0y", b"", b"c" * 16]), st.integers(1, 9)), max_size=20
    )
)
def test_runs_begin_where_rows_differ(runs: list[tuple[bytes, int]]) -> None:
    rows = [value.ljust(16, b"\0") for value, length in runs for _ in range(length)]
    data = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), 16)
    heads = [at for at, row in enumerate(rows) if at == 0 or row != rows[at - 1]]
    found = run_heads(data)
    if not rows or len(heads) * 4 > len(rows):
        assert found is None
    else:
        assert found is not None
        assert found.tolist() == heads


def test_wide_rows_are_not_compared() -> None:
    assert run_heads(np.zeros((100, 33), np.uint8)) is None
